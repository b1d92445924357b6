//! The guide "Your first service": its files build, and the service responds as the guide
//! shows.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use threadline_tests::console::{Call, calls};
use threadline_tests::{Database, assert_contains, assert_rows, scratch_dir};

const GUIDE: &str = include_str!("../../threadline/src/docs/your_first_service.md");

/// Returns the files of the guide: a line with a path, and a block.
fn files() -> Vec<(&'static str, &'static str)> {
    let mut files = vec![];
    for (before, rest) in GUIDE
        .match_indices("`:\n\n```")
        .map(|(at, _)| GUIDE.split_at(at))
    {
        let path = before.rsplit('`').next().unwrap();
        let (_, block) = rest[6..].split_once('\n').unwrap();
        let text = &block[..block.find("```").unwrap()];
        files.push((path, text));
    }
    files
}

/// The project in a folder of its own. It builds into the target folder of the workspace, with
/// the versions of its lock file and the dependencies already built there.
struct Project {
    dir: PathBuf,
    target: PathBuf,
}

impl Project {
    fn written() -> Self {
        let dir = scratch_dir();
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        for (path, text) in files() {
            let file = dir.join(path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        }
        // Uses the crates of this repository, not the released ones.
        let mut manifest = std::fs::read_to_string(dir.join("Cargo.toml")).unwrap();
        manifest += "\n[patch.crates-io]\n";
        for package in [
            "threadline",
            "threadline-cli",
            "threadline-derive",
            "threadline-tower",
        ] {
            let path = workspace.join(package);
            manifest += &format!("{package} = {{ path = {path:?} }}\n");
        }
        std::fs::write(dir.join("Cargo.toml"), manifest).unwrap();
        std::fs::copy(workspace.join("Cargo.lock"), dir.join("Cargo.lock")).unwrap();
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
        Self {
            dir,
            target: target.to_owned(),
        }
    }

    fn build(&self) {
        let output = Command::new(env!("CARGO"))
            .args(["build", "--offline", "--quiet"])
            .current_dir(&self.dir)
            .env("CARGO_TARGET_DIR", &self.target)
            // As in the workspace, without debug information.
            .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
            .output()
            .unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{errors}");
    }

    /// Returns a program of the project, on a database.
    fn program(&self, name: &str, database: &Database) -> Command {
        let mut command = Command::new(self.target.join("debug").join(name));
        command
            .current_dir(&self.dir)
            .env("DATABASE_URL", database.url());
        command
    }

    fn audit(&self, database: &Database, arguments: &[&str]) -> String {
        let mut command = self.program("audit", database);
        let output = command.args(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap()
    }
}

/// The service while it runs.
struct Service {
    process: Child,
    address: String,
}

impl Service {
    fn start(project: &Project, database: &Database) -> Self {
        let mut process = project
            .program("library", database)
            .env("PORT", "0")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = process.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        let address = line.trim_end().strip_prefix("listening on http://");
        let address = address.expect("it says where it listens").to_owned();
        Self { process, address }
    }

    /// Returns the body of the answer.
    fn ask(&self, call: &Call) -> String {
        let token = call.token.as_deref();
        let token = token.map_or(String::new(), |token| {
            format!("authorization: Bearer {token}\r\n")
        });
        let request = format!(
            "{} {} HTTP/1.1\r\nhost: library\r\nconnection: close\r\ncontent-type: application/json\r\n{token}content-length: {}\r\n\r\n{}",
            call.method,
            call.path,
            call.body.len(),
            call.body
        );
        let mut socket = TcpStream::connect(&self.address).unwrap();
        socket.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer.split_once("\r\n\r\n").unwrap().1.to_owned()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn the_guides_files_are_a_service_that_answers_as_it_says() {
    let project = Project::written();
    let database = Database::empty();
    project.build();

    // Without the migrations of the audit, it does not start.
    let refused = project.program("library", &database).output().unwrap();
    let error = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success());
    assert_contains(&error, "schema-missing");

    project.audit(&database, &["generate"]);
    project.audit(&database, &["check"]);
    // The build script includes the new migrations in the program.
    project.build();
    let service = Service::start(&project, &database);
    for call in calls(GUIDE) {
        let answer = service.ask(&call);
        if !call.answer.starts_with(['{', '[']) {
            assert_eq!(answer, call.answer, "{call:?}");
            continue;
        }
        let answer: Value = serde_json::from_str(&answer).unwrap();
        call.assert_answered(answer);
    }
    let mut export = calls(GUIDE)[0].clone();
    export.method = "GET".to_owned();
    export.path = "/audit/export?table=loans".to_owned();
    export.body = String::new();
    assert_eq!(service.ask(&export).lines().count(), 3);

    let history = project.audit(&database, &["history", "loans", "1"]);
    assert_contains(&history, "by user:1");
    assert_contains(&history, "a page is missing");
    project.audit(&database, &["verify", "--deny-unaudited"]);
    let unattributed = "SELECT count(*) FROM threadline.changes WHERE actor_type IS NULL";
    assert_rows(&mut database.connect(), unattributed, ["0"]);
}
