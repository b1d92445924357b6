//! From one version of the audit schema to the next and back, while the application
//! writes.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use threadline_tests::{Database, NEWEST, NEXT, assert_rows, rows, run, schema_migration, value};

use super::versions::schema_dump;

const TABLES: &str = "
    CREATE TABLE plain (id bigint PRIMARY KEY, n int NOT NULL);
    CREATE TABLE redacted (id bigint PRIMARY KEY, name text, email text, ssn text, password text);
    CREATE TABLE parts (id bigint, region text, n int, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
    CREATE TABLE parts_north PARTITION OF parts FOR VALUES IN ('north');
    CREATE TABLE parts_south PARTITION OF parts FOR VALUES IN ('south');
    SELECT threadline.audit('plain'), threadline.audit('parts'),
           threadline.audit('redacted', mask => ARRAY['email'], exclude => ARRAY['password'], hash => ARRAY['ssn']);
    CREATE SEQUENCE ids;
";

const WRITE: &str = "
    WITH i AS (SELECT nextval('ids') AS id), p AS (INSERT INTO plain SELECT id, 0 FROM i), r AS (
        INSERT INTO redacted SELECT id, 'name', 'secret@x', 'secret', 'secret' FROM i)
    INSERT INTO parts SELECT id, CASE WHEN id % 2 = 0 THEN 'north' ELSE 'south' END, 0 FROM i;
    UPDATE plain SET n = n + 1 WHERE id = currval('ids');
    UPDATE redacted SET name = 'changed', ssn = 'secret 2' WHERE id = currval('ids');
";

/// Entries that one run of `WRITE` leaves.
const PER_WRITE: i64 = 5;

fn up(conn: &mut PgConnection, from: i32, to: i32) {
    run(
        conn,
        &format!("BEGIN; {} COMMIT", schema_migration(from, to).up),
    );
}

fn down(conn: &mut PgConnection, from: i32, to: i32) {
    run(
        conn,
        &format!("BEGIN; {} COMMIT", schema_migration(from, to).down),
    );
}

/// Ends the writers also if an assertion fails.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Returns the dump without OIDs, which capture functions contain.
fn comparable(database: &Database) -> String {
    let dump = schema_dump(database);
    let mut text = String::new();
    let mut digits = String::new();
    for c in dump.chars().chain(['\n']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        text.push_str(if digits.len() >= 5 { "OID" } else { &digits });
        digits.clear();
        text.push(c);
    }
    text
}

fn count(conn: &mut PgConnection, query: &str) -> i64 {
    value(conn, query).unwrap().parse().unwrap()
}

/// Creates a database with the audit schema of a version.
fn at_version(version: i32) -> (Database, PgConnection) {
    let database = Database::empty();
    let mut conn = database.connect();
    up(&mut conn, 0, version);
    (database, conn)
}

#[test]
fn an_upgrade_loses_no_write_of_a_running_application_and_the_dumps_agree() {
    let (database, conn) = &mut at_version(NEWEST);
    run(conn, TABLES);
    for _ in 0..20 {
        run(conn, WRITE);
    }
    run(conn, "SELECT threadline.post()");
    run(conn, WRITE);
    let dump_of_first = schema_dump(database);

    let written = AtomicI64::new(21);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let conn = &mut database.connect();
            while !done.load(Ordering::Relaxed) {
                run(conn, WRITE);
                written.fetch_add(1, Ordering::Relaxed);
            }
        });
        // The first write of a connection waits for the upgrade before its capture function
        // has looked up all that it calls.
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                run(&mut database.connect(), WRITE);
                written.fetch_add(1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(20));
            }
        });
        scope.spawn(|| {
            let conn = &mut database.connect();
            while !done.load(Ordering::Relaxed) {
                rows(
                    conn,
                    "SELECT id FROM threadline.changes ORDER BY transaction_id DESC LIMIT 5",
                );
            }
        });
        let end = AtEnd(&done);
        let conn = &mut database.connect();
        let wait = |more: i64| {
            let goal = written.load(Ordering::Relaxed) + more;
            let patience = Instant::now() + Duration::from_secs(60);
            while written.load(Ordering::Relaxed) < goal {
                assert!(Instant::now() < patience, "no writer goes on");
                thread::sleep(Duration::from_millis(5));
            }
        };
        wait(20);
        up(conn, NEWEST, NEXT);
        wait(20);
        drop(end);
    });

    let conn = &mut database.connect();
    let changes = "SELECT count(*) FROM threadline.audit_changes";
    let expected = written.load(Ordering::Relaxed) * PER_WRITE;
    assert_eq!(count(conn, changes), expected);
    while count(conn, "SELECT threadline.post()") > 0 {}
    assert_eq!(count(conn, changes), expected);
    assert_eq!(count(conn, "SELECT count(*) FROM threadline.unposted"), 0);
    assert_rows(
        conn,
        "SELECT code, relation, message FROM threadline.table_drift()",
        [],
    );
    assert_eq!(
        rows(
            conn,
            "SELECT DISTINCT op, row_data ->> 'email', row_data ? 'password', row_data ->> 'ssn' LIKE 'hmac%' OR op <> 'insert'
             FROM threadline.changes WHERE table_name = 'redacted' ORDER BY op"
        )
        .len(),
        2
    );
    assert!(
        !database
            .contents()
            .split("redacted\n")
            .next()
            .unwrap()
            .contains("secret@x")
    );

    // And back, with waiting entries, and up again.
    let dump_of_newest = schema_dump(database);
    run(conn, WRITE);
    down(conn, NEWEST, NEXT);
    assert_eq!(schema_dump(database), dump_of_first);
    assert_eq!(count(conn, changes), expected + PER_WRITE);
    run(conn, WRITE);
    up(conn, NEWEST, NEXT);
    assert_eq!(schema_dump(database), dump_of_newest);
    while count(conn, "SELECT threadline.post()") > 0 {}
    assert_eq!(count(conn, changes), expected + 2 * PER_WRITE);
}

