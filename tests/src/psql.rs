//! A session of psql that repeats its statements until it is killed.

use std::io::Write;
use std::process::{Child, Stdio};
use std::thread;

use crate::Database;

/// A psql of its own that repeats statements. It is killed when it is dropped.
#[derive(Debug)]
pub struct RepeatingPsql(Child);

impl RepeatingPsql {
    /// Starts a psql whose sessions have this `application_name`. It ends at an error.
    pub fn start(database: &Database, application_name: &str, statements: &'static str) -> Self {
        let mut psql = database
            .server()
            .command("psql")
            .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"])
            .args(["--dbname", &database.url()])
            .env("PGAPPNAME", application_name)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("psql: {e}"));
        let mut stdin = psql.stdin.take().expect("piped");
        thread::spawn(move || while stdin.write_all(statements.as_bytes()).is_ok() {});
        Self(psql)
    }

    /// Returns whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.0.try_wait().expect("our own child").is_none()
    }

    /// Kills the process; the server may notice only when it next writes to it.
    pub fn kill(&mut self) {
        let _ = self.0.kill();
        self.0.wait().expect("our own child");
    }
}

impl Drop for RepeatingPsql {
    fn drop(&mut self) {
        self.kill();
    }
}
