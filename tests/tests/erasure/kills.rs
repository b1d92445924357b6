use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection};
use threadline::{erasures, resume_erasure};
use threadline_tests::{Database, run, value};

use crate::{audit_contents, count, findings, people_in};

const RECORDS: i64 = 300;

fn many(database: Database) -> (Database, PgConnection) {
    let (database, mut conn) = people_in(database);
    run(
        &mut conn,
        &format!(
            "INSERT INTO users VALUES (42, 'secret-0', NULL, 'free'), (43, 'bob@a', NULL, 'free');
             INSERT INTO addresses SELECT n, 42 + n % 2, CASE n % 2 WHEN 0 THEN 'secret-' ELSE 'bob-' END || n, 'Bern' FROM generate_series(1, {RECORDS}) AS n;
             DO $$ BEGIN FOR n IN 1..20 LOOP
                 UPDATE addresses SET street = CASE user_id WHEN 42 THEN 'secret-' ELSE 'bob-' END || n || '-' || id;
             END LOOP; END $$"
        ),
    );
    run(&mut conn, "SELECT threadline.post()");
    run(
        &mut conn,
        "SELECT threadline.begin_erasure('users', '42', 'request 31')",
    );
    (database, conn)
}

/// Asserts that all of a batch was done or nothing: its changes, and the progress of the
/// run.
fn check(conn: &mut PgConnection) {
    assert_eq!(
        count(
            conn,
            "SELECT count(*) FROM threadline.ledger_changes AS c WHERE concat(c.changed_from, c.changed_to, c.row_data) LIKE '%erased:%'"
        ),
        count(conn, "SELECT changes FROM threadline.erasures"),
    );
    assert_eq!(
        count(
            conn,
            "SELECT count(*) FROM threadline.ledger_changes AS c WHERE changed_from ->> 'street' ~ '^erased' <> (changed_to ->> 'street' ~ '^erased')"
        ),
        0
    );
}

fn finished(database: &Database, changes: i64, bob: i64) {
    let conn = &mut database.connect();
    for erased in erasures(conn).unwrap() {
        resume_erasure(conn, erased.id).unwrap();
    }
    assert_eq!(
        count(conn, "SELECT count(*) FROM threadline.ledger_changes"),
        changes
    );
    let left = audit_contents(database);
    assert!(!left.contains("secret-"));
    assert_eq!(left.matches("bob-").count() as i64, bob);
    assert!(findings(conn).is_empty());
}

fn counted(database: &Database) -> (i64, i64) {
    let conn = &mut database.connect();
    let changes = count(conn, "SELECT count(*) FROM threadline.ledger_changes");
    (
        changes,
        audit_contents(database).matches("bob-").count() as i64,
    )
}

/// Terminated sessions, at any point of a batch.
#[test]
fn an_erasure_that_is_terminated_anywhere_goes_on_where_it_was() {
    let (database, conn) = &mut many(Database::new());
    let (changes, bob) = counted(database);
    let done = AtomicBool::new(false);
    let mut terminated = 0;
    scope(|scope| {
        scope.spawn(|| {
            // A new session for each that was ended.
            while !done.load(Ordering::SeqCst) {
                let mut session = database.connect();
                let _ = session.batch_execute("SET application_name = 'eraser'");
                while !done.load(Ordering::SeqCst) {
                    match session.batch_execute("DO $$ BEGIN IF threadline.erase(1, 400) = 0 THEN RAISE 'done'; END IF; END $$") {
                        Ok(()) => {}
                        Err(error) if error.to_string().contains("done") => {
                            done.store(true, Ordering::SeqCst);
                        }
                        Err(_) => break,
                    }
                }
            }
        });
        while !done.load(Ordering::SeqCst) {
            sleep(Duration::from_millis(15 + terminated % 40));
            let ended = value(
                conn,
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'eraser' AND datname = current_database() AND state = 'active'",
            );
            terminated += u64::from(ended.as_deref() != Some("0"));
            check(conn);
            if terminated > 40 {
                break;
            }
        }
        done.store(true, Ordering::SeqCst);
    });
    assert!(terminated > 3, "{terminated} were terminated");
    finished(database, changes, bob);
}

/// kill -9 of the server in the middle of a batch.
#[test]
fn an_erasure_survives_a_killed_server() {
    let (mut database, _) = many(Database::durable());
    let (changes, bob) = counted(&database);
    for round in 0..3 {
        let url = database.url();
        scope(|scope| {
            let eraser = scope.spawn(move || {
                let mut session = PgConnection::establish(&url).unwrap();
                while session
                    .batch_execute("SELECT threadline.erase(1, 300)")
                    .is_ok()
                {}
            });
            sleep(Duration::from_millis(60 + 130 * round));
            database.own_server().kill();
            eraser.join().unwrap();
        });
        database.own_server().restart();
        check(&mut database.connect());
    }
    finished(&database, changes, bob);
}
