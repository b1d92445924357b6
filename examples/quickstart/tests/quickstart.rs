//! The example matches the README.

#[path = "quickstart/erasing.rs"]
mod erasing;
#[path = "quickstart/guides.rs"]
mod guides;
#[path = "quickstart/keeping.rs"]
mod keeping;
#[path = "quickstart/pasting.rs"]
mod pasting;
#[path = "quickstart/protecting.rs"]
mod protecting;
#[path = "quickstart/reading.rs"]
mod reading;
#[path = "quickstart/recorded.rs"]
mod recorded;
#[path = "quickstart/status.rs"]
mod status;
#[path = "quickstart/verifying.rs"]
mod verifying;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use threadline_test_server::diesel_cli::diesel_cli;
use threadline_tests::{
    Database, NEWEST, assert_contains, assert_contains_all, assert_rows, assert_value, run,
    scratch_dir, value,
};

const HERE: &str = env!("CARGO_MANIFEST_DIR");

fn program(path: &str, database: &Database, arguments: &[&str]) -> Output {
    Command::new(path)
        .args(arguments)
        .current_dir(HERE)
        .env("DATABASE_URL", database.url())
        .env_remove("MIGRATION_DIRECTORY")
        .output()
        .unwrap()
}

fn quickstart(database: &Database) -> String {
    let output = program(env!("CARGO_BIN_EXE_quickstart"), database, &[]);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Returns a database in which the program has run.
fn after_quickstart() -> Database {
    let database = Database::empty();
    quickstart(&database);
    database
}

fn audit(database: &Database, arguments: &[&str]) -> (bool, String, String) {
    let output = program(env!("CARGO_BIN_EXE_audit"), database, arguments);
    (
        output.status.success(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

/// Runs a command that must succeed, and returns its output.
#[track_caller]
fn done(database: &Database, arguments: &[&str]) -> String {
    let (success, shown, error) = audit(database, arguments);
    assert!(success, "{error}");
    shown
}

#[test]
fn it_prints_a_history_by_several_actors_and_a_dump_has_no_secrets() {
    let database = Database::empty();
    let printed = quickstart(&database);
    assert_contains_all(
        &printed,
        &[
            "insert of members 1 by anonymous",
            "update of members 1 by user:1",
            "update of members 1 by admin:grace",
            "delete of members 1 by user:1",
            "name  Ada Byron -> Ada Lovelace",
            "email  *** -> ***",
            "insert of payments 1 by service_account:bank-import",
            "Refused: threadline: table public.payments takes no write without an actor",
            "after update   Ada Lovelace (treasurer)",
            "member.role_changed by admin:grace: elected on 1 November",
        ],
    );
    let dump = database.dump();
    assert!(dump.contains("Ada Byron"), "the history is not in the dump");
    for secret in [
        "s3cr3t",
        "argon2",
        "ada@example.com",
        "countess@example.com",
    ] {
        assert!(!dump.contains(secret), "{secret} is in the dump");
        assert!(!printed.contains(secret), "{secret} is printed");
    }
    // The refused payment left nothing.
    let conn = &mut database.connect();
    assert_rows(
        conn,
        "SELECT op, row_data ->> 'purpose' FROM threadline.changes WHERE table_name = 'payments' ORDER BY id",
        ["insert | fee 2026", "delete | fee 2026"],
    );
    // A second run is a second day.
    assert!(quickstart(&database).contains("insert of members 2 by anonymous"));
}

#[test]
fn its_migrations_are_those_of_its_models() {
    let database = Database::empty();
    let (current, said, _) = audit(&database, &["check"]);
    assert!(current);
    assert_eq!(said, "migrations is up to date.\n");
    let (_, said, _) = audit(&database, &["check", "--json"]);
    assert_contains(&said, "\"up_to_date\": true");
    let (_, said, _) = audit(&database, &["--version"]);
    assert_eq!(said, format!("threadline {}\n", env!("CARGO_PKG_VERSION")));
    let (_, said, _) = audit(&database, &["generate"]);
    assert_eq!(said, "Nothing to write: migrations is up to date.\n");
}

#[test]
fn six_processes_start_at_once_on_an_empty_database() {
    let database = Database::empty();
    let starting: Vec<_> = (0..6)
        .map(|_| {
            Command::new(env!("CARGO_BIN_EXE_quickstart"))
                .arg("migrate")
                .current_dir(HERE)
                .env("DATABASE_URL", database.url())
                .stdout(Stdio::null())
                .stderr(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for started in starting {
        let ended = started.wait_with_output().unwrap();
        let error = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{error}");
    }
    let (current, said, _) = audit(&database, &["status"]);
    assert!(current, "{said}");
}

#[test]
fn its_audit_program_installs_and_shows_what_is_in_force() {
    let database = Database::empty();
    let (current, said, _) = audit(&database, &["status"]);
    assert!(!current);
    assert_eq!(
        said,
        format!(
            "audit schema   not installed (this crate: version {NEWEST})\n\
             \"members\"    not audited; generate and run migrations\n\
             \"payments\"   not audited; generate and run migrations\n"
        )
    );
    let (installed, _, error) = audit(&database, &["install"]);
    assert!(!installed);
    assert!(
        error.starts_with("error: model `Member` audits table \"members\", which does not exist"),
        "{error}"
    );

    let tables = std::fs::read_to_string(
        Path::new(HERE).join("migrations/2026-11-01-090000-0000_create_members/up.sql"),
    );
    run(&mut database.connect(), &tables.unwrap());
    let (installed, said, error) = audit(&database, &["install"]);
    assert!(installed, "{error}");
    assert_eq!(said, "The audit schema and 2 models are in force.\n");
    let (current, said, _) = audit(&database, &["status"]);
    assert!(current);
    let owner = value(&mut database.connect(), "current_user").unwrap();
    assert_eq!(
        said,
        format!(
            "audit schema   version {NEWEST}\nits owner      {owner}\njournal        0 entries wait\n\"members\"    audited\n\"payments\"   audited\n"
        )
    );
}

#[test]
fn its_audit_program_answers() {
    let database = Database::empty();
    quickstart(&database);
    let answer = |arguments: &[&str]| {
        let (found, said, error) = audit(&database, arguments);
        assert!(found, "{arguments:?}: {error}");
        said
    };
    let history = answer(&["history", "members", "1"]);
    assert_contains(&history, "delete of members 1 by user:1");
    assert_contains(&history, "name  Ada Byron -> Ada Lovelace");
    let (found, _, error) = audit(&database, &["history", "public.members", "99"]);
    assert!(!found);
    assert!(
        error.starts_with("error: nothing is on record of public.members 99: no row with this key was written since the audit of the table began, 2"),
        "{error}"
    );

    let grace = answer(&["actor", "admin:grace"]);
    assert_contains(&grace, " by admin:grace\n    public.members: 1 row\n");
    let (_, first, more) = audit(&database, &["actor", "admin:grace", "--limit", "1"]);
    let cursor = more.trim().strip_prefix("There is more: --after ");
    let (_, second, more) = audit(
        &database,
        &[
            "actor",
            "admin:grace",
            "--limit",
            "1",
            "--after",
            cursor.expect(&more),
        ],
    );
    assert_ne!(first, second);
    assert_eq!(more, "");

    let whole = answer(&["transaction", "1"]);
    assert_contains(&whole, "transaction 1 by anonymous\n");
    assert_contains(&whole, "insert of members 1 by anonymous");
    let (found, _, error) = audit(&database, &["transaction", "4711"]);
    assert!(!found);
    assert_eq!(error, "error: there is no transaction 4711 on record\n");
    let (found, _, error) = audit(&database, &["actor", "robot:1"]);
    assert!(!found);
    assert_contains(
        &error,
        "`robot` is not an actor type; the types are user, admin",
    );
}

#[test]
fn its_audit_program_names_what_is_missing() {
    let database = Database::empty();
    let empty = scratch_dir();
    let dir = empty.display().to_string();
    let (current, _, error) = audit(&database, &["check", "--migration-dir", &dir]);
    assert!(!current);
    assert_contains(
        &error,
        &format!("the audit migrations are behind the models:\n  threadline_schema_v{NEWEST}\n"),
    );
    assert_contains(&error, "`generate` command");

    let (written, said, _) = audit(&database, &["generate", "--migration-dir", &dir]);
    assert!(written);
    assert_contains(&said, "_threadline_audit_members\n");
    assert!(
        said.ends_with("Review them, then run `diesel migration run`.\n"),
        "{said}"
    );

    // The folder from Diesel's own configuration.
    let elsewhere = scratch_dir();
    std::fs::create_dir_all(elsewhere.join("src/db/steps")).unwrap();
    std::fs::write(
        elsewhere.join("diesel.toml"),
        "[migrations_directory]\ndir = \"src/db/steps\"\n",
    )
    .unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_audit"))
        .arg("generate")
        .current_dir(elsewhere.join("src"))
        .env_remove("MIGRATION_DIRECTORY")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(
        std::fs::read_dir(elsewhere.join("src/db/steps"))
            .unwrap()
            .count()
            > 2
    );

    let (_, _, error) = audit(
        &database,
        &["status", "--database-url", "postgres://localhost:1/none"],
    );
    assert!(
        error.starts_with("error: cannot connect to the database: "),
        "{error}"
    );
    let (_, _, error) = audit(&database, &["generate", "--migration-dir", "nowhere"]);
    assert!(
        error.starts_with("error: nowhere is not a folder; create it with `diesel setup`"),
        "{error}"
    );
}

/// In a copy, because the diesel program rewrites `schema.rs`.
#[test]
fn the_diesel_program_works_on_its_database() {
    let dir = scratch_dir();
    copy(Path::new(HERE), &dir);
    let database = Database::empty();
    let diesel = |arguments: &str| -> String {
        let output = Command::new(diesel_cli())
            .args(arguments.split(' '))
            .current_dir(&dir)
            .env("DATABASE_URL", database.url())
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "diesel {arguments}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    diesel("migration run");
    quickstart(&database);
    diesel("migration redo");
    diesel("migration redo --all");
    quickstart(&database);
    let printed = diesel("print-schema");
    let schema = std::fs::read_to_string(Path::new(HERE).join("src/schema.rs")).unwrap();
    assert_eq!(printed.trim(), schema.trim());

    diesel("migration generate --diff-schema difference");
    let difference = std::fs::read_dir(dir.join("migrations"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.to_str().unwrap().ends_with("_difference"))
        .unwrap();
    for file in ["up.sql", "down.sql"] {
        let sql = std::fs::read_to_string(difference.join(file)).unwrap();
        let statements: Vec<_> = sql
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with("--"))
            .collect();
        assert_eq!(statements, [""; 0], "{file}");
    }
    std::fs::remove_dir_all(difference).unwrap();

    diesel("migration revert --all");
    let conn = &mut database.connect();
    assert_value(
        conn,
        "SELECT count(*) FROM pg_namespace WHERE nspname = 'threadline'",
        "0",
    );
    assert_eq!(value(conn, "SELECT to_regclass('members')"), None);
}

fn copy(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
}

/// Every line of Rust in the README is also in this example.
#[test]
fn the_readme_shows_this_code() {
    let readme = std::fs::read_to_string(Path::new(HERE).join("../../README.md")).unwrap();
    let sources: String = [
        "src/models.rs",
        "src/main.rs",
        "src/bin/audit.rs",
        "src/club.rs",
    ]
    .map(|file| std::fs::read_to_string(Path::new(HERE).join(file)).unwrap())
    .concat();
    let known: Vec<&str> = sources.lines().map(str::trim).collect();
    let mut shown = 0;
    for block in readme.split("```rust\n").skip(1) {
        for line in block
            .split("```")
            .next()
            .unwrap()
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
        {
            shown += 1;
            assert!(known.contains(&line), "the README shows `{line}`");
        }
    }
    assert!(shown > 10);
}
