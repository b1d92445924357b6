//! A file gets its name when it is complete; an incomplete one is marked as such.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use threadline::{ErrorKind, Export, ExportFormat, Filter};
use threadline_tests::{Database, assert_value, names_in, run, scratch_dir, value};

use super::readers::{is_document, jq_with};

const FORMATS: [ExportFormat; 3] = [ExportFormat::Csv, ExportFormat::Json, ExportFormat::Ndjson];

fn filled() -> (Database, diesel::PgConnection) {
    Database::with(
        "CREATE TABLE notes (id int PRIMARY KEY, body text); SELECT threadline.audit('notes');
         INSERT INTO notes SELECT i, repeat('text', 50) FROM generate_series(1, 2000) AS i",
    )
}

/// Creates a folder of this test's own.
fn folder(test: &str) -> PathBuf {
    let dir = scratch_dir().join(format!("export_{test}"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

/// A disk that is full after a number of bytes.
struct Full {
    out: Vec<u8>,
    room: usize,
}

impl Write for Full {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let room = self.room - self.out.len();
        if room == 0 {
            return Err(io::Error::other("no space left"));
        }
        self.out.write(&buffer[..buffer.len().min(room)])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_writer_that_fails_is_an_error_wherever_it_fails_and_what_was_written_shows_that_it_is_not_all()
{
    let (_, conn) = &mut filled();
    for format in FORMATS {
        let mut whole = vec![];
        Export::new(Filter::new())
            .write(conn, format, &mut whole)
            .unwrap();
        for room in [
            0,
            1,
            100,
            5_000,
            whole.len() / 2,
            whole.len() - 2,
            whole.len() - 1,
        ] {
            let mut out = Full { out: vec![], room };
            let error = Export::new(Filter::new())
                .write(conn, format, &mut out)
                .unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Export { .. }),
                "{error:?}"
            );
            assert_eq!(
                error.to_string(),
                "the export could not be written: no space left"
            );
            match format {
                // Everything except the line's end.
                ExportFormat::Json if room + 1 < whole.len() => assert!(!is_document(&out.out)),
                ExportFormat::Ndjson if room + 2 < whole.len() => {
                    let lines = String::from_utf8(out.out).unwrap();
                    assert!(
                        !lines
                            .lines()
                            .any(|line| line.contains(r#""end":true"#) && line.ends_with('}'))
                    );
                }
                _ => {}
            }
            assert_eq!(
                value(conn, "SELECT 1").as_deref(),
                Some("1"),
                "the connection is free"
            );
        }
    }
}

#[test]
fn a_json_cut_anywhere_does_not_parse() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE notes (id int PRIMARY KEY); SELECT threadline.audit('notes'); INSERT INTO notes VALUES (1)",
    );
    let mut whole = vec![];
    Export::new(Filter::new())
        .write(conn, ExportFormat::Json, &mut whole)
        .unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&whole).is_ok());
    let end = whole.iter().rposition(|byte| *byte == b'}').unwrap();
    for cut in 0..end {
        assert!(serde_json::from_slice::<serde_json::Value>(&whole[..cut]).is_err());
    }
}

#[test]
fn a_file_is_there_when_it_is_complete_and_is_alone() {
    let (_, conn) = &mut filled();
    let dir = folder("complete");
    for (format, name) in FORMATS.into_iter().zip(["a.csv", "a.json", "a.ndjson"]) {
        let path = dir.join(name);
        let exported = Export::new(Filter::new())
            .progress(|changes| {
                if changes < 2_000 {
                    assert!(!path.exists());
                    let partial = names_in(&dir).into_iter().find(|at| at.starts_with(name));
                    assert!(partial.unwrap().ends_with(".partial"));
                }
            })
            .write_file(conn, format, &path)
            .unwrap();
        assert_eq!(exported.changes, 2_000);
    }
    assert_eq!(names_in(&dir), ["a.csv", "a.json", "a.ndjson"]);
    assert!(is_document(&fs::read(dir.join("a.json")).unwrap()));
    let lines = fs::read(dir.join("a.ndjson")).unwrap();
    assert_eq!(jq_with(&["-s"], ".[-1].end", &lines), ["true"]);
}

