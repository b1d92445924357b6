//! A revert has the rights of its caller.

use diesel::prelude::*;
use threadline::{Audited, revert_transaction};
use threadline_tests::{Database, assert_value, now, run};

use super::common::{Note, refusal, state, transaction};

const MISTAKE: &str = "UPDATE notes SET body = 'x' WHERE id = 3; DELETE FROM notes WHERE id = 1; INSERT INTO notes VALUES (4)";

/// Opens a session of a role that may write the tables and read the audit.
fn with_role(rights: &str, test: impl FnOnce(&Database, &mut PgConnection)) {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE notes (id int PRIMARY KEY, body text);
         CREATE TABLE tags (id int PRIMARY KEY, note int REFERENCES notes ON DELETE CASCADE);
         SELECT threadline.audit('notes'), threadline.audit('tags');
         INSERT INTO notes VALUES (1, 'one'), (2, 'two'), (3, 'three');
         INSERT INTO tags VALUES (1, 1), (2, 2);",
    );
    let role = database.reader("reverts");
    run(conn, &format!("GRANT {rights} ON notes, tags TO {role}"));
    role.enter(conn);
    test(database, conn);
}

#[test]
fn a_role_that_may_write_the_tables_and_read_the_audit_can_revert() {
    with_role("SELECT, INSERT, UPDATE, DELETE", |database, conn| {
        let owner = &mut database.connect();
        let before = state(conn, &["notes", "tags"]);
        let mistake = transaction(owner, MISTAKE);
        revert_transaction(conn, mistake).unwrap();
        assert_eq!(state(conn, &["notes", "tags"]), before);
        let instant = now(conn);
        run(owner, "UPDATE notes SET body = 'later'");
        Note::revert_to(conn, 3, instant).unwrap();
        assert_value(conn, "SELECT body FROM notes WHERE id = 3", "three");
    });
}

#[test]
fn a_role_that_may_not_write_gets_a_reason_for_every_change() {
    with_role("SELECT", |database, conn| {
        let mistake = transaction(&mut database.connect(), MISTAKE);
        insta::assert_snapshot!(refusal(conn, &["notes", "tags"], mistake));
    });
}

#[test]
fn a_right_that_is_missing_for_one_change_stops_all() {
    with_role("SELECT, UPDATE", |database, conn| {
        let mistake = transaction(&mut database.connect(), MISTAKE);
        insta::assert_snapshot!(refusal(conn, &["notes", "tags"], mistake));
    });
}

#[test]
fn a_revert_gives_nobody_rights_that_it_does_not_have() {
    with_role("SELECT", |database, conn| {
        let owner = &mut database.connect();
        let instant = now(owner);
        run(owner, "UPDATE notes SET body = 'later'");
        let before = state(conn, &["notes"]);
        let error = Note::revert_to(conn, 3, instant).unwrap_err();
        assert!(error.to_string().contains("permission denied"), "{error}");
        assert_eq!(state(conn, &["notes"]), before);
    });
}
