//! The cost of a batch of a purge: proportional to what it removes, not to what is kept.

use diesel::prelude::*;
use threadline_tests::{Database, assert_value, run, value};

/// A tenth of 30,000 old changes is of `orders`, the only table with a retention; each
/// has an action.
const HISTORY: &str = "
    CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL);
    CREATE TABLE kept (id int PRIMARY KEY, amount int NOT NULL);
    SELECT threadline.audit('orders', keep => '3 years'), threadline.audit('kept');

    INSERT INTO threadline.ledger_transactions (id, xact_id, occurred_at, opened_at, actor_origin, session_user_name)
    SELECT i, (i + 1000)::text::xid8, at, at, 'none', 'app'
    FROM generate_series(1, 30000) AS i, LATERAL (SELECT now() - interval '9 years' + i * interval '1 hour' AS at) AS of
    WHERE at < now();
    INSERT INTO threadline.ledger_changes (id, position, transaction_id, captured_at, table_id, op, record_key, row_data)
    SELECT x.id, x.id, x.id, x.opened_at,
           (SELECT t.id FROM threadline.audited_tables AS t WHERE t.table_name = CASE WHEN x.id % 10 = 0 THEN 'orders' ELSE 'kept' END),
           'I', x.id, jsonb_build_object('id', x.id, 'amount', 1)
    FROM threadline.ledger_transactions AS x;
    INSERT INTO threadline.audit_actions (transaction_id, occurred_at, name, actor_type)
    SELECT x.id, x.opened_at, 'order.placed', 'anonymous' FROM threadline.ledger_transactions AS x WHERE x.id % 10 <> 0;
    SELECT setval('threadline.entry_ids', 30000);
    UPDATE threadline.posting SET last_position = 30000;
    UPDATE threadline.audited_tables SET audited_since = '2000-01-01'";

/// Creates the history on a durable server of its own, to be read without parallel workers.
fn history() -> (Database, PgConnection) {
    let database = Database::durable();
    let mut conn = database.connect();
    run(&mut conn, HISTORY);
    run(&mut conn, "VACUUM ANALYZE");
    run(&mut conn, "SET max_parallel_workers_per_gather = 0");
    (database, conn)
}

/// Returns the entries of indexes, and the rows without one, that this session read in
/// its transaction.
fn read(conn: &mut PgConnection) -> i64 {
    let sum = "SELECT sum(pg_stat_get_xact_tuples_returned(c.oid)) FROM pg_class AS c
               WHERE c.relnamespace = 'threadline'::regnamespace AND c.relkind IN ('r', 'i')";
    value(conn, sum).unwrap().parse().unwrap()
}

#[test]
fn a_batch_reads_in_proportion_to_what_it_removes() {
    let (_, conn) = &mut history();

    // With the first look-up of a table with changes to purge, from the middle on, and at
    // the end of the run.
    for calls in [1, 3, 20] {
        conn.transaction::<_, diesel::result::Error, _>(|conn| {
            let before = read(conn);
            let mut purged: i64 = 0;
            for _ in 0..calls {
                let batch = value(conn, "threadline.purge(150)");
                purged += batch.map_or(0, |batch| batch.parse::<i64>().unwrap());
            }
            let read = read(conn) - before;
            assert!(purged > 0);
            assert!(
                read < 20 * purged + 1000 * calls,
                "{calls} calls purged {purged} and read {read}"
            );
            Ok(())
        })
        .unwrap();
    }

    // Kept changes are not read again and again.
    while value(conn, "threadline.purge(100)").is_some() {}
    conn.transaction::<_, diesel::result::Error, _>(|conn| {
        let before = read(conn);
        assert_eq!(value(conn, "threadline.purge(100)"), None);
        let read = read(conn) - before;
        assert!(read < 1000, "nothing was to purge, and {read} were read");
        Ok(())
    })
    .unwrap();
}

