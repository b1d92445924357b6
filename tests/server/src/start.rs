use std::fs;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A throw-away server on a private socket. It is stopped and its folder
/// removed when this is dropped, and also when the process ends by a panic,
/// Ctrl-C or SIGKILL: a shell holds the other end of a pipe and waits for it to
/// break.
#[derive(Debug)]
pub struct Cluster {
    dir: PathBuf,
    keeper: Child,
}

/// Makes and runs the server in folder `$2` with the programs in `$1`, until
/// standard input ends.
const KEEPER: &str = r#"
trap '' INT HUP TERM PIPE
cd "$2" || exit
{
    "$1/initdb" -D data -U postgres -A trust -E UTF8 --locale=C --no-sync &&
    "$1/pg_ctl" start -s -w -D data -l log -o "$3"
} >>log 2>&1 </dev/null && word=ready || word=failed
echo $word 2>>log
cat >/dev/null
"$1/pg_ctl" stop -s -m immediate -D data >>log 2>&1
cd / && rm -rf "$2"
"#;

const SETTINGS: &str = "-c listen_addresses= -c port=5432 -c max_connections=200 -c wal_level=logical \
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c lc_messages=C";

/// PostgreSQL refuses to run as root; one of these users does it then.
const UNPRIVILEGED: [&str; 3] = ["postgres", "nobody", "daemon"];

impl Cluster {
    /// Makes and starts a server with the programs in the given folder.
    pub fn start(programs: &Path) -> Result<Self, String> {
        let user = if is_root() {
            Some(unprivileged_user()?)
        } else {
            None
        };
        let dir =
            private_dir(user.as_ref()).map_err(|e| format!("no folder for the server: {e}"))?;
        let mut keeper = Command::new("sh");
        keeper
            .args(["-c", KEEPER, "keeper"])
            .arg(programs)
            .arg(&dir)
            .arg(format!("{SETTINGS} -k {}", dir.display()))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // Out of reach of the terminal's Ctrl-C: the keeper comes after us.
        keeper.process_group(0);
        if let Some(user) = user {
            keeper.uid(user.uid).gid(user.gid);
        }
        let mut keeper = keeper.spawn().map_err(|e| format!("sh: {e}"))?;
        let stdout = keeper.stdout.take().expect("piped");
        let cluster = Self { dir, keeper };
        let mut word = String::new();
        BufReader::new(stdout)
            .read_line(&mut word)
            .map_err(|e| format!("sh: {e}"))?;
        if word.trim() == "ready" {
            return Ok(cluster);
        }
        let log = fs::read_to_string(cluster.dir.join("log")).unwrap_or_default();
        Err(format!(
            "the server of {} did not start:\n{log}",
            programs.display()
        ))
    }

    /// The URL of the server's database `postgres`.
    pub fn url(&self) -> String {
        let socket = self.dir.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{socket}:5432/postgres")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Whether this process may do anything.
pub fn is_root() -> bool {
    // Rust's library has no geteuid.
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout == b"0\n")
}

/// Who runs the server where we are root.
struct User {
    uid: u32,
    gid: u32,
}

fn unprivileged_user() -> Result<User, String> {
    let users = fs::read_to_string("/etc/passwd").map_err(|e| format!("/etc/passwd: {e}"))?;
    UNPRIVILEGED
        .iter()
        .find_map(|name| {
            let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
            let mut fields = line.split(':').skip(2);
            Some(User {
                uid: fields.next()?.parse().ok()?,
                gid: fields.next()?.parse().ok()?,
            })
        })
        .ok_or_else(|| format!("PostgreSQL does not run as root, and there is none of the users {UNPRIVILEGED:?} to run it"))
}

fn private_dir(user: Option<&User>) -> io::Result<PathBuf> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        // Not the system's temporary folder: on macOS that is too long for a
        // socket's path.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = PathBuf::from(format!("/tmp/threadline-{}-{number}", std::process::id()));
        // Whoever reaches the socket is the server's superuser.
        match fs::DirBuilder::new().mode(0o700).create(&dir) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        if let Some(user) = user {
            chown(&dir, Some(user.uid), Some(user.gid))?;
        }
        return Ok(dir);
    }
}
