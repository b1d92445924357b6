//! The rows read by a query and by posting, counted by the server: neither may grow with
//! unrelated rows.

use std::time::Duration;

use diesel::PgConnection;
use threadline::Worker;
use threadline_tests::{Database, rows, run, value};

fn number(conn: &mut PgConnection, query: &str) -> i64 {
    value(conn, query).unwrap().parse().unwrap()
}

/// Returns the rows and index entries of the AuditTransactions in the ledger that this
/// database transaction has read.
fn read_of_transactions(conn: &mut PgConnection) -> i64 {
    number(
        conn,
        "SELECT sum(pg_stat_get_xact_tuples_returned(r.oid))
         FROM (SELECT 'threadline.ledger_transactions'::regclass::oid
               UNION ALL
               SELECT i.indexrelid FROM pg_index AS i WHERE i.indrelid = 'threadline.ledger_transactions'::regclass) AS r (oid)",
    )
}

#[test]
fn waiting_entries_are_read_without_older_transactions() {
    let (database, _) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY); SELECT threadline.audit('items');
         INSERT INTO threadline.ledger_transactions (id, xact_id, occurred_at, opened_at, actor_origin, session_user_name)
         SELECT -k, (k + 3)::text::xid8, now() - k * interval '1 minute', now(), 'none', 'x' FROM generate_series(1, 20000) AS k;
         ANALYZE threadline.ledger_transactions;
         INSERT INTO items VALUES (1)",
    );
    for question in [
        "SELECT count(*) FROM threadline.pending_transactions()",
        "SELECT count(*) FROM threadline.pending_changes()",
        "SELECT count(*) FROM threadline.audit_transactions WHERE id = 1",
        "SELECT threadline.post()",
    ] {
        // A session also counts what it has not reported yet of earlier transactions.
        let conn = &mut database.connect();
        run(conn, "BEGIN");
        assert_eq!(number(conn, question), 1, "{question}");
        let read = read_of_transactions(conn);
        run(conn, "COMMIT");
        assert!(read < 10, "{question}: {read}");
    }
}

#[test]
fn an_image_is_put_into_utc_once() {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE events (id int PRIMARY KEY, at timestamptz, until timestamptz, n int);
         SELECT threadline.audit('events');
         SET timezone = 'Europe/Paris';
         INSERT INTO events SELECT k, now(), now(), 0 FROM generate_series(1, 100) AS k",
    );
    threadline::post(conn).unwrap();
    run(conn, "UPDATE events SET n = 1");
    let conn = &mut database.connect();
    run(conn, "SET track_functions = 'all'");
    run(conn, "BEGIN");
    assert_eq!(number(conn, "SELECT threadline.post()"), 100);
    // The old row and the new one of each.
    assert_eq!(
        number(
            conn,
            "SELECT pg_stat_get_xact_function_calls('threadline.in_utc(jsonb, text[])'::regprocedure)"
        ),
        200
    );
    run(conn, "COMMIT");
}

fn fill_journal(conn: &mut PgConnection, entries: u32) {
    run(
        conn,
        &format!(
            "CREATE TABLE items (id int PRIMARY KEY); SELECT threadline.audit('items');
             INSERT INTO items SELECT generate_series(1, {entries})"
        ),
    );
}

#[test]
fn far_behind_a_call_moves_more() {
    let (_, conn) = &mut Database::new().connected();
    fill_journal(conn, 110_000);
    assert_eq!(number(conn, "SELECT threadline.post()"), 11_000);
    assert_eq!(number(conn, "SELECT threadline.post(7)"), 7);
    assert_eq!(number(conn, "SELECT threadline.post()"), 10_000);
}

#[test]
fn a_worker_can_be_stopped_between_batches() {
    let (database, conn) = &mut Database::new().connected();
    fill_journal(conn, 20_001);
    let mut turns = Vec::new();
    Worker::new().run(
        || Ok(database.connect()),
        |pause, moved| {
            turns.push((pause, moved.unwrap()));
            turns.len() < 2
        },
    );
    assert_eq!(turns, [(Duration::ZERO, 10_000); 2]);
    assert_eq!(threadline::waiting(conn).unwrap().entries, 1);
    // Few entries are not posted at once.
    Worker::new().every(Duration::from_secs(7)).run(
        || Ok(database.connect()),
        |pause, moved| {
            assert_eq!((pause, moved.unwrap()), (Duration::from_secs(7), 1));
            false
        },
    );
}

/// Each connection plans the trigger of each table that it writes to, and the plan calls what it
/// needs to know of the columns.
/// Returns the functions of the audit that statements call at least so often, with the
/// number of calls.
fn called(conn: &mut PgConnection, statements: &str, at_least: i32) -> Vec<String> {
    run(
        conn,
        "SET track_functions = 'all'; SELECT pg_stat_force_next_flush()",
    );
    run(conn, "BEGIN");
    run(conn, statements);
    let called = rows(
        conn,
        &format!(
            "SELECT funcname, calls FROM pg_stat_xact_user_functions
             WHERE schemaname = 'threadline' AND calls >= {at_least} ORDER BY 1"
        ),
    );
    run(conn, "ROLLBACK");
    called
}

