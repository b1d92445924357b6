use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use threadline_tests::{Database, scratch_dir, value};

/// A socket in front of the server that counts how often the server reports that it is
/// ready: the round trips, as they are on the wire.
pub(super) struct Proxy {
    url: String,
    trips: Arc<AtomicUsize>,
}

impl Proxy {
    pub(super) fn of(database: &Database) -> Self {
        let conn = &mut database.connect();
        let setting = |conn: &mut _, name| {
            let setting = value(conn, &format!("SELECT current_setting('{name}')")).unwrap();
            setting.split(',').next().unwrap().trim().to_owned()
        };
        let server = PathBuf::from(setting(conn, "unix_socket_directories"));
        let socket = format!(".s.PGSQL.{}", setting(conn, "port"));
        let dir = scratch_dir();
        let listener = UnixListener::bind(dir.join(&socket)).expect("the path is short enough");
        let trips = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&trips);
        let target = server.join(&socket);
        thread::spawn(move || {
            for client in listener.incoming() {
                serve(client.unwrap(), &target, &counter);
            }
        });
        let encoded = |dir: &Path| dir.display().to_string().replace('/', "%2F");
        let url = database.url().replace(&encoded(&server), &encoded(&dir));
        assert_ne!(url, database.url(), "the server is reached by its socket");
        Self { url, trips }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Returns the number of round trips of `work`.
    pub(super) fn count(&self, work: impl FnOnce()) -> usize {
        let before = self.trips.load(Ordering::SeqCst);
        work();
        self.trips.load(Ordering::SeqCst) - before
    }
}

fn serve(mut client: UnixStream, target: &Path, trips: &Arc<AtomicUsize>) {
    let mut server = UnixStream::connect(target).unwrap();
    let (mut answers, mut asker) = (server.try_clone().unwrap(), client.try_clone().unwrap());
    let trips = Arc::clone(trips);
    thread::spawn(move || {
        let _ = std::io::copy(&mut client, &mut server);
        let _ = server.shutdown(Shutdown::Both);
    });
    thread::spawn(move || {
        while let Ok(message) = read_message(&mut answers) {
            // Counted before the client can continue.
            trips.fetch_add(usize::from(message[0] == b'Z'), Ordering::SeqCst);
            if asker.write_all(&message).is_err() {
                break;
            }
        }
        let _ = asker.shutdown(Shutdown::Both);
    });
}

/// Reads a message: a type, and a length that includes itself.
fn read_message(server: &mut UnixStream) -> std::io::Result<Vec<u8>> {
    let mut message = vec![0; 5];
    server.read_exact(&mut message)?;
    let length = u32::from_be_bytes(message[1..5].try_into().unwrap()) as usize;
    message.resize(length + 1, 0);
    server.read_exact(&mut message[5..])?;
    Ok(message)
}
