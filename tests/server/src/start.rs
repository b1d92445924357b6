use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::kill::kill_with_children;

/// A temporary server on a private socket. It is stopped and its folder removed when this
/// is dropped, and also when the process ends by a panic, Ctrl-C or SIGKILL: a shell
/// holds the other end of a pipe and waits for it to break.
#[derive(Debug)]
pub struct Cluster {
    dir: PathBuf,
    keeper: Child,
    answers: BufReader<ChildStdout>,
}

/// Creates the server in folder `$2` with the programs in `$1`, starts it for each input
/// line, and removes it when standard input ends. A line may name the folder of other
/// programs, to which the server is upgraded first.
const KEEPER: &str = r#"
trap '' INT HUP TERM PIPE
cd "$2" || exit
make() {
    # PostgreSQL 18 makes checksums of its own accord, and upgrades no server without.
    "$1/initdb" --help | grep -q no-data-checksums && checksums=--no-data-checksums || checksums=
    "$1/initdb" -D "$2" -U postgres -A trust -E UTF8 --locale=C --no-sync $checksums
}
upgrade() {
    "$1/pg_ctl" stop -s -w -m fast -D data && make "$2" new &&
        "$2/pg_upgrade" -b "$1" -B "$2" -d data -D new -U postgres -s "$PWD" --no-sync && mv data old && mv new data
}
make "$1" data >>log 2>&1 </dev/null
while read -r _ other; do
    word=ready
    if [ -n "$other" ]; then
        upgrade "$1" "$other" >>log 2>&1 </dev/null || word=failed
        set -- "$other" "$2" "$3"
    fi
    "$1/pg_ctl" start -s -w -t 600 -D data -l log -o "$3" >>log 2>&1 </dev/null || word=failed
    echo $word 2>>log
done
"$1/pg_ctl" stop -s -m immediate -D data >>log 2>&1
cd / && rm -rf "$2"
"#;

const SETTINGS: &str = "-c listen_addresses= -c port=5432 -c max_connections=200 -c wal_level=logical \
    -c max_prepared_transactions=10 -c lc_messages=C";

/// Settings that speed tests up; not for a server that is killed, which would lose
/// acknowledged commits, or write torn pages.
const CARELESS: &str = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off";

/// PostgreSQL refuses to run as root; one of these users runs it then.
const UNPRIVILEGED: [&str; 3] = ["postgres", "nobody", "daemon"];

impl Cluster {
    /// Creates and starts a server with the programs in the given folder.
    pub fn start(programs: &Path) -> Result<Self, String> {
        Self::start_with(programs, &format!("{SETTINGS} {CARELESS}"))
    }

    /// The same, with a durable server (fsync on), which may be killed.
    pub fn start_durable(programs: &Path) -> Result<Self, String> {
        Self::start_with(programs, SETTINGS)
    }

    fn start_with(programs: &Path, settings: &str) -> Result<Self, String> {
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
            .arg(format!("{settings} -k {}", dir.display()))
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        // In a process group of its own, so that Ctrl-C does not reach it: the keeper
        // ends after this process.
        keeper.process_group(0);
        if let Some(user) = user {
            keeper.uid(user.uid).gid(user.gid);
        }
        let mut keeper = keeper.spawn().map_err(|e| format!("sh: {e}"))?;
        let answers = BufReader::new(keeper.stdout.take().expect("piped"));
        let mut cluster = Self {
            dir,
            keeper,
            answers,
        };
        cluster
            .restart()
            .map_err(|log| format!("the server of {} did not start:\n{log}", programs.display()))?;
        Ok(cluster)
    }

    /// Starts the server again after [`Cluster::kill`], with the data that it had
    /// written. The error is its log.
    pub fn restart(&mut self) -> Result<(), String> {
        self.start_by("start\n")
    }

    /// The same, as a standby without a primary.
    pub fn restart_as_standby(&mut self) -> Result<(), String> {
        let signal = self.dir.join("data/standby.signal");
        fs::write(&signal, "").map_err(|e| format!("{}: {e}", signal.display()))?;
        self.restart()
    }

    /// Stops the server, upgrades it by `pg_upgrade` to the programs in another folder, and
    /// starts it. The error is its log.
    pub fn upgrade(&mut self, programs: &Path) -> Result<(), String> {
        self.start_by(&format!("upgrade {}\n", programs.display()))
    }

    fn start_by(&mut self, line: &str) -> Result<(), String> {
        let keeper = self.keeper.stdin.as_mut().expect("open until the drop");
        let mut answer = String::new();
        keeper
            .write_all(line.as_bytes())
            .and_then(|()| self.answers.read_line(&mut answer))
            .map_err(|e| format!("sh: {e}"))?;
        if answer.trim() == "ready" {
            return Ok(());
        }
        Err(fs::read_to_string(self.dir.join("log")).unwrap_or_default())
    }

    /// Kills every process of the server, as the kernel does when memory runs out: none
    /// of them can finish anything.
    pub fn kill(&mut self) -> Result<(), String> {
        let data = self.dir.join("data");
        let unreadable = |e| format!("{}: {e}", data.join("postmaster.pid").display());
        let lock = fs::read_to_string(data.join("postmaster.pid")).map_err(unreadable)?;
        let postmaster = lock.lines().next().and_then(|pid| pid.parse().ok());
        kill_with_children(postmaster.ok_or("postmaster.pid begins with no process id")?)?;
        // Without a process that reaps orphans, a dead process keeps its id, and the next
        // server would take it for a live one.
        for lock in [
            data.join("postmaster.pid"),
            self.dir.join(".s.PGSQL.5432.lock"),
        ] {
            fs::remove_file(&lock).map_err(|e| format!("{}: {e}", lock.display()))?;
        }
        Ok(())
    }

    /// Returns the URL of the server's database `postgres`.
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

/// Returns whether this process is root.
pub fn is_root() -> bool {
    // Rust's library has no geteuid.
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout == b"0\n")
}

/// The user that runs the server if this process is root.
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
        // Not the system's temporary folder: on macOS that is too long for a socket's
        // path.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = PathBuf::from(format!("/tmp/threadline-{}-{number}", std::process::id()));
        // Every user that reaches the socket is the server's superuser.
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
