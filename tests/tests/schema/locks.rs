//! A migration of the schema along with sessions that hold locks: it waits, and never makes
//! one of them fail.

use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use threadline_tests::{Database, NEWEST, NEXT, assert_value, rows, run, schema_migration, value};

const TABLES: &str = "
    CREATE TABLE members (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, email text);
    CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, note text);
    SELECT threadline.audit('members', hash => ARRAY['email']), threadline.audit('orders');
";

const WRITE: &str = "
    INSERT INTO orders (note) VALUES ('a');
    INSERT INTO members (name, email) VALUES ('Ada', 'ada@x');
    UPDATE members SET name = 'Grace';
";

/// The server checks for deadlocks often here, so that waiting takes no time.
fn database() -> Database {
    let database = Database::empty();
    let conn = &mut database.connect();
    let name = value(conn, "SELECT current_database()").unwrap();
    run(
        conn,
        &format!("ALTER DATABASE {name} SET deadlock_timeout = '150ms'"),
    );
    let conn = &mut database.connect();
    run(conn, &schema_migration(0, NEWEST).up);
    run(conn, TABLES);
    database
}

fn migrate(database: &Database, sql: &str) -> QueryResult<()> {
    database.connect().batch_execute(&format!(
        "SET application_name = 'the migration'; BEGIN; {sql} COMMIT"
    ))
}

/// Waits until the migration waits for another session.
fn meet(conn: &mut PgConnection) {
    let patience = Instant::now() + Duration::from_secs(60);
    while value(
        conn,
        "SELECT count(*) FROM pg_stat_activity
         WHERE application_name = 'the migration' AND wait_event IN ('relation', 'PgSleep')",
    ) == Some("0".to_owned())
    {
        assert!(Instant::now() < patience, "the migration waits for nobody");
    }
}

/// Returns the relations of the schema and the audited tables: each of them is locked by
/// a session that writes and reads all of them later.
fn held(conn: &mut PgConnection) -> Vec<String> {
    rows(
        conn,
        "SELECT c.oid::regclass FROM pg_class AS c
         WHERE c.relkind IN ('r', 'p', 'v') AND c.relnamespace IN ('threadline'::regnamespace, 'public'::regnamespace)
         ORDER BY c.oid",
    )
}

#[test]
fn no_write_and_no_reader_fails_beside_a_migration_whatever_they_hold() {
    let (database, session) = &mut database().connected();
    let watcher = &mut database.connect();
    let up = schema_migration(NEWEST, NEXT).up;
    let down = schema_migration(NEWEST, NEXT).down;
    let relations = held(watcher);
    assert!(relations.len() > 10);
    for (turn, relation) in relations.iter().enumerate() {
        run(session, "BEGIN");
        run(session, &format!("SELECT FROM {relation} LIMIT 0"));
        thread::scope(|scope| {
            let migration = if turn % 2 == 0 { &up } else { &down };
            let migrated = scope.spawn(|| migrate(database, migration));
            if relation.starts_with("threadline") {
                meet(watcher);
            }
            for statement in [WRITE, "SELECT FROM threadline.changes LIMIT 5", "COMMIT"] {
                if let Err(error) = session.batch_execute(statement) {
                    panic!("{statement} of a session that held {relation}: {error}");
                }
            }
            migrated
                .join()
                .unwrap()
                .unwrap_or_else(|error| panic!("{relation} was held: {error}"));
        });
    }
}

#[test]
fn no_write_fails_while_the_schema_is_removed() {
    let (database, session) = &mut database().connected();
    let watcher = &mut database.connect();
    run(session, "BEGIN");
    run(session, "INSERT INTO orders (note) VALUES ('a')");
    thread::scope(|scope| {
        let removed = scope.spawn(|| migrate(database, &schema_migration(0, NEWEST).down));
        meet(watcher);
        run(session, WRITE);
        run(session, "COMMIT");
        removed.join().unwrap().unwrap();
    });
    run(session, WRITE);
    assert_eq!(value(session, "SELECT to_regnamespace('threadline')"), None);
}

#[test]
fn a_migration_that_waited_in_vain_says_for_whom_and_has_changed_nothing() {
    let (database, reader) = &mut database().connected();
    let conn = &mut database.connect();
    run(
        reader,
        "SET application_name = 'the report'; BEGIN; SELECT FROM threadline.changes LIMIT 0",
    );
    let error = migrate(
        database,
        &format!(
            "SET LOCAL lock_timeout = '700ms'; {}",
            schema_migration(NEWEST, NEXT).up
        ),
    )
    .unwrap_err()
    .to_string();
    let pid = value(reader, "SELECT pg_backend_pid()").unwrap();
    assert!(
        error.starts_with(
            "threadline: the migration waited 700ms for locks that other sessions have (process "
        ) && error.contains(&format!("{pid} of 'the report'"))
            && error.ends_with("), and nothing is changed; run it again when they have ended, or with a longer lock_timeout"),
        "{error}"
    );
    run(conn, WRITE);
    assert_value(
        conn,
        "SELECT max(version) FROM threadline.schema_versions",
        "1",
    );
    run(reader, "COMMIT");
    migrate(database, &schema_migration(NEWEST, NEXT).up).unwrap();
}