/// A write that waited for the upgrade continues with the capture function of the version
/// before.
#[test]
fn capture_functions_of_a_dump_of_the_version_before_run_after_an_upgrade() {
    let (database, conn) = &mut at_version(NEWEST);
    run(conn, TABLES);
    let former = value(
        conn,
        "SELECT string_agg(pg_get_functiondef(p.oid), ';') FROM pg_proc AS p WHERE p.proname ~ '^capture_[0-9]+$'",
    )
    .unwrap();
    up(conn, NEWEST, NEXT);
    let restored = database.restored();
    for (database, drift) in [(&*database, false), (&restored, true)] {
        let conn = &mut database.connect();
        run(conn, &former);
        if drift {
            run(
                conn,
                "ALTER TABLE plain ADD more text; ALTER TABLE redacted ADD more text",
            );
        }
        run(conn, WRITE);
        run(
            conn,
            &format!("BEGIN ISOLATION LEVEL REPEATABLE READ; {WRITE} COMMIT; TRUNCATE redacted"),
        );
        assert_eq!(
            count(conn, "SELECT count(*) FROM threadline.audit_changes"),
            2 * PER_WRITE + 2
        );
    }
}

#[test]
fn an_upgraded_schema_is_dumped_as_a_fresh_one() {
    let (upgraded, conn) = &mut at_version(NEWEST);
    run(conn, TABLES);
    up(conn, NEWEST, NEXT);
    let (fresh, conn) = &mut at_version(NEXT);
    run(conn, TABLES);
    assert_eq!(comparable(upgraded), comparable(fresh));
    // The script of the installer, which leads to its version from any before.
    let (installed, conn) = &mut at_version(NEWEST);
    run(conn, TABLES);
    up(conn, 0, NEXT);
    assert_eq!(comparable(installed), comparable(fresh));
}

#[test]
fn journal_entries_are_posted_after_an_upgrade() {
    let (_, conn) = &mut at_version(NEWEST);
    run(conn, TABLES);
    run(conn, "SET application_name = 'the application'");
    run(conn, WRITE);
    up(conn, NEWEST, NEXT);
    run(conn, WRITE);
    let names = "SELECT table_name, op, application_name FROM threadline.changes ORDER BY id";
    let before = rows(conn, names);
    assert_eq!(before.len(), 10);
    assert_eq!(before[9], "redacted | update | the application");
    assert_eq!(count(conn, "SELECT threadline.post()"), 10);
    assert_eq!(rows(conn, names), before);
    assert_eq!(count(conn, "SELECT count(*) FROM threadline.journal"), 0);
}

