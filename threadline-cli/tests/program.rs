//! The program without an application.

#[path = "program/erasing.rs"]
mod erasing;
#[path = "program/example.rs"]
mod example;
#[path = "program/file.rs"]
mod file;
#[path = "program/help.rs"]
mod help;
#[path = "program/killed.rs"]
mod killed;
#[path = "program/missing.rs"]
mod missing;
#[path = "program/output.rs"]
mod output;
#[path = "program/pooler.rs"]
mod pooler;
#[path = "program/reverting.rs"]
mod reverting;
#[path = "program/terminal.rs"]
mod terminal;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use diesel::PgConnection;
use threadline_tests::{Database, run, scratch_dir};

/// The result of a run of the program.
struct Run {
    code: i32,
    out: String,
    error: String,
}

/// A folder with a file of tables, and a database that it is about.
struct Place {
    dir: PathBuf,
    database: Database,
}

impl Place {
    /// An empty database and no file.
    fn new() -> Self {
        Self {
            dir: scratch_dir(),
            database: Database::empty(),
        }
    }

    /// A table of members, audited, whose e-mail is personal.
    fn with_members() -> Self {
        let place = Self::new();
        run(
            &mut place.database.connect(),
            "CREATE TABLE members (id bigint PRIMARY KEY, email text)",
        );
        place.file("[tables.members]\npersonal = [\"email\"]\n");
        place.done(&["install"]);
        place.done(&["audit", "--yes"]);
        place
    }

    fn file(&self, text: &str) {
        std::fs::write(self.dir.join("threadline.toml"), text).unwrap();
    }

    /// Returns the place with a connection to its database.
    fn connected(self) -> (Self, PgConnection) {
        let conn = self.database.connect();
        (self, conn)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        command(&self.dir, Some(&self.database.url()), arguments)
    }

    /// Starts the program.
    fn spawned(&self, arguments: &[&str], output: fn() -> Stdio) -> Child {
        self.command(arguments)
            .stdout(output())
            .stderr(output())
            .spawn()
            .unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Run {
        let url = self.database.url();
        run_in(&self.dir, Some(&url), arguments)
    }

    /// Runs the program, which must succeed, and returns its output.
    #[track_caller]
    fn done(&self, arguments: &[&str]) -> String {
        let Run { code, out, error } = self.run(arguments);
        assert_eq!(code, 0, "{arguments:?}:\n{out}\n{error}");
        out
    }

    /// Runs the program, which must fail, and returns its error.
    #[track_caller]
    fn refused(&self, arguments: &[&str]) -> String {
        let Run { code, out, error } = self.run(arguments);
        assert_eq!(code, 1, "{arguments:?}:\n{out}\n{error}");
        error
    }
}

fn command(dir: &Path, url: Option<&str>, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_threadline"));
    command
        .args(arguments)
        .current_dir(dir)
        .env_remove("DATABASE_URL")
        .env_remove("MIGRATION_DIRECTORY")
        .env_remove("THREADLINE_TABLES");
    if let Some(url) = url {
        command.env("DATABASE_URL", url);
    }
    command
}

fn run_in(dir: &Path, url: Option<&str>, arguments: &[&str]) -> Run {
    let output = command(dir, url, arguments).output().unwrap();
    Run {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}