#[test]
fn after_an_error_nothing_is_left_and_what_was_there_is_as_it_was() {
    let (database, conn) = &mut filled();
    let dir = folder("error");
    let old = dir.join("old.json");
    fs::write(&old, "older").unwrap();
    for path in [old.clone(), dir.join("new.json")] {
        // Cannot be queried.
        Export::new(Filter::new().table("nowhere"))
            .write_file(conn, ExportFormat::Json, &path)
            .unwrap_err();
        Export::new(Filter::new().record(1))
            .write_file(conn, ExportFormat::Csv, &path)
            .unwrap_err();
        // Fails in the middle: the server raises an error.
        let other = &mut database.connect();
        let pid = value(conn, "SELECT pg_backend_pid()").unwrap();
        let lost = &mut database.connect();
        let lost_pid = value(lost, "SELECT pg_backend_pid()").unwrap();
        assert_ne!(pid, lost_pid);
        run(
            other,
            &format!("SELECT pg_terminate_backend({lost_pid}, 5000)"),
        );
        Export::new(Filter::new())
            .write_file(lost, ExportFormat::Ndjson, &path)
            .unwrap_err();
        assert_eq!(names_in(&dir), ["old.json"], "{}", path.display());
        assert_eq!(fs::read_to_string(&old).unwrap(), "older");
    }
    let exported = Export::new(Filter::new())
        .write_file(conn, ExportFormat::Json, &old)
        .unwrap();
    assert_eq!(exported.changes, 2_000);
    assert!(is_document(&fs::read(&old).unwrap()));
    assert_eq!(names_in(&dir), ["old.json"]);
}

#[test]
fn a_panic_leaves_nothing_either() {
    let (database, _) = filled();
    let dir = folder("panic");
    let path = dir.join("a.json");
    let panicked = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                let conn = &mut database.connect();
                let export = Export::new(Filter::new()).progress(|_| panic!("stop"));
                drop(export.write_file(conn, ExportFormat::Json, &path));
            })
            .join()
            .is_err()
    });
    assert!(panicked);
    assert!(names_in(&dir).is_empty());
}

#[test]
fn a_row_that_cannot_be_read_is_an_error_and_no_shorter_export() {
    let (_, conn) = &mut filled();
    // Fails when the reader is in the middle: a function of the query raises an error.
    run(
        conn,
        "CREATE OR REPLACE FUNCTION threadline.key_value(key_type text, value text) RETURNS jsonb LANGUAGE sql STABLE
         RETURN pg_catalog.to_jsonb(1 / (value::int - 1000))",
    );
    let dir = folder("middle");
    for format in FORMATS {
        let mut out = vec![];
        let error = Export::new(Filter::new())
            .write(conn, format, &mut out)
            .unwrap_err();
        assert_eq!(error.to_string(), "division by zero");
        assert!(!is_document(&out) || format != ExportFormat::Json);
        assert!(!String::from_utf8(out).unwrap().contains(r#""end":true"#));
        Export::new(Filter::new())
            .write_file(conn, format, dir.join("a"))
            .unwrap_err();
        assert!(names_in(&dir).is_empty());
        assert_value(conn, "SELECT 1", "1");
    }
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let (_, conn) = &mut filled();
    let dir = folder("place");
    let missing = dir.join("missing/a.csv");
    let error = Export::new(Filter::new())
        .write_file(conn, ExportFormat::Csv, &missing)
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io { .. }));
    assert!(
        error
            .to_string()
            .starts_with(&missing.display().to_string()),
        "{error}"
    );
    // A folder has the name.
    let taken = dir.join("taken");
    fs::create_dir(&taken).unwrap();
    let error = Export::new(Filter::new())
        .write_file(conn, ExportFormat::Csv, &taken)
        .unwrap_err();
    assert!(
        error.to_string().starts_with(&taken.display().to_string()),
        "{error}"
    );
    assert_eq!(names_in(&dir), ["taken"]);
}

#[test]
fn without_the_audit_schema_it_is_said_and_nothing_is_written() {
    let (_, conn) = &mut Database::empty().connected();
    let dir = folder("schema");
    let error = Export::new(Filter::new())
        .write_file(conn, ExportFormat::Json, dir.join("a.json"))
        .unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::SchemaMissing { installed: None }),
        "{error}"
    );
    assert!(names_in(&dir).is_empty());
}

#[test]
fn a_lost_connection_is_not_taken_for_a_missing_schema() {
    let (database, conn) = &mut filled();
    let pid = value(conn, "SELECT pg_backend_pid()").unwrap();
    run(
        &mut database.connect(),
        &format!("SELECT pg_terminate_backend({pid}, 5000)"),
    );
    let error = Export::new(Filter::new())
        .write(conn, ExportFormat::Json, io::sink())
        .unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Database(_)), "{error}");
}

