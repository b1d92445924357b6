//! The program works behind a transaction pooler, which may send each transaction to any
//! session.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;

use super::{Place, run_in};

/// Copies what comes to where it goes, and keeps it.
fn pass(mut from: UnixStream, mut to: UnixStream, kept: Arc<Mutex<Vec<u8>>>) {
    let mut buffer = [0; 8192];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        kept.lock().unwrap().extend_from_slice(&buffer[..read]);
        if to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Write);
}

/// Listens in a folder in place of a server, and returns what clients send.
fn listen(dir: &Path, server: String) -> Arc<Mutex<Vec<u8>>> {
    let sent = Arc::new(Mutex::new(vec![]));
    let listener = UnixListener::bind(dir.join(".s.PGSQL.5432")).unwrap();
    let kept = sent.clone();
    thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let server = UnixStream::connect(&server).unwrap();
            let (answers, to_client) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            let kept = kept.clone();
            thread::spawn(move || pass(client, server, kept));
            thread::spawn(move || pass(answers, to_client, Arc::default()));
        }
    });
    sent
}

#[test]
fn it_names_no_prepared_statement() {
    let place = Place::new();
    place.done(&["install"]);
    // postgres://postgres@%2Ffolder:5432/database
    let url = place.database.url();
    let folder = url.split(['@', ':']).nth(2).unwrap();
    let socket = format!("{}/.s.PGSQL.5432", folder.replace("%2F", "/"));
    let through = threadline_tests::scratch_dir();
    let sent = listen(&through, socket);
    let url = url.replace(folder, &through.display().to_string().replace('/', "%2F"));
    for command in [
        &["timeline"][..],
        &["actions"],
        &["summary"],
        &["status"],
        &["verify"],
        &["work", "--once"],
        &["purge"],
        &["export", "--format", "json"],
    ] {
        let run = run_in(&place.dir, Some(&url), command);
        assert_eq!(run.code, 0, "{command:?}: {}", run.error);
    }
    let sent = sent.lock().unwrap();
    let text = String::from_utf8_lossy(&sent);
    assert!(text.contains("threadline"), "nothing came through");
    assert!(!text.contains("__diesel_stmt"), "{text}");
}
