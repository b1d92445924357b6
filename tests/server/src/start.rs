use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

/// A throw-away server on a private socket. It is stopped and its folder
/// removed when this is dropped, and also when the process ends by a panic,
/// Ctrl-C or SIGKILL: a shell holds the other end of a pipe and waits for it to
/// break.
#[derive(Debug)]
pub struct Cluster {
    dir: PathBuf,
    keeper: Child,
}

/// Runs the server until standard input ends.
const KEEPER: &str = r#"
trap '' INT HUP TERM
"$1" -D "$2/data" -k "$2" -c listen_addresses= -c port=5432 \
    -c fsync=off -c synchronous_commit=off -c full_page_writes=off \
    -c max_connections=200 -c wal_level=logical -c lc_messages=C \
    >"$2/log" 2>&1 </dev/null &
cat >/dev/null
kill -INT $!
wait $!
cd / && rm -rf "$2"
"#;

/// PostgreSQL refuses to run as root; one of these users does it then.
const UNPRIVILEGED: [&str; 3] = ["postgres", "nobody", "daemon"];

impl Cluster {
    /// Makes and starts a server with the programs in the given folder.
    pub fn start(programs: &Path) -> Result<Self, String> {
        let user = unprivileged_user()?;
        let dir =
            private_dir(user.as_ref()).map_err(|e| format!("no folder for the server: {e}"))?;
        let initdb = user_command(programs.join("initdb"), user.as_ref())
            .current_dir(&dir)
            .arg("-D")
            .arg(dir.join("data"))
            .args([
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .output()
            .map_err(|e| format!("{}: {e}", programs.join("initdb").display()))?;
        if !initdb.status.success() {
            let _ = fs::remove_dir_all(&dir);
            return Err(format!(
                "initdb failed:\n{}",
                String::from_utf8_lossy(&initdb.stderr)
            ));
        }
        let mut keeper = user_command("sh", user.as_ref());
        keeper
            .args(["-c", KEEPER, "keeper"])
            .arg(programs.join("postgres"))
            .arg(&dir)
            .current_dir("/")
            .stdin(Stdio::piped());
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            // Out of reach of the terminal's Ctrl-C: the keeper comes after us.
            keeper.process_group(0);
        }
        let keeper = keeper.spawn().map_err(|e| format!("sh: {e}"))?;
        let cluster = Self { dir, keeper };
        cluster.wait_until_ready(programs)?;
        Ok(cluster)
    }

    /// The URL of the server's database `postgres`.
    pub fn url(&self) -> String {
        let socket = self.dir.display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{socket}/postgres")
    }

    fn wait_until_ready(&self, programs: &Path) -> Result<(), String> {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            let ready = Command::new(programs.join("pg_isready"))
                .args(["-q", "-p", "5432", "-h"])
                .arg(&self.dir)
                .status();
            if ready.is_ok_and(|status| status.success()) {
                return Ok(());
            }
            if Instant::now() > deadline {
                let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
                return Err(format!("the server did not start within a minute:\n{log}"));
            }
            thread::sleep(Duration::from_millis(30));
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Who runs the server; `None` for the user that we are.
struct User {
    uid: u32,
    gid: u32,
}

#[cfg(unix)]
fn unprivileged_user() -> Result<Option<User>, String> {
    use std::os::unix::fs::MetadataExt;

    // A file that we make is ours: the library has no geteuid.
    let probe = std::env::temp_dir().join(format!("threadline-user-{}", std::process::id()));
    fs::write(&probe, "").map_err(|e| format!("{}: {e}", probe.display()))?;
    let uid = fs::metadata(&probe).map(|m| m.uid());
    let _ = fs::remove_file(&probe);
    if uid.map_err(|e| e.to_string())? != 0 {
        return Ok(None);
    }
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
        .map(Some)
        .ok_or_else(|| format!("PostgreSQL does not run as root, and there is none of the users {UNPRIVILEGED:?} to run it"))
}

#[cfg(unix)]
fn private_dir(user: Option<&User>) -> io::Result<PathBuf> {
    use std::os::unix::fs::{DirBuilderExt, chown};

    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        // Not the system's temporary folder: on macOS that is too long for a
        // socket's path.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = PathBuf::from(format!("/tmp/threadline-{}-{number}", std::process::id()));
        match fs::DirBuilder::new().mode(0o755).create(&dir) {
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

#[cfg(unix)]
fn user_command(program: impl AsRef<OsStr>, user: Option<&User>) -> Command {
    use std::os::unix::process::CommandExt;

    let mut command = Command::new(program);
    if let Some(user) = user {
        command.uid(user.uid).gid(user.gid);
    }
    command
}

#[cfg(not(unix))]
compile_error!(
    "starting a server is only written for Unix; set DATABASE_URL and remove this check to port it"
);