/// Upserts, polls of a queue and optimistic locking often touch no row.
#[test]
fn a_statement_calls_the_capture_once_for_each_row_that_it_touches() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY, name text); SELECT threadline.audit('items');
         INSERT INTO items SELECT i, 'a' FROM generate_series(1, 40) AS i",
    );
    for statement in [
        "UPDATE items SET name = 'c' WHERE id = 99",
        "DELETE FROM items WHERE id = 99",
        "INSERT INTO items SELECT 3 WHERE false",
        "INSERT INTO items VALUES (1) ON CONFLICT DO NOTHING",
        "INSERT INTO items VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'c' WHERE false",
        "MERGE INTO items USING (VALUES (99)) AS v (id) ON items.id = v.id WHEN MATCHED THEN DELETE",
        "WITH gone AS (DELETE FROM items WHERE id = 99 RETURNING id) UPDATE items SET name = 'c' FROM gone WHERE gone.id = items.id",
    ] {
        assert_eq!(called(conn, statement, 1), [""; 0], "{statement}");
    }
    let keys = "(SELECT generate_series(21, 60)) AS v (id)";
    for (statement, calls) in [
        (
            format!(
                "INSERT INTO items SELECT id, 'b' FROM {keys} ON CONFLICT (id) DO UPDATE SET name = 'c'"
            ),
            40,
        ),
        (
            format!("INSERT INTO items SELECT id, 'b' FROM {keys} ON CONFLICT DO NOTHING"),
            20,
        ),
        (
            format!(
                "MERGE INTO items USING {keys} ON items.id = v.id WHEN MATCHED THEN UPDATE SET name = 'c' WHEN NOT MATCHED THEN INSERT VALUES (v.id)"
            ),
            40,
        ),
        ("UPDATE items SET name = 'c'".to_owned(), 40),
        ("DELETE FROM items".to_owned(), 40),
    ] {
        assert_eq!(
            called(conn, &statement, 10),
            [format!("capture_1 | {calls}")],
            "{statement}"
        );
    }
}

#[test]
fn a_write_calls_nothing_more_for_each_row_after_a_column_was_added() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY, name text); SELECT threadline.audit('items')",
    );
    let write = "INSERT INTO items SELECT i, 'a' FROM generate_series(1, 50) AS i; UPDATE items SET name = 'b'; DELETE FROM items";
    assert_eq!(called(conn, write, 40), ["capture_1 | 150"]);
    run(
        conn,
        "ALTER TABLE items ADD n int, ADD at timestamptz DEFAULT now()",
    );
    assert_eq!(called(conn, write, 40), ["capture_1 | 150"]);
}

/// Until `refresh_all()`, a restored table is only looked up by its name.
#[test]
fn a_write_takes_no_slower_path_after_a_dump_of_a_table_with_a_dropped_column() {
    let database = Database::new();
    run(
        &mut database.connect(),
        "CREATE TABLE items (id int PRIMARY KEY, gone text, name text, pin text); ALTER TABLE items DROP gone;
         CREATE TABLE secrets (LIKE items INCLUDING ALL); ALTER TABLE secrets ADD gone text; ALTER TABLE secrets DROP gone;
         SELECT threadline.audit('items', plain => '{pin}'), threadline.audit('secrets', mask => '{pin}')",
    );
    let (_, conn) = &mut database.restored().connected();
    for (table, capture) in [("items", "capture_1"), ("secrets", "capture_2")] {
        let write = format!(
            "INSERT INTO {table} SELECT i, 'a', 'b' FROM generate_series(1, 50) AS i; UPDATE {table} SET name = 'b'; DELETE FROM {table}"
        );
        assert_eq!(
            called(conn, &write, 40),
            [
                "audited_relation | 150".to_owned(),
                format!("{capture} | 150"),
                "columns_now | 150".to_owned()
            ]
        );
    }
}

#[test]
fn the_first_write_of_a_connection_reads_the_types_of_plain_columns_at_once() {
    let (database, _) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY, name text, price numeric, at timestamptz);
         CREATE TABLE others (id int PRIMARY KEY, weight float8);
         SELECT threadline.audit('items'), threadline.audit('others')",
    );
    for (write, calls) in [
        ("INSERT INTO items VALUES (1)", "0"),
        ("INSERT INTO others VALUES (1)", "1"),
    ] {
        let conn = &mut database.connect();
        run(conn, "SET track_functions = 'all'");
        run(conn, "BEGIN");
        run(conn, write);
        assert_eq!(
            value(
                conn,
                "SELECT coalesce(pg_stat_get_xact_function_calls('threadline.present_columns(regclass)'::regprocedure), 0)"
            )
            .as_deref(),
            Some(calls),
            "{write}"
        );
        run(conn, "COMMIT");
    }
}

#[test]
fn an_action_after_changes_reads_only_what_was_written_last() {
    let (database, conn) = &mut Database::new().connected();
    fill_journal(conn, 20_000);
    let conn = &mut database.connect();
    run(
        conn,
        "BEGIN; INSERT INTO items SELECT generate_series(50001, 50500);
         SELECT threadline.record_action('items.made', 'user', '7')",
    );
    let read = number(
        conn,
        "SELECT pg_stat_get_xact_tuples_returned('threadline.journal'::regclass)",
    );
    run(conn, "COMMIT");
    assert!((1..3_000).contains(&read), "{read}");
    assert_eq!(
        number(
            conn,
            "SELECT count(*) FROM threadline.audit_actions AS a
             JOIN threadline.audit_changes AS c ON c.transaction_id = a.transaction_id"
        ),
        500
    );
}