/// The work of the process in `a_killed_process`.
#[test]
fn child_that_exports_for_ever() {
    let Ok(url) = std::env::var("THREADLINE_TEST_KILLED") else {
        return;
    };
    let path = std::env::var("THREADLINE_TEST_PATH").unwrap();
    let conn = &mut threadline_tests::connect(&url);
    let export = Export::new(Filter::new()).progress(|_| {
        loop {
            std::thread::park();
        }
    });
    drop(export.write_file(conn, ExportFormat::Ndjson, path));
}

#[test]
fn a_process_that_is_killed_leaves_no_file_that_looks_complete() {
    let (database, _) = filled();
    let dir = folder("killed");
    let path = dir.join("a.ndjson");
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "files::child_that_exports_for_ever"])
        .env("THREADLINE_TEST_KILLED", database.url())
        .env("THREADLINE_TEST_PATH", &path)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let partial = dir.join(format!("a.ndjson.{}-0.partial", child.id()));
    // Until it has written something; the runner limits the test's time.
    while !fs::metadata(&partial).is_ok_and(|file| file.len() > 0) {
        assert!(child.try_wait().unwrap().is_none(), "ended by itself");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(names_in(&dir).len(), 1);
    assert!(
        !fs::read_to_string(&partial)
            .unwrap()
            .contains(r#""end":true"#)
    );
    // The next one is not affected.
    let left = names_in(&dir);
    let exported = Export::new(Filter::new())
        .write_file(&mut database.connect(), ExportFormat::Ndjson, &path)
        .unwrap();
    assert_eq!(exported.changes, 2_000);
    assert_eq!(
        names_in(&dir),
        [&["a.ndjson".to_owned()][..], &left].concat()
    );
}

#[cfg(unix)]
#[test]
fn a_link_that_was_planted_is_not_followed() {
    let (_, conn) = &mut filled();
    let dir = folder("planted");
    let other = dir.join("other");
    fs::write(&other, "kept").unwrap();
    let path = dir.join("a.csv");
    let planted = [
        dir.join("a.csv.partial"),
        dir.join(format!("a.csv.{}-0.partial", std::process::id())),
        dir.join(format!("a.csv.{}-1.partial", std::process::id())),
        path.clone(),
    ];
    for name in &planted {
        std::os::unix::fs::symlink(&other, name).unwrap();
    }
    Export::new(Filter::new())
        .write_file(conn, ExportFormat::Csv, &path)
        .unwrap();
    assert_eq!(fs::read_to_string(&other).unwrap(), "kept");
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
    for name in &planted[..3] {
        assert!(fs::symlink_metadata(name).unwrap().is_symlink());
    }
}

#[test]
fn two_exports_to_one_path_do_not_mix() {
    let (database, mut conn) = filled();
    let dir = folder("twice");
    let path = dir.join("a.csv");
    let exported = Export::new(Filter::new())
        .progress(|changes| {
            if changes == 1_000 {
                // Another one begins and ends while this one is written.
                let shorter = Export::new(Filter::new()).limit(3).write_file(
                    &mut database.connect(),
                    ExportFormat::Csv,
                    &path,
                );
                assert_eq!(shorter.unwrap().changes, 3);
                assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 4);
            }
        })
        .write_file(&mut conn, ExportFormat::Csv, &path)
        .unwrap();
    assert_eq!(exported.changes, 2_000);
    assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 2_001);
    assert_eq!(names_in(&dir), ["a.csv"]);
}

#[cfg(unix)]
#[test]
fn only_its_owner_may_read_a_file_also_while_it_is_written() {
    use std::os::unix::fs::PermissionsExt;

    let (_, conn) = &mut filled();
    let dir = folder("mode");
    let path = dir.join("a.csv");
    // The mode of a file that is replaced does not count.
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    let mode = |name: &str| fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777;
    Export::new(Filter::new())
        .progress(|changes| {
            if changes == 1_000 {
                let partial = names_in(&dir).into_iter().find(|at| at != "a.csv");
                assert_eq!(mode(&partial.unwrap()), 0o600);
            }
        })
        .write_file(conn, ExportFormat::Csv, &path)
        .unwrap();
    assert_eq!(mode("a.csv"), 0o600);
}