/// Images are kept ahead of the removal, so that each old change is read twice.
#[test]
fn a_purge_of_much_reads_in_proportion_to_what_it_removes() {
    let (_, conn) = &mut history();

    conn.transaction::<_, diesel::result::Error, _>(|conn| {
        let before = read(conn);
        let (mut purged, mut calls) = (0, 0);
        while let Some(batch) = value(conn, "threadline.purge(100)") {
            purged += batch.parse::<i64>().unwrap();
            calls += 1;
        }
        let read = read(conn) - before;
        assert_eq!((purged, calls), (3000, 31));
        assert!(
            read < 20 * purged + 1000 * calls,
            "{calls} calls purged {purged} and read {read}"
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn an_image_is_written_once_where_a_purge_takes_several_batches() {
    let (_, conn) = &mut Database::with(HISTORY);
    run(
        conn,
        "INSERT INTO threadline.ledger_transactions (id, xact_id, occurred_at, opened_at, actor_origin, session_user_name)
         SELECT i, (i + 1000)::text::xid8, at, at, 'none', 'app'
         FROM generate_series(100001, 125000) AS i, LATERAL (SELECT now() - interval '5 years' + i * interval '1 second' AS at) AS of;
         INSERT INTO threadline.ledger_changes (id, position, transaction_id, captured_at, table_id, op, record_key, changed_from, changed_to)
         SELECT x.id, x.id, x.id, x.opened_at, t.id, 'U', x.id % 2500, jsonb_build_object('amount', x.id / 2500 - 1), jsonb_build_object('amount', x.id / 2500)
         FROM threadline.ledger_transactions AS x, threadline.audited_tables AS t WHERE t.table_name = 'orders' AND x.id > 100000;
         SELECT setval('threadline.entry_ids', 130000); UPDATE threadline.posting SET last_position = 130000",
    );

    conn.transaction::<_, diesel::result::Error, _>(|conn| {
        let mut purged = 0;
        while let Some(batch) = value(conn, "threadline.purge()") {
            purged += batch.parse::<i64>().unwrap();
        }
        assert_eq!(purged, 28_000);
        let written = value(
            conn,
            "pg_stat_get_xact_tuples_inserted('threadline.kept_images'::regclass) + pg_stat_get_xact_tuples_updated('threadline.kept_images'::regclass)",
        );
        let records = value(conn, "(SELECT count(*) FROM threadline.kept_images)");
        assert_eq!(written, records);
        assert_value(
            conn,
            "(SELECT image FROM threadline.kept_images WHERE record_key = '7')",
            "{\"amount\": 49}",
        );
        Ok(())
    })
    .unwrap();
}

/// The entries of removed changes stay in the indexes until a vacuum.
#[test]
fn the_next_purge_does_not_read_what_the_last_one_removed() {
    let (_, conn) = &mut history();
    let of_ledger = "SELECT sum(pg_stat_get_xact_tuples_returned(i.indexrelid)) FROM pg_index AS i
                     WHERE i.indrelid = 'threadline.ledger_changes'::regclass";
    let mut purged = 0;
    loop {
        let (batch, read) = conn
            .transaction::<_, diesel::result::Error, _>(|conn| {
                let before: i64 = value(conn, of_ledger).unwrap().parse().unwrap();
                let batch = value(conn, "threadline.purge(100)");
                let after: i64 = value(conn, of_ledger).unwrap().parse().unwrap();
                Ok((batch, after - before))
            })
            .unwrap();
        // The last call ends the run, and looks for the next one.
        let Some(batch) = batch else {
            assert_eq!(purged, 3000);
            assert!(read < 500, "{read} entries were read");
            return;
        };
        purged += batch.parse::<i64>().unwrap();
    }
}

/// What a hold kept is removed after it, wherever the runs before ended.
#[test]
fn a_change_that_stayed_is_found_again() {
    let (_, conn) = &mut Database::with(HISTORY);
    run(
        conn,
        "SELECT threadline.hold('lawsuit', target => 'orders', record_key => '15000')",
    );
    let purge = |conn: &mut PgConnection| {
        let mut purged = 0;
        while let Some(batch) = value(conn, "threadline.purge(100)") {
            purged += batch.parse::<i64>().unwrap();
        }
        purged
    };
    assert_eq!(purge(conn), 2999);
    assert_eq!(purge(conn), 0);
    run(
        conn,
        "SELECT threadline.release(h.id, 'settled') FROM threadline.legal_holds AS h",
    );
    assert_eq!(purge(conn), 1);
    // An old entry that nobody had posted.
    run(
        conn,
        "INSERT INTO threadline.ledger_transactions (id, xact_id, occurred_at, opened_at, actor_origin, session_user_name)
         SELECT i, (i + 1000)::text::xid8, now() - interval '8 years', now() - interval '8 years', 'none', 'app' FROM generate_series(40000, 44000) AS i;
         INSERT INTO threadline.ledger_changes (id, position, transaction_id, captured_at, table_id, op, record_key, row_data)
         SELECT x.id, x.id, x.id, x.opened_at, t.id, 'I', x.id, jsonb_build_object('id', x.id, 'amount', 1)
         FROM threadline.ledger_transactions AS x, threadline.audited_tables AS t WHERE t.table_name = 'orders' AND x.id BETWEEN 40000 AND 44000;
         SELECT setval('threadline.entry_ids', 45000); UPDATE threadline.posting SET last_position = 45000;
         INSERT INTO orders VALUES (1, 1);
         UPDATE threadline.journal SET id = 42, transaction_id = 42, captured_at = captured_at - interval '8 years', occurred_at = occurred_at - interval '8 years'",
    );
    assert_eq!(purge(conn), 4001);
    run(conn, "SELECT threadline.post()");
    assert_eq!(purge(conn), 1);
}
