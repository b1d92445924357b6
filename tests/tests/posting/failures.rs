use std::thread;

use diesel::prelude::*;
use threadline::{Worker, post};
use threadline_tests::{Database, assert_rows, assert_value, rows, run, through_a_timeout, value};

const ITEMS: &str =
    "CREATE TABLE items (id int PRIMARY KEY, name text); SELECT threadline.audit('items');";

#[test]
fn an_entry_that_cannot_be_posted_is_set_aside_and_keeps_no_other_waiting() {
    let (_, conn) = &mut Database::with(ITEMS);
    run(
        conn,
        "INSERT INTO items SELECT k, 'n' FROM generate_series(1, 50) AS k",
    );
    // For every reason why the ledger may refuse an entry.
    run(
        conn,
        "ALTER TABLE threadline.ledger_changes ADD CONSTRAINT refused CHECK (record_key <> '17')",
    );
    post(conn).unwrap();
    let waiting = threadline::waiting(conn).unwrap();
    assert_eq!((waiting.entries, waiting.set_aside), (0, 1));
    assert_rows(
        conn,
        "SELECT code, fix FROM threadline.posting_drift()",
        ["entries-set-aside | SELECT threadline.post_again();"],
    );
    assert_value(
        conn,
        "SELECT max(position) - count(*) FROM threadline.ledger_changes",
        "0",
    );
    run(
        conn,
        "ALTER TABLE threadline.ledger_changes DROP CONSTRAINT refused",
    );
    run(conn, "SELECT threadline.post_again()");
    post(conn).unwrap();
    assert_value(
        conn,
        "SELECT count(DISTINCT record_key) FROM threadline.ledger_changes",
        "50",
    );
}

/// After a restore of data alone, or a switch-over by logical replication.
#[test]
fn ids_that_start_again_fail_no_write_and_lose_nothing() {
    let (_, conn) = &mut Database::with(ITEMS);
    for id in 1..=5 {
        run(conn, &format!("INSERT INTO items VALUES ({id}, 'before')"));
    }
    post(conn).unwrap();
    run(conn, "ALTER SEQUENCE threadline.entry_ids RESTART");
    assert_rows(
        conn,
        "SELECT code FROM threadline.posting_drift()",
        ["sequence-behind"],
    );
    run(
        conn,
        "BEGIN; SELECT threadline.set_context('{\"actor\": {\"type\": \"user\", \"id\": \"1\"}}');
         UPDATE items SET name = 'after'; DELETE FROM items WHERE id = 3; COMMIT",
    );
    post(conn).unwrap();
    assert_value(conn, "SELECT count(*) FROM threadline.journal", "0");
    assert_rows(
        conn,
        "SELECT actor_id, string_agg(left(op, 1), '' ORDER BY id) FROM threadline.changes GROUP BY actor_id, key ORDER BY 1, 2",
        [
            "1 | u", "1 | u", "1 | u", "1 | u", "1 | ud", "NULL | i", "NULL | i", "NULL | i",
            "NULL | i", "NULL | i",
        ],
    );
    assert_rows(conn, "SELECT code FROM threadline.posting_drift()", []);
    assert_rows(conn, "SELECT code FROM threadline.chain_drift('items')", []);
    run(
        conn,
        "ALTER SEQUENCE threadline.entry_ids RESTART; SELECT threadline.refresh('items')",
    );
    assert_rows(conn, "SELECT code FROM threadline.posting_drift()", []);
}

