//! What a purge keeps where the record of a table is not continuous: entries that are not
//! posted, truncations of unknown rows, gaps in the audit, other keys and other policies.

use diesel::PgConnection;
use threadline_tests::{Database, assert_rows, assert_value, rows, run, value};

use crate::{KEPT, age};

fn purge_all(conn: &mut PgConnection, at_most: u32) {
    while value(conn, &format!("SELECT threadline.purge({at_most})")).is_some() {}
}

/// The table and each of its records a year ago.
fn last_year(conn: &mut PgConnection) -> Vec<String> {
    rows(
        conn,
        "SELECT r.record_key, r.image, one.state, one.image
         FROM threadline.rows_as_of('orders', now() - interval '1 year') AS r
         FULL JOIN (
             SELECT k::text COLLATE \"C\" AS record_key, o.state, o.image
             FROM generate_series(1, 9) AS k, threadline.record_as_of('orders', k::text, now() - interval '1 year') AS o
             WHERE o.state = 'there') AS one USING (record_key)
         ORDER BY record_key",
    )
}

#[test]
fn a_transaction_stays_as_long_as_an_entry_of_it_waits() {
    for waits in ["journal", "unposted"] {
        let (_, conn) = &mut Database::with(KEPT);
        run(
            conn,
            "CREATE TABLE notes (id int PRIMARY KEY); SELECT threadline.audit('notes');
             BEGIN; SELECT threadline.set_context('{\"actor\": {\"type\": \"user\", \"id\": \"ada\"}}');
             INSERT INTO orders VALUES (1, 0); INSERT INTO notes VALUES (1); COMMIT;
             CREATE TABLE aside AS SELECT * FROM threadline.journal WHERE op = 'I' AND relation = 'notes'::regclass;
             DELETE FROM threadline.journal AS j USING aside WHERE j.id = aside.id",
        );
        age(conn, "4 years");
        run(
            conn,
            "UPDATE aside SET occurred_at = occurred_at - interval '4 years', captured_at = captured_at - interval '4 years'",
        );
        if waits == "journal" {
            run(conn, "INSERT INTO threadline.journal SELECT * FROM aside");
        } else {
            run(
                conn,
                "INSERT INTO threadline.unposted
                 SELECT (jsonb_populate_record(NULL::threadline.unposted, to_jsonb(a) || '{\"error\": \"x\", \"set_aside_at\": \"2020-01-01\"}')).* FROM aside AS a",
            );
        }
        assert_value(conn, "SELECT threadline.purge()", "1");
        run(conn, "SELECT threadline.post_again()");
        run(conn, "SELECT threadline.post()");
        assert_eq!(
            rows(
                conn,
                "SELECT table_name, record_key, actor_id FROM threadline.changes"
            ),
            ["notes | 1 | ada"],
            "{waits}"
        );
    }
}

/// Its held changes stay, and so does their end.
#[test]
fn a_held_record_does_not_return_when_a_truncate_of_unknown_rows_is_purged() {
    let (_, conn) = &mut Database::with(KEPT);
    run(
        conn,
        "UPDATE threadline.audited_tables SET truncate_limit = 1;
         INSERT INTO orders VALUES (1, 0), (2, 0), (3, 0); TRUNCATE orders; INSERT INTO orders VALUES (2, 5)",
    );
    age(conn, "4 years");
    run(
        conn,
        "SELECT threadline.hold('lawsuit', 'orders', '1'), threadline.hold('lawsuit', 'orders', '2')",
    );
    let before = last_year(conn);
    assert_eq!(before.len(), 1);
    for at_most in [2, 9] {
        purge_all(conn, at_most);
        assert_rows(
            conn,
            "SELECT op, record_key FROM threadline.audit_changes ORDER BY id",
            ["I | 1", "I | 2", "I | 2"],
        );
        assert_eq!(last_year(conn), before);
    }
    run(
        conn,
        "SELECT threadline.release(1, 'settled'), threadline.release(2, 'settled')",
    );
    purge_all(conn, 1);
    assert_eq!(last_year(conn), before);
    assert_rows(
        conn,
        "SELECT record_key, image FROM threadline.kept_images",
        ["2 | {\"id\": 2, \"amount\": 5}"],
    );
}

/// Its AuditTransaction came first, and so its TRUNCATE is removed before a change that it
/// ended.
#[test]
fn a_record_does_not_return_between_the_batches_of_a_purge() {
    let (database, conn) = &mut Database::with(KEPT);
    let mut other = database.connect();
    run(
        conn,
        "UPDATE threadline.audited_tables SET truncate_limit = 1",
    );
    run(&mut other, "BEGIN; INSERT INTO orders VALUES (8, 0)");
    run(conn, "INSERT INTO orders VALUES (1, 0)");
    run(conn, "INSERT INTO orders VALUES (2, 0)");
    run(&mut other, "TRUNCATE orders; COMMIT");
    age(conn, "4 years");
    for _ in 0..6 {
        assert_eq!(last_year(conn), [""; 0]);
        run(conn, "SELECT threadline.purge(1)");
    }
    assert_value(conn, "SELECT count(*) FROM threadline.kept_images", "0");
}

