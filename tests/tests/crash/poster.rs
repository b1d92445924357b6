use std::io::Write;
use std::process::{Child, Stdio};
use std::thread;

use threadline_tests::Database;

/// The loops of the posters. The second waits for a moment after it has moved entries, so
/// that it dies with a batch that is moved and not committed.
const TURNS: [&str; 2] = [
    "SELECT threadline.post();\nSELECT pg_sleep(0.01);\n",
    "BEGIN;\nSELECT threadline.post();\nSELECT pg_sleep(0.01);\nCOMMIT;\nSELECT pg_sleep(0.01);\n",
];

/// A psql that posts all the time: a process of its own, which can be killed.
#[derive(Debug)]
pub(crate) struct Poster {
    psql: Child,
    /// Its sessions' application_name.
    pub(crate) name: String,
}

impl Poster {
    pub(crate) fn start(database: &Database, number: usize) -> Self {
        let name = format!("poster {number}");
        let mut psql = database
            .server()
            .command("psql")
            .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1"])
            .args(["--dbname", &database.url()])
            .env("PGAPPNAME", &name)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|e| panic!("psql: {e}"));
        let mut stdin = psql.stdin.take().expect("piped");
        let turn = TURNS[number % TURNS.len()].as_bytes();
        thread::spawn(move || while stdin.write_all(turn).is_ok() {});
        Self { psql, name }
    }

    /// Starts one poster of each kind.
    pub(crate) fn start_all(database: &Database) -> Vec<Self> {
        (0..TURNS.len())
            .map(|number| Self::start(database, number))
            .collect()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.psql.try_wait().expect("our own child").is_none()
    }

    /// Kills the process; the server may notice only when it next writes to it.
    pub(crate) fn kill(&mut self) {
        self.psql.kill().expect("our own child");
        self.psql.wait().expect("our own child");
    }
}

impl Drop for Poster {
    fn drop(&mut self) {
        let _ = self.psql.kill();
        let _ = self.psql.wait();
    }
}
