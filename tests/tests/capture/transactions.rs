//! The transaction that a change belongs to, across dump and restore.

use diesel::prelude::*;
use threadline::{ActorRef, AuditContext};
use threadline_tests::{Database, assert_rows, assert_value, run, run_under};

const ITEMS: &str = "CREATE TABLE items (id int PRIMARY KEY); SELECT threadline.audit('items');";

fn insert_as(conn: &mut PgConnection, id: i32, actor: &str) {
    let context = AuditContext::new(ActorRef::user(actor).unwrap());
    run_under(conn, &context, &format!("INSERT INTO items VALUES ({id})"));
}

#[test]
fn a_transaction_id_that_starts_again_after_a_dump_finds_no_old_actor() {
    let (database, conn) = &mut Database::with(ITEMS);
    insert_as(conn, 1, "before");

    let (_, conn) = &mut database.restored().connected();
    // The restored cluster reaches the transaction id of the old row.
    conn.transaction(|conn| {
        run(
            conn,
            "SELECT threadline.post_all(); UPDATE threadline.ledger_transactions SET xact_id = pg_current_xact_id()",
        );
        run(
            conn,
            r#"SELECT set_config('threadline.transaction', (SELECT id::text FROM threadline.audit_transactions), true),
                      set_config('threadline.transaction_context', '', true);
               INSERT INTO items VALUES (2)"#,
        );
        QueryResult::Ok(())
    })
    .unwrap();
    insert_as(conn, 3, "after");
    assert_rows(
        conn,
        "SELECT key ->> 'id', actor_id FROM threadline.changes ORDER BY id",
        ["1 | before", "2 | NULL", "3 | after"],
    );
    assert_value(
        conn,
        "SELECT count(DISTINCT transaction_id) FROM threadline.audit_changes",
        "3",
    );
}

#[test]
fn a_database_restored_from_a_dump_goes_on_recording_and_reading() {
    let (database, conn) = &mut Database::with(ITEMS);
    insert_as(conn, 1, "before");
    let (_, conn) = &mut database.restored().connected();
    insert_as(conn, 2, "after");
    assert_rows(
        conn,
        "SELECT id, key ->> 'id', actor_id FROM threadline.changes ORDER BY id",
        ["1 | 1 | before", "2 | 2 | after"],
    );
    run(conn, "SELECT threadline.refresh('items')");
    insert_as(conn, 3, "refreshed");
    assert_value(conn, "SELECT count(*) FROM threadline.audited_tables", "1");
}

#[test]
fn changes_of_one_transaction_share_its_row() {
    let (_, conn) = &mut Database::with(ITEMS);
    run(
        conn,
        "BEGIN; INSERT INTO items SELECT generate_series(1, 100); DELETE FROM items; COMMIT",
    );
    run(conn, "INSERT INTO items VALUES (1)");
    assert_rows(
        conn,
        "SELECT id, changes FROM threadline.transactions ORDER BY id",
        ["1 | 200", "201 | 1"],
    );
}

/// Set by applications from before PostgreSQL 9.1.
#[test]
fn backslashes_in_strings_split_no_transaction() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY DEFERRABLE, note text);
         CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY HASH (id);
         CREATE TABLE parts_0 PARTITION OF parts FOR VALUES WITH (MODULUS 1, REMAINDER 0);",
    );
    run(
        conn,
        "SET standard_conforming_strings = off;
         SELECT threadline.audit(t) FROM unnest(ARRAY['items', 'parts']::regclass[]) AS t",
    );
    run(
        conn,
        r"BEGIN; INSERT INTO items VALUES (1, E'a\\b'); UPDATE items SET note = E'c\\d';
          INSERT INTO items SELECT k, 'many' FROM generate_series(2, 300) AS k; INSERT INTO parts VALUES (1);
          UPDATE items SET id = id + 1; TRUNCATE items, parts;
          SELECT threadline.record_action('item.done', 'user', 'ada'); COMMIT",
    );
    assert_rows(
        conn,
        "SELECT count(*), count(DISTINCT transaction_id), (SELECT count(*) FROM threadline.audit_transactions),
                count(*) FILTER (WHERE row_data ->> 'note' LIKE '%c\\\\\\\\d%')
         FROM threadline.audit_changes",
        ["903 | 1 | 1 | 2"],
    );
    assert_rows(
        conn,
        "SELECT transaction_id FROM threadline.audit_actions UNION SELECT transaction_id FROM threadline.audit_changes",
        ["1"],
    );
    assert_rows(
        conn,
        "SELECT category, verb FROM threadline.audit_actions",
        ["item | done"],
    );
}