/// In batches, and with images ahead.
#[test]
fn an_image_never_mixes_what_was_recorded_on_both_sides_of_a_gap() {
    let gap = "SELECT threadline.unaudit('orders'); UPDATE orders SET amount = 7, note = 'gap';
               DELETE FROM orders WHERE id = 3; INSERT INTO orders VALUES (3, 8, 'again');
               SELECT threadline.audit('orders', keep => '3 years')";
    let key = "ALTER TABLE orders DROP CONSTRAINT orders_pkey; UPDATE orders SET note = 'gap';
               ALTER TABLE orders ADD PRIMARY KEY (code); SELECT threadline.refresh('orders')";
    let suspended = "BEGIN; SELECT threadline.suspend('reload'); UPDATE orders SET note = 'gap'; DELETE FROM orders WHERE id = 3; COMMIT;
                     SELECT threadline.post()";
    for (what, ahead) in [gap, key, suspended]
        .into_iter()
        .flat_map(|what| [(what, false), (what, true)])
    {
        let (_, conn) = &mut Database::with(
            "CREATE TABLE orders (id int PRIMARY KEY, amount int NOT NULL, note text, code int GENERATED ALWAYS AS (4 - id) STORED NOT NULL);
             SELECT threadline.audit('orders', keep => '3 years')",
        );
        run(
            conn,
            "INSERT INTO orders VALUES (1, 0, 'new'), (2, 0, 'new'), (3, 0, 'new'); UPDATE orders SET amount = 1 WHERE id < 3",
        );
        run(
            conn,
            "DELETE FROM orders WHERE id = 3; INSERT INTO orders VALUES (3, 1, 'new')",
        );
        if what == gap {
            run(
                conn,
                "DELETE FROM orders WHERE id = 3; INSERT INTO orders VALUES (4, 4, 'new')",
            );
        }
        run(conn, what);
        run(conn, "UPDATE orders SET amount = 2 WHERE id <> 3");
        if ahead {
            for _ in 0..8 {
                run(conn, "UPDATE orders SET amount = amount + 1 WHERE id <> 3");
            }
        }
        age(conn, "4 years");
        run(
            conn,
            "UPDATE threadline.audited_tables SET chained_since = chained_since - interval '4 years';
             UPDATE threadline.suspended_writes SET ended_at = ended_at - interval '4 years', occurred_at = occurred_at - interval '4 years';
             UPDATE threadline.ledger_transactions SET extended_until = extended_until - interval '4 years'",
        );
        let before = last_year(conn);
        while value(conn, "SELECT threadline.purge(1)").is_some() {
            assert_eq!(last_year(conn), before, "{what}");
        }
        assert_eq!(
            rows(
                conn,
                "SELECT images, (SELECT count(*) FROM threadline.audit_changes) FROM threadline.purges"
            ),
            [if ahead { "ahead | 0" } else { "by batch | 0" }],
            "{what}"
        );
    }
}

#[test]
fn a_run_ends_when_its_changes_are_to_be_kept_longer() {
    let longer = "SELECT threadline.audit('orders', keep => '10 years')";
    let floor = "SELECT threadline.set_retention(floor => '10 years', actions => NULL)";
    let for_ever = "SELECT threadline.audit('orders')";
    for change in [longer, floor, for_ever] {
        for ahead in [false, true] {
            let (_, conn) = &mut Database::with(KEPT);
            run(
                conn,
                "INSERT INTO orders SELECT n, 0 FROM generate_series(1, 9) AS n",
            );
            run(
                conn,
                "UPDATE orders SET amount = 1; UPDATE orders SET amount = 2",
            );
            age(conn, "4 years");
            let before = last_year(conn);
            let batch = if ahead { 1 } else { 2 };
            run(
                conn,
                &format!("SELECT threadline.purge({batch}); SELECT threadline.purge({batch})"),
            );
            let left = value(conn, "SELECT count(*) FROM threadline.ledger_changes");
            run(conn, change);
            assert_eq!(value(conn, "SELECT threadline.purge(2)"), None, "{change}");
            assert_eq!(
                value(conn, "SELECT count(*) FROM threadline.ledger_changes"),
                left
            );
            assert_eq!(last_year(conn), before, "{change}");
            // The shorter policy again.
            run(
                conn,
                "SELECT threadline.set_retention(floor => NULL, actions => NULL);
                 SELECT threadline.audit('orders', keep => '3 years')",
            );
            purge_all(conn, 2);
            assert_eq!(
                rows(
                    conn,
                    "SELECT (SELECT count(*) FROM threadline.ledger_changes), array_agg(DISTINCT images)::text, bool_and(ended_at IS NOT NULL) FROM threadline.purges"
                ),
                [format!(
                    "0 | {{{}}} | true",
                    if ahead {
                        "ahead,\"by batch\""
                    } else {
                        "\"by batch\""
                    }
                )],
            );
            assert_eq!(last_year(conn), before, "{change}");
        }
    }
}
