use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use diesel::PgConnection;
use threadline_tests::{Database, RepeatingPsql, assert_rows, rows, run, value, wait_until};

use crate::{KEPT, age};

const CHANGES: u64 = 100 + 100 * 50;

/// One batch at a time, committed at once, or held open for a moment after its changes
/// are removed.
const TURNS: [&str; 2] = [
    "SELECT threadline.purge(25);\n",
    "BEGIN;\nSELECT threadline.purge(25);\nSELECT pg_sleep(0.02);\nCOMMIT;\n",
];

const PROGRESS: &str =
    "SELECT (p.kept_id, p.reached_transaction, p.reached_id) FROM threadline.purges AS p";

/// Returns the session of a purger that has removed something and not committed it.
fn amidst(conn: &mut PgConnection, purger: &mut RepeatingPsql) -> (String, String) {
    let mut found = vec![];
    purger.wait_until("somebody purges", || {
        found = rows(
            conn,
            "SELECT pid, backend_xid FROM pg_stat_activity WHERE application_name = 'purger' AND backend_xid IS NOT NULL",
        );
        !found.is_empty()
    });
    let (pid, transaction) = found[0].split_once(" | ").expect("two columns");
    (pid.into(), transaction.into())
}

fn number(conn: &mut PgConnection, sql: &str) -> u64 {
    value(conn, sql).unwrap().parse().unwrap()
}

/// Returns all results for kept instants, by table and by record.
fn answers(conn: &mut PgConnection, instants: &[String]) -> Vec<String> {
    instants
        .iter()
        .flat_map(|at| {
            let mut all = rows(
                conn,
                &format!("SELECT record_key, image, unrecorded FROM threadline.rows_as_of('orders', '{at}') ORDER BY record_key"),
            );
            all.extend(rows(
                conn,
                &format!(
                    "SELECT k, r.state, r.image FROM unnest('{{1,2,7,50,60,90,1001}}'::text[]) AS k,
                            threadline.record_as_of('orders', k, '{at}') AS r ORDER BY k"
                ),
            ));
            all
        })
        .collect()
}

#[test]
fn a_purge_that_is_killed_loses_nothing_and_is_finished_by_another() {
    killed_at_any_point("by batch");
}

#[test]
fn a_purge_of_much_that_is_killed_loses_nothing_and_is_finished_by_another() {
    killed_at_any_point("ahead");
}

/// The client, its session in the server, the server itself, and both; images kept either
/// way.
fn killed_at_any_point(images: &str) {
    let mut database = Database::durable();
    let conn = &mut database.connect();
    run(conn, KEPT);
    run(
        conn,
        "INSERT INTO orders SELECT n, 0 FROM generate_series(1, 100) AS n",
    );
    for _ in 0..100 {
        run(conn, "UPDATE orders SET amount = amount + 1 WHERE id <= 50");
    }
    age(conn, "4 years");
    run(
        conn,
        "UPDATE orders SET id = id + 1000 WHERE id < 3; UPDATE orders SET amount = amount * 2 WHERE id < 20;
         DELETE FROM orders WHERE id BETWEEN 46 AND 60; INSERT INTO orders VALUES (1, 1), (60, 2)",
    );
    age(conn, "1 year");
    let alteration = if images == "ahead" {
        ""
    } else {
        // The state before is known only from changes before the horizon.
        "ALTER TABLE orders ALTER amount TYPE bigint USING amount * 10; SELECT threadline.refresh('orders');"
    };
    run(
        conn,
        &format!(
            "{alteration} UPDATE orders SET amount = amount - 1 WHERE id > 2; SELECT threadline.post()"
        ),
    );
    let instants = rows(
        conn,
        "SELECT now() - y * interval '1 month' FROM generate_series(0, 34, 10) AS y",
    );
    let before = answers(conn, &instants);
    let in_all = number(conn, "SELECT count(*) FROM threadline.ledger_changes");
    // The first call begins the run; without progress, the sessions below would call for ever.
    run(conn, TURNS[0]);
    let begun = value(conn, PROGRESS);
    run(conn, TURNS[0]);
    assert_ne!(value(conn, PROGRESS), begun, "a call makes progress");
    assert_eq!(answers(conn, &instants), before);
    let mut interrupted = 0;

    let mut conn = database.connect();
    for round in 0..16_u64 {
        let kind = round % 8;
        let turn = TURNS[round as usize % 2];
        let mut purger = RepeatingPsql::start(&database, "purger", turn);
        let already = value(&mut conn, PROGRESS);
        purger.wait_until("a batch is done", || value(&mut conn, PROGRESS) != already);
        let (session, transaction) = amidst(&mut conn, &mut purger);
        sleep(Duration::from_millis(round % 3));
        match kind / 2 {
            0 => purger.kill(),
            1 => {
                let killed = Command::new("kill")
                    .args(["-KILL", &session])
                    .status()
                    .unwrap();
                assert!(killed.success());
            }
            2 => database.own_server().kill(),
            _ => {
                purger.kill();
                database.own_server().kill();
            }
        }
        if kind / 2 > 0 {
            wait_until("everybody is sent away", || {
                diesel::RunQueryDsl::execute(diesel::sql_query("SELECT 1"), &mut conn).is_err()
            });
        }
        if kind / 2 > 1 {
            database.own_server().restart();
        }
        drop(purger);
        // The server recovers by itself after one of its sessions was killed.
        wait_until("the server is there", || {
            <PgConnection as diesel::Connection>::establish(&database.url()).is_ok()
        });
        conn = database.connect();
        wait_until("the session ends", || {
            number(
                &mut conn,
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'purger'",
            ) == 0
        });
        // A killed server may never have written it.
        let committed = value(
            &mut conn,
            &format!(
                "SELECT CASE WHEN xid < pg_snapshot_xmax(pg_current_snapshot()) THEN pg_xact_status(xid) = 'committed' ELSE false END
                 FROM (SELECT xid8 '{transaction}') AS t (xid)"
            ),
        );
        interrupted += u64::from(committed.as_deref() == Some("false"));

        let purged = number(&mut conn, "SELECT sum(purged) FROM threadline.purges");
        assert!(
            purged < CHANGES,
            "round {round}: nothing is left to be interrupted"
        );
        assert_eq!(
            number(&mut conn, "SELECT count(*) FROM threadline.ledger_changes") + purged,
            in_all,
            "round {round}"
        );
        assert_eq!(answers(&mut conn, &instants), before, "round {round}");
    }
    assert!(interrupted > 0, "no batch was interrupted");

    threadline::purge(&mut conn).unwrap();
    assert_eq!(answers(&mut conn, &instants), before);
    assert_eq!(
        rows(
            &mut conn,
            "SELECT purged, ended_at IS NOT NULL, images FROM threadline.purges"
        ),
        [format!("{CHANGES} | true | {}", images)]
    );
    assert_rows(
        &mut conn,
        "SELECT code FROM threadline.chain_drift('orders')",
        [],
    );
}
