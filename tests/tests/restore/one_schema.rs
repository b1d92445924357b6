//! Only one schema of a dump.

use diesel::connection::SimpleConnection;
use threadline_tests::{
    Database, NEWEST, assert_contains, assert_rows, assert_value, run, schema_migration,
};

use super::club::{Club, POLICIES, RESTORED, SOUND, found, refresh_all, restore};

#[test]
fn the_applications_schema_alone_is_not_audited_until_somebody_says_so() {
    let club = Club::shared();
    let restored = Database::empty();
    let dump = club.dump(&["--format=custom", "--schema=public"]);
    let error = restore(&restored, &dump, &["--clean", "--if-exists"]).unwrap_err();
    let errors: Vec<_> = error
        .lines()
        .filter(|line| line.starts_with("pg_restore: error:"))
        .collect();
    assert!(!errors.is_empty());
    for line in errors {
        assert_contains(line, "schema \"threadline\" does not exist");
    }
    let conn = &mut restored.connect();
    assert_value(conn, "SELECT count(*) FROM redacted", "4");
    assert_rows(
        conn,
        "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal",
        [],
    );
    run(
        conn,
        &format!("BEGIN; {} COMMIT", schema_migration(0, NEWEST).up),
    );
    run(conn, POLICIES);
    run(conn, "UPDATE redacted SET email = 'secret'");
    assert_value(conn, "SELECT count(*) FROM threadline.changes", "4");
    assert_eq!(found(conn), SOUND);
}

#[test]
fn the_audits_schema_alone_is_readable_anywhere() {
    let club = Club::shared();
    let restored = Database::empty();
    let dump = club.dump(&["--format=custom", "--schema=threadline"]);
    restore(&restored, &dump, &[]).unwrap();
    let conn = &mut restored.connect();
    club.before.is_readable(conn);
    threadline::post(conn).unwrap();
    club.before.is_readable(conn);
    let gone = ["chosen", "parts", "people", "plain", "redacted"]
        .map(|table| format!("table-dropped public.{table}"));
    assert_eq!(found(conn), gone);
}

/// The audit first: then the triggers find their functions.
#[test]
fn the_audit_and_then_the_application_are_the_whole() {
    let club = Club::shared();
    let (restored, conn) = &mut Database::empty().connected();
    let dump = club.dump(&["--format=custom"]);
    // pg_restore creates the objects in a schema, but not the schema.
    run(conn, "CREATE SCHEMA threadline");
    restore(restored, &dump, &["--schema=threadline"]).unwrap();
    restore(restored, &dump, &["--schema=public"]).unwrap();
    assert_eq!(found(conn), RESTORED);
    refresh_all(conn);
    assert_eq!(found(conn), SOUND);
    club.before.goes_on(conn);
}

/// In the other order, the tables are audited by their names, and the gap is reported.
#[test]
fn the_application_and_then_the_audit_leave_a_gap_that_is_reported() {
    let club = Club::shared();
    let (restored, conn) = &mut Database::empty().connected();
    let dump = club.dump(&["--format=custom"]);
    restore(restored, &dump, &["--schema=public"]).unwrap_err();
    run(conn, "CREATE SCHEMA threadline");
    restore(restored, &dump, &["--schema=threadline"]).unwrap();
    let with = |code: &str| {
        ["chosen", "parts", "people", "plain", "redacted"]
            .map(|table| format!("{code} public.{table}"))
    };
    assert_eq!(found(conn), with("table-recreated"));
    refresh_all(conn);
    assert_eq!(found(conn), with("audit-interrupted"));
    club.before.is_readable(conn);
    // The state in the gap is unknown.
    let error = conn
        .batch_execute("SELECT threadline.rows_as_of('plain', now() - interval '1 hour')")
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("threadline: table public.plain is audited since "),
        "{error}"
    );
    run(
        conn,
        "UPDATE redacted SET name = 'recorded', email = 'secret'",
    );
    let recorded =
        "SELECT count(*) FROM threadline.changes WHERE changed_to ->> 'name' = 'recorded'";
    assert_value(conn, recorded, "4");
    assert_eq!(found(conn), with("audit-interrupted"));
}
