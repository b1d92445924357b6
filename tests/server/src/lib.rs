//! A PostgreSQL server for tests and the demo, using only Rust's standard library.
//!
//! If `DATABASE_URL` is set, that server is used. Otherwise a server is started from the
//! installed programs, or those in the folder `THREADLINE_POSTGRES`, for this process
//! alone. It ends with the process, however that ends.

#[cfg(not(unix))]
compile_error!("the test server is only written for Unix, where a shell watches over it");

mod at_end;
pub mod diesel_cli;
#[cfg(feature = "doctest")]
pub mod doctest;
mod find;
mod kill;
pub mod libpq;
pub mod packages;
mod start;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

pub use at_end::AtEnd;
pub use find::{CHOICE, MissingServer, OLDEST, choice, find_program, find_programs, major_version};
pub use start::{Cluster, is_root};

/// A server on which databases can be created.
#[derive(Debug)]
pub struct Server {
    url: String,
    programs: Option<PathBuf>,
    cluster: Option<Cluster>,
}

impl Server {
    /// Returns the server of this process, started on first use.
    ///
    /// # Panics
    ///
    /// Panics if there is none and none can be started, with what to install: a test is
    /// never skipped because of a missing server.
    pub fn shared() -> &'static Server {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| Server::find_or_start().unwrap_or_else(|e| panic!("{e}")))
    }

    /// Returns the server of `DATABASE_URL`, or a new one.
    pub fn find_or_start() -> Result<Server, String> {
        let Some(url) = env::var("DATABASE_URL").ok().filter(|url| !url.is_empty()) else {
            return Server::start();
        };
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(format!(
                "DATABASE_URL is to be a URL such as postgres://user@host/database, not {url}"
            ));
        }
        Ok(Server {
            url,
            programs: find_programs().ok(),
            cluster: None,
        })
    }

    /// Starts a new server, regardless of `DATABASE_URL`.
    pub fn start() -> Result<Server, String> {
        Server::start_by(Cluster::start)
    }

    /// The same, with a durable server (fsync on), which may be killed.
    pub fn start_durable() -> Result<Server, String> {
        Server::start_by(Cluster::start_durable)
    }

    /// Starts a new server from the programs in a folder.
    pub fn start_in(programs: PathBuf) -> Result<Server, String> {
        Ok(Server::of(Cluster::start(&programs)?, programs))
    }

    fn of(cluster: Cluster, programs: PathBuf) -> Server {
        Server {
            url: cluster.url(),
            programs: Some(programs),
            cluster: Some(cluster),
        }
    }

    fn start_by(start: fn(&Path) -> Result<Cluster, String>) -> Result<Server, String> {
        let programs = find_programs().map_err(|missing| missing.to_string())?;
        Ok(Server::of(start(&programs)?, programs))
    }

    /// Kills a server that was started here, with all its processes.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be killed, or was not started here.
    pub fn kill(&mut self) {
        self.own_cluster().kill().unwrap_or_else(|e| panic!("{e}"));
    }

    /// Starts it again, with the data that it had written.
    ///
    /// # Panics
    ///
    /// Panics if it does not start, with its log.
    pub fn restart(&mut self) {
        self.own_cluster()
            .restart()
            .unwrap_or_else(|log| panic!("the server did not start again:\n{log}"));
    }

    /// Kills it and starts it again as a standby of a primary that it cannot reach: it
    /// answers queries, and writes nothing until it is promoted.
    ///
    /// # Panics
    ///
    /// Panics if it does not start, with its log.
    pub fn restart_as_standby(&mut self) {
        self.kill();
        self.own_cluster()
            .restart_as_standby()
            .unwrap_or_else(|log| panic!("the server did not start as a standby:\n{log}"));
    }

    /// Upgrades it by `pg_upgrade` to the programs in a folder, or to its own version,
    /// which rebuilds the cluster.
    ///
    /// # Panics
    ///
    /// Panics if that fails, with its log.
    pub fn upgrade(&mut self, programs: Option<PathBuf>) {
        let programs = programs
            .or(self.programs.clone())
            .expect("a server that was started here has programs");
        self.own_cluster()
            .upgrade(&programs)
            .unwrap_or_else(|log| panic!("the server was not upgraded:\n{log}"));
        self.programs = Some(programs);
    }

    fn own_cluster(&mut self) -> &mut Cluster {
        self.cluster
            .as_mut()
            .expect("only a server that was started here is killed")
    }

    /// Returns whether the server was started here, and ends with this value.
    pub fn is_throw_away(&self) -> bool {
        self.cluster.is_some()
    }

    /// Returns the URL of the server's own database, from which others are created.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the URL of another database on the server.
    pub fn url_of(&self, database: &str) -> String {
        let (base, query) = match self.url.split_once('?') {
            Some((base, query)) => (base, format!("?{query}")),
            None => (self.url.as_str(), String::new()),
        };
        let host_starts = base.find("://").map_or(0, |at| at + 3);
        let base = match base[host_starts..].find('/') {
            Some(at) => &base[..host_starts + at],
            None => base,
        };
        format!("{base}/{database}{query}")
    }

    /// Runs one of PostgreSQL's programs (`psql`, `pg_dump`) and returns its standard
    /// output.
    ///
    /// # Panics
    ///
    /// Panics if it is missing or fails, with its output.
    pub fn run(&self, program: &str, arguments: &[&str]) -> String {
        let output = self
            .command(program)
            .args(arguments)
            .output()
            .unwrap_or_else(|e| panic!("{program}: {e}; install PostgreSQL's client programs"));
        assert!(
            output.status.success(),
            "{program} {arguments:?} failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Returns a command for one of PostgreSQL's programs.
    pub fn command(&self, program: &str) -> Command {
        let own = self.programs.as_ref().map(|dir| dir.join(program));
        let found = own
            .filter(|path| path.is_file())
            .or_else(|| find_program(program));
        Command::new(found.unwrap_or_else(|| program.into()))
    }

    /// Returns a name that no database of this server has yet.
    pub fn fresh_name(&self, purpose: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        // In a container, the process has the same number each time.
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = now.map_or(0, |since| since.as_micros());
        format!(
            "threadline_{purpose}_{now:x}_{}_{number}",
            std::process::id()
        )
    }
}

/// Returns the root of the repository. Cargo gives it at run time: clones with one target
/// folder share what is built there.
pub fn root() -> PathBuf {
    let here = env::var_os("CARGO_MANIFEST_DIR").unwrap_or(env!("CARGO_MANIFEST_DIR").into());
    let here = PathBuf::from(here);
    let root = here
        .ancestors()
        .find(|dir| dir.join("Cargo.lock").is_file());
    root.unwrap_or(&here).to_owned()
}

/// Creates a new folder that only this call knows, below the system's temporary one. It
/// is removed with the process.
pub fn scratch_dir() -> PathBuf {
    static PARENT: OnceLock<(PathBuf, AtEnd)> = OnceLock::new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let make = |dir: &Path| {
        let _ = fs::remove_dir_all(dir);
        fs::create_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    };
    let (parent, _) = PARENT.get_or_init(|| {
        let dir = env::temp_dir().join(format!("threadline-scratch-{}", std::process::id()));
        make(&dir);
        let removal = AtEnd::run(Command::new("rm").arg("-rf").arg(&dir));
        (dir, removal.unwrap_or_else(|e| panic!("sh: {e}")))
    });
    let dir = parent.join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
    make(&dir);
    dir
}