#[test]
fn a_view_of_the_user_is_named_and_not_dropped() {
    let (_, conn) = &mut at_version(NEWEST);
    run(
        conn,
        "CREATE VIEW public.report AS SELECT op, count(*) FROM threadline.changes GROUP BY op",
    );
    for migration in [
        schema_migration(NEWEST, NEXT).up,
        schema_migration(0, NEWEST).down,
    ] {
        let error = conn.batch_execute(&migration).unwrap_err().to_string();
        assert_eq!(
            error,
            "threadline: another version of the audit schema replaces its views and functions, and view report uses view threadline.changes; drop it before this migration and create it again after it"
        );
    }
    run(conn, "DROP VIEW report");
    up(conn, NEWEST, NEXT);
}

#[test]
fn privileges_on_the_views_survive_an_upgrade() {
    let (_, conn) = &mut at_version(NEWEST);
    run(
        conn,
        "GRANT SELECT ON threadline.changes TO PUBLIC; GRANT SELECT ON threadline.actions TO pg_monitor",
    );
    up(conn, NEWEST, NEXT);
    assert_rows(
        conn,
        "SELECT c.relname, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
         FROM pg_class AS c CROSS JOIN LATERAL aclexplode(c.relacl) AS a
         WHERE c.relkind = 'v' AND a.grantee <> c.relowner AND c.relnamespace = 'threadline'::regnamespace ORDER BY 1",
        ["actions | pg_monitor", "changes | PUBLIC"],
    );
}

/// A restore gives tables other OIDs, and their capture continues with the old ones.
#[test]
fn a_dumped_and_restored_database_is_upgraded_as_it_is() {
    let (database, conn) = &mut at_version(NEWEST);
    run(conn, TABLES);
    run(conn, WRITE);
    let (restored, conn) = &mut Database::empty().connected();
    run(conn, "CREATE TABLE shift (id int); DROP TABLE shift");
    let file = threadline_tests::scratch_dir().join("dump");
    let file = file.to_str().unwrap();
    let server = database.server();
    server.run(
        "pg_dump",
        &[
            "--dbname",
            &database.url(),
            "--format=custom",
            "--file",
            file,
        ],
    );
    server.run("pg_restore", &["--dbname", &restored.url(), file]);
    up(conn, NEWEST, NEXT);
    run(conn, WRITE);
    assert_eq!(
        count(conn, "SELECT count(*) FROM threadline.audit_changes"),
        2 * PER_WRITE
    );
    assert!(
        !restored
            .contents()
            .split("journal\n")
            .nth(1)
            .unwrap()
            .split("\nthreadline.")
            .next()
            .unwrap()
            .contains("secret")
    );
    assert_rows(
        conn,
        "SELECT DISTINCT code FROM threadline.table_drift()",
        ["table-restored"],
    );
}

#[test]
fn an_upgrade_without_the_version_before_says_what_is_missing() {
    let (_, conn) = &mut Database::empty().connected();
    let error = conn
        .batch_execute(&schema_migration(NEWEST, NEXT).up)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "threadline: this migration starts from version 1 of the audit schema, and the database has none; run the migration before it first"
    );
}

#[test]
fn actions_stay_when_the_schema_goes_back_and_up_again() {
    let (_, conn) = &mut at_version(NEWEST);
    let record = |name: &str| {
        format!("SELECT threadline.record_action('{name}', 'user', '1', request_id => 'r-1')")
    };
    run(conn, &record("session.opened"));
    up(conn, NEWEST, NEXT);
    run(conn, &record("session.closed"));
    let actions = "SELECT name, actor_id, request_id, transaction_id IS NULL FROM threadline.audit_actions ORDER BY id";
    let both = [
        "session.opened | 1 | r-1 | false",
        "session.closed | 1 | r-1 | false",
    ];
    assert_eq!(rows(conn, actions), both);
    down(conn, NEWEST, NEXT);
    assert_eq!(rows(conn, actions), both);
    run(conn, &record("session.opened"));
    up(conn, NEWEST, NEXT);
    assert_eq!(rows(conn, actions).len(), 3);
    run(conn, &record("session.closed"));
    assert_eq!(rows(conn, actions).len(), 4);
}