/// Terminated at any point, as when the application is restarted.
/// The ids that begin again may be those of waiting entries, or of changes whose
/// transactions have other ids, so that no key is violated.
#[test]
fn ids_that_start_again_beside_others_keep_the_order_of_changes() {
    for (posted_before, first, also_set, post_all) in [
        (false, 1, false, false),
        (false, 1, false, true),
        (false, 1, true, false),
        (true, 2, false, false),
        (true, 2, true, false),
        (true, 2, false, true),
        (true, 4, true, true),
    ] {
        let case = format!("{posted_before} {first} {also_set} {post_all}");
        let (_, conn) = &mut Database::with(&format!(
            "{ITEMS} INSERT INTO items SELECT i, 'a' FROM generate_series(1, 9) AS i"
        ));
        if posted_before {
            post(conn).unwrap();
        }
        run(conn, "UPDATE items SET name = 'b' WHERE id = 1");
        run(
            conn,
            &format!("ALTER SEQUENCE threadline.entry_ids RESTART WITH {first}"),
        );
        run(conn, "UPDATE items SET name = 'c' WHERE id = 1");
        run(
            conn,
            "BEGIN; SELECT threadline.set_context('{\"actor\": {\"type\": \"user\", \"id\": \"1\"}}');
             UPDATE items SET name = 'd' WHERE id IN (1, 2); DELETE FROM items WHERE id = 1; COMMIT",
        );
        if also_set {
            run(conn, "SELECT threadline.set_sequences()");
        }
        if post_all {
            run(conn, "SELECT threadline.post_all()");
        } else {
            post(conn).unwrap();
        }
        assert_eq!(
            rows(
                conn,
                "SELECT left(op, 1) || coalesce(changed_to ->> 'name', ''), actor_id FROM threadline.changes WHERE key ->> 'id' = '1' ORDER BY id"
            ),
            ["i | NULL", "ub | NULL", "uc | NULL", "ud | 1", "d | 1"],
            "{case}"
        );
        assert_eq!(
            rows(
                conn,
                "SELECT count(*), count(DISTINCT id), (SELECT count(*) FROM threadline.journal) + (SELECT count(*) FROM threadline.unposted) FROM threadline.changes"
            ),
            ["14 | 14 | 0"],
            "{case}"
        );
        for findings in ["chain_drift('items')", "table_drift()"] {
            assert_eq!(
                rows(conn, &format!("SELECT code FROM threadline.{findings}")),
                [""; 0],
                "{case}"
            );
        }
    }
}

#[test]
fn a_poster_that_is_killed_loses_and_doubles_nothing() {
    let (database, conn) = &mut Database::with(ITEMS);
    run(
        conn,
        "INSERT INTO items SELECT k, 'n' FROM generate_series(1, 6000) AS k",
    );
    let admin = &mut database.connect();
    for _ in 0..10 {
        let mut poster = database.connect();
        let pid = value(&mut poster, "SELECT pg_backend_pid()").unwrap();
        let killed = thread::spawn(move || {
            for _ in 0..3 {
                let _ = diesel::sql_query("SELECT threadline.post(200)").execute(&mut poster);
            }
        });
        run(admin, &format!("SELECT pg_terminate_backend({pid})"));
        killed.join().unwrap();
    }
    post(conn).unwrap();
    assert_rows(
        conn,
        "SELECT count(*), count(DISTINCT record_key), max(position) FROM threadline.ledger_changes",
        ["6000 | 6000 | 6000"],
    );
}

/// These are for requests. Posting takes longer the more waits, and would never be done again.
#[test]
fn neither_a_timeout_nor_the_isolation_level_of_the_role_stops_posting() {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY); SELECT threadline.audit('items'); INSERT INTO items VALUES (1)",
    );
    for by_worker in [false, true] {
        let posted = through_a_timeout(database, |mut poster| {
            if !by_worker {
                return post(&mut poster);
            }
            let (mut poster, mut posted) = (Some(poster), Ok(0));
            Worker::new().run(
                || {
                    poster
                        .take()
                        .ok_or(ConnectionError::InvalidConnectionUrl("one".to_owned()))
                },
                |_, turn| {
                    posted = turn;
                    false
                },
            );
            posted
        });
        assert_eq!(posted.unwrap(), 1, "{by_worker}");
        run(conn, "UPDATE items SET id = id + 1");
    }
}
