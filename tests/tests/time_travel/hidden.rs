//! Rows that the audit has not recorded one by one, and rows that the reader cannot see.

use diesel::prelude::*;
use threadline::{Audited, Unavailable};
use threadline_tests::{assert_contains, now, run, value};

use crate::{after_each, each, state};

diesel::table! {
    items (id) { id -> Int4, body -> Text, }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = items)]
struct Item {
    id: i32,
    body: String,
}

/// Such a TRUNCATE is on record as one change, which is the end of the records.
#[test]
fn a_record_that_a_truncate_removed_unrecorded_is_deleted_at_later_instants() {
    let (_, conn) = &mut after_each(&[
        "CREATE TABLE items (id int PRIMARY KEY, body text NOT NULL); SELECT threadline.audit('items')",
        "INSERT INTO items SELECT k, 'old' FROM generate_series(1, 5) AS k",
        "UPDATE threadline.audited_tables SET truncate_limit = 1",
        "UPDATE items SET body = 'new' WHERE id = 2",
        "UPDATE items SET id = 30 WHERE id = 3",
        "DELETE FROM items WHERE id = 4",
    ]);
    let before = now(conn);
    let gone = each(conn, &["TRUNCATE items"]);
    let again = each(conn, &["INSERT INTO items VALUES (2, 'again')"]);
    each(conn, &["DELETE FROM items"]);
    let truncate = value(
        conn,
        "SELECT id FROM threadline.audit_changes WHERE op = 'T'",
    );
    for (key, expected) in [
        ("1", ["there", "deleted", "deleted"]),
        ("2", ["there", "deleted", "there"]),
        ("3", ["moved", "moved", "moved"]),
        ("30", ["there", "deleted", "deleted"]),
        ("4", ["deleted", "deleted", "deleted"]),
    ] {
        let states = [before, gone, again].map(|at| state(conn, "items", key, at));
        assert_eq!(states, expected, "{key}");
        if key == "1" {
            let change = value(
                conn,
                &format!(
                    "SELECT change_id FROM threadline.record_as_of('items', '1', '{}')",
                    gone.to_rfc3339()
                ),
            );
            assert_eq!(change, truncate);
        }
    }
    let Err(Unavailable::Deleted { change }) = Item::as_of(conn, 1, gone).unwrap() else {
        panic!("{:?}", Item::as_of(conn, 1, gone))
    };
    assert_eq!(change.operation, threadline::Operation::Truncate);
}

/// A policy hides rows from the reader, but not the changes of them.
#[test]
fn an_answer_that_depends_on_rows_hidden_by_row_security_is_refused() {
    let (database, conn) = &mut after_each(&[
        "CREATE TABLE items (id int PRIMARY KEY, body text NOT NULL)",
        "INSERT INTO items VALUES (1, 'mine'), (2, 'hidden')",
        "SELECT threadline.audit('items')",
        "INSERT INTO items VALUES (3, 'hidden')",
    ]);
    let at = now(conn);
    let role = database.reader("reader");
    run(
        conn,
        &format!(
            "ALTER TABLE items ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON items USING (body = 'mine');
             GRANT SELECT ON items TO {role}"
        ),
    );
    role.enter(conn);
    let body =
        |conn: &mut PgConnection, id| Item::as_of(conn, id, at).map(|record| record.unwrap().body);
    assert_eq!(body(conn, 1).unwrap(), "mine");
    // It is wholly on record.
    assert_eq!(body(conn, 3).unwrap(), "hidden");
    for error in [
        Item::as_of(conn, 2, at).unwrap_err().to_string(),
        Item::all_as_of(conn, at).map(drop).unwrap_err().to_string(),
    ] {
        assert_contains(&error, &format!("row security hides rows from {role}"));
    }
}

/// Their changes are recorded under one key until the audit is told of the other.
#[test]
fn rows_that_can_have_one_key_have_no_past_until_a_refresh() {
    let (_, conn) = &mut after_each(&[
        "CREATE TABLE items (id int PRIMARY KEY, body text NOT NULL); SELECT threadline.audit('items')",
        "INSERT INTO items VALUES (1, 'a')",
        "ALTER TABLE items DROP CONSTRAINT items_pkey, ADD PRIMARY KEY (id, body)",
        "INSERT INTO items VALUES (1, 'b')",
    ]);
    let at = now(conn);
    assert_eq!(state(conn, "items", "1", at), "incomplete");
    assert_eq!(
        Item::all_as_of(conn, at).map(drop).unwrap_err().to_string(),
        Unavailable::Incomplete.to_string()
    );
    run(conn, "SELECT threadline.refresh('items')");
    let at = now(conn);
    assert_eq!(state(conn, "items", r#"["1", "b"]"#, at), "there");
    assert_eq!(
        value(
            conn,
            "SELECT meta -> 'former_key' || (meta -> 'key') FROM threadline.audit_actions WHERE name = 'audit.key_changed'"
        )
        .unwrap(),
        r#"["id", "id", "body"]"#
    );
    // With a key that is still unique, nothing is in doubt.
    run(
        conn,
        "DELETE FROM items WHERE body = 'b'; ALTER TABLE items ADD UNIQUE (id), DROP CONSTRAINT items_pkey, ADD PRIMARY KEY (id)",
    );
    let at = now(conn);
    assert_eq!(state(conn, "items", r#"["1", "a"]"#, at), "there");
}
