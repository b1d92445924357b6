//! `audit status` as a health check.

use serde_json::Value;
use threadline_tests::{Database, assert_contains, run};

use super::{program, quickstart};

fn status(database: &Database, arguments: &[&str]) -> (Option<i32>, String) {
    let arguments: Vec<_> = ["status"].iter().chain(arguments).copied().collect();
    let output = program(env!("CARGO_BIN_EXE_audit"), database, &arguments);
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

fn json(database: &Database) -> (Option<i32>, Value) {
    let (code, shown) = status(database, &["--json"]);
    (code, serde_json::from_str(&shown).unwrap())
}

#[track_caller]
fn assert_shown(database: &Database, expected: i32, part: &str) {
    let (code, shown) = status(database, &[]);
    assert_eq!(code, Some(expected), "{shown}");
    assert_contains(&shown, part);
}

#[test]
fn its_exit_status_tells_healthy_from_unhealthy_and_from_unknown() {
    let database = Database::empty();
    let (code, found) = json(&database);
    assert_eq!(code, Some(1));
    assert_eq!(found["findings"][0]["code"], "schema-missing");

    quickstart(&database);
    let (code, found) = json(&database);
    assert_eq!(code, Some(0), "{found}");
    assert_eq!(found["healthy"], true);
    assert_eq!(found["models"][0]["table"], "public.members");
    assert_eq!(found["counters"]["audited_tables"], 2);

    let conn = &mut database.connect();
    run(conn, "ALTER TABLE payments ADD city text");
    assert_shown(
        &database,
        0,
        "\"payments\"   audited; it has new columns, which are recorded\n",
    );

    run(conn, "ALTER TABLE members DISABLE TRIGGER ALL");
    let (code, found) = json(&database);
    assert_eq!(code, Some(1));
    assert_eq!(found["findings"][0]["code"], "trigger-disabled");
    assert_eq!(found["findings"][0]["severity"], "error");
    assert_shown(
        &database,
        1,
        "\"members\"    its triggers are missing, switched off or altered; see `verify`\n",
    );

    // Tables without a model are reported, too.
    run(
        conn,
        "ALTER TABLE members ENABLE ALWAYS TRIGGER \"!threadline_capture_1\"; ALTER TABLE members ENABLE ALWAYS TRIGGER \"!threadline_truncate_1\";
         CREATE TABLE notes (id int PRIMARY KEY); SELECT threadline.audit('notes'); ALTER TABLE notes DISABLE TRIGGER ALL",
    );
    assert_shown(&database, 1, "error    trigger-disabled  public.notes: ");

    run(conn, "UPDATE threadline.schema_versions SET version = 0");
    assert_shown(
        &database,
        1,
        "\"members\"    unknown, as the audit schema is behind; generate and run migrations\n",
    );
}

#[test]
fn a_database_that_cannot_be_asked_is_unknown() {
    let database = Database::empty();
    let url = format!("{}_that_is_not_there", database.url());
    let (code, shown) = status(&database, &["--database-url", &url]);
    assert_eq!((code, shown.as_str()), (Some(2), ""));
}
