//! No write can happen between the check and the write of a revert.

use std::sync::mpsc;
use std::thread;

use diesel::prelude::*;
use threadline::{Audited, revert_transaction};
use threadline_tests::{Database, now, run, value};

use super::common::{Note, reasons, state, transaction};

fn notes() -> Database {
    let database = Database::new();
    run(
        &mut database.connect(),
        "CREATE TABLE notes (id int PRIMARY KEY, body text);
         CREATE TABLE tags (id int PRIMARY KEY, note int REFERENCES notes ON DELETE CASCADE);
         SELECT threadline.audit('notes'), threadline.audit('tags');
         INSERT INTO notes VALUES (1, 'one'), (2, 'two')",
    );
    database
}

/// Waits until a backend waits for a lock.
fn until_it_waits(conn: &mut PgConnection, pid: &str) {
    let waits = format!("SELECT cardinality(pg_blocking_pids({pid})) > 0");
    while value(conn, &waits).as_deref() != Some("true") {
        thread::yield_now();
    }
}

/// Reverts while another transaction has written and not committed; returns the result of
/// the revert after that one ends as requested.
fn meanwhile<T: Send>(
    database: &Database,
    write: &str,
    end: &str,
    revert: impl FnOnce(&mut PgConnection) -> T + Send,
) -> T {
    let conn = &mut database.connect();
    run(conn, &format!("BEGIN; {write}"));
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let reverting = scope.spawn(move || {
            let conn = &mut database.connect();
            tell.send(value(conn, "SELECT pg_backend_pid()").unwrap())
                .unwrap();
            revert(conn)
        });
        let pid = told.recv().unwrap();
        until_it_waits(conn, &pid);
        run(conn, end);
        reverting.join().unwrap()
    })
}

/// Reverts a mistake while another transaction writes and commits, and returns the reasons
/// why it is refused.
fn conflict(mistake: &str, write: &str) -> (Database, String) {
    let database = notes();
    let mistake = transaction(&mut database.connect(), mistake);
    let error = meanwhile(&database, write, "COMMIT", |conn| {
        revert_transaction(conn, mistake).unwrap_err()
    });
    (database, reasons(error))
}

#[test]
fn a_change_in_flight_is_waited_for_and_then_conflicts() {
    let (database, reasons) = conflict(
        "UPDATE notes SET body = 'x'",
        "UPDATE notes SET body = 'meanwhile' WHERE id = 2",
    );
    insta::assert_snapshot!(reasons);
    assert_eq!(
        state(&mut database.connect(), &["notes"]),
        "notes\n(1,x)\n(2,meanwhile)\n"
    );
}

#[test]
fn a_change_in_flight_that_rolls_back_was_none() {
    let database = notes();
    let mistake = transaction(&mut database.connect(), "UPDATE notes SET body = 'x'");
    meanwhile(
        &database,
        "UPDATE notes SET body = 'meanwhile' WHERE id = 2",
        "ROLLBACK",
        |conn| revert_transaction(conn, mistake).unwrap(),
    );
    assert_eq!(
        state(&mut database.connect(), &["notes"]),
        "notes\n(1,one)\n(2,two)\n"
    );
}

#[test]
fn a_concurrent_deletion_is_a_conflict() {
    let (_, reasons) = conflict(
        "UPDATE notes SET body = 'x'",
        "DELETE FROM notes WHERE id = 2",
    );
    insta::assert_snapshot!(reasons);
}

#[test]
fn a_concurrent_insert_of_the_key_is_a_conflict() {
    let (_, reasons) = conflict(
        "DELETE FROM notes WHERE id = 2",
        "INSERT INTO notes VALUES (2, 'new')",
    );
    insta::assert_snapshot!(reasons);
}

#[test]
fn a_concurrent_reference_keeps_its_row() {
    let (database, reasons) = conflict(
        "INSERT INTO notes VALUES (3)",
        "INSERT INTO tags VALUES (1, 3)",
    );
    insta::assert_snapshot!(reasons);
    assert_eq!(state(&mut database.connect(), &["tags"]), "tags\n(1,3)\n");
}

#[test]
fn two_reverts_of_one_mistake_do_it_once() {
    let database = notes();
    let mistake = transaction(&mut database.connect(), "UPDATE notes SET body = 'x'");
    let error = meanwhile(
        &database,
        &format!("SELECT * FROM threadline.revert_transaction({mistake})"),
        "COMMIT",
        |conn| revert_transaction(conn, mistake).unwrap_err(),
    );
    insta::assert_snapshot!(reasons(error));
    assert_eq!(
        state(&mut database.connect(), &["notes"]),
        "notes\n(1,one)\n(2,two)\n"
    );
}

#[test]
fn an_older_snapshot_overwrites_nothing_that_it_does_not_see() {
    for level in ["REPEATABLE READ", "SERIALIZABLE"] {
        let database = notes();
        let mistake = transaction(&mut database.connect(), "UPDATE notes SET body = 'x'");
        let conn = &mut database.connect();
        run(conn, &format!("BEGIN ISOLATION LEVEL {level}"));
        value(conn, "SELECT count(*) FROM notes");
        run(
            &mut database.connect(),
            "UPDATE notes SET body = 'meanwhile' WHERE id = 2",
        );
        let error = revert_transaction(conn, mistake).unwrap_err();
        assert!(
            error.to_string().starts_with("could not serialize access"),
            "{error}"
        );
        run(conn, "ROLLBACK");
        assert_eq!(state(conn, &["notes"]), "notes\n(1,x)\n(2,meanwhile)\n");
    }
}

#[test]
fn a_record_is_not_reverted_while_its_former_state_is_open() {
    let (database, conn) = &mut notes().connected();
    let writer = &mut database.connect();
    run(writer, "BEGIN; UPDATE notes SET body = 'open' WHERE id = 1");
    let instant = now(conn);
    let error = Note::revert_to(conn, 2, instant).unwrap_err();
    insta::assert_snapshot!(reasons(error));
    run(writer, "COMMIT");
    Note::revert_to(conn, 2, instant).unwrap();
}
