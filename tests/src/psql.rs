//! A session of psql that repeats its statements until it is killed.

use std::io::{Read, Write};
use std::process::{Child, Stdio};
use std::thread::{self, JoinHandle};

use crate::Database;

/// A psql of its own that repeats statements. It is killed when it is dropped.
#[derive(Debug)]
pub struct RepeatingPsql {
    child: Child,
    /// What it says about its end.
    errors: Option<JoinHandle<String>>,
}

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
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| panic!("psql: {e}"));
        let mut stdin = psql.stdin.take().expect("piped");
        thread::spawn(move || while stdin.write_all(statements.as_bytes()).is_ok() {});
        let mut stderr = psql.stderr.take().expect("piped");
        let errors = thread::spawn(move || {
            let mut errors = String::new();
            let _ = stderr.read_to_string(&mut errors);
            errors
        });
        Self {
            child: psql,
            errors: Some(errors),
        }
    }

    /// Waits for a condition that its statements lead to. Panics with its errors if it ends
    /// before that.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, mut is_so: impl FnMut() -> bool) {
        let mut ended = false;
        crate::wait_until(what, || {
            let reached = is_so();
            // What it did last counts.
            if ended && !reached {
                let errors = self.errors.take().map(|errors| errors.join());
                panic!("psql ended before {what}: {errors:?}");
            }
            ended = !self.is_running();
            reached
        });
    }

    /// Returns whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("our own child").is_none()
    }

    /// Kills the process; the server may notice only when it next writes to it.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        self.child.wait().expect("our own child");
    }
}

impl Drop for RepeatingPsql {
    fn drop(&mut self) {
        self.kill();
    }
}
