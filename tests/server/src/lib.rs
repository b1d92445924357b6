//! A PostgreSQL server for tests and the demo, with nothing but Rust's own
//! library.
//!
//! Where `DATABASE_URL` is set, that server is used. Else one is started from
//! the programs that are installed, for this process alone, and goes with it,
//! however the process ends.

pub mod diesel_cli;
#[cfg(feature = "doctest")]
pub mod doctest;
mod find;
mod start;

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs};

pub use find::{MissingServer, find_programs, install_command};
pub use start::Cluster;

/// A server that databases can be made on.
#[derive(Debug)]
pub struct Server {
    url: String,
    programs: Option<PathBuf>,
    // Kept for its end.
    _cluster: Option<Cluster>,
}

impl Server {
    /// The server of this process, started on first use.
    ///
    /// # Panics
    ///
    /// When there is none and none can be started, with what to install: a
    /// test never skips itself for want of a server.
    pub fn shared() -> &'static Server {
        static SERVER: OnceLock<Server> = OnceLock::new();
        SERVER.get_or_init(|| Server::find_or_start().unwrap_or_else(|e| panic!("{e}")))
    }

    /// The server of `DATABASE_URL`, or a new one.
    pub fn find_or_start() -> Result<Server, String> {
        match env::var("DATABASE_URL") {
            Ok(url) if !url.is_empty() => Ok(Server {
                url,
                programs: find_programs().ok(),
                _cluster: None,
            }),
            _ => Server::start(),
        }
    }

    /// A new server, whatever `DATABASE_URL` says.
    pub fn start() -> Result<Server, String> {
        let programs = find_programs().map_err(|missing| missing.to_string())?;
        let cluster = Cluster::start(&programs)?;
        Ok(Server {
            url: cluster.url(),
            programs: Some(programs),
            _cluster: Some(cluster),
        })
    }

    /// The URL of the server's own database, to make others from.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The URL of another database on the server.
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

    /// Runs one of PostgreSQL's programs (`psql`, `pg_dump`) and gives its
    /// standard output.
    ///
    /// # Panics
    ///
    /// When it is not there or fails, with what it printed.
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

    /// One of PostgreSQL's programs, to be run.
    pub fn command(&self, program: &str) -> Command {
        match &self.programs {
            Some(dir) if dir.join(program).is_file() => Command::new(dir.join(program)),
            _ => Command::new(program),
        }
    }

    /// A name that no database of this server has yet.
    pub fn fresh_name(&self, purpose: &str) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        format!("threadline_{purpose}_{}_{number}", std::process::id())
    }
}

/// A new folder that only this call knows, below the system's temporary one.
pub fn scratch_dir() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let dir = env::temp_dir().join(format!(
        "threadline-scratch-{}-{number}",
        std::process::id()
    ));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    dir
}
