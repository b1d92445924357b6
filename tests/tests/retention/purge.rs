use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use threadline::{
    ActorRef, AuditContext, AuditExt, Audited, ErrorKind, FindingCode, Unavailable, models, purge,
    purge_preview, record_action,
};
use threadline_tests::{
    Database, assert_rows, assert_value, now, rows, run, run_under, through_a_timeout, value,
};

use crate::{KEPT, Order, age};

fn all_as_of(conn: &mut PgConnection, at: DateTime<Utc>) -> Vec<Order> {
    let rows = Order::all_as_of(conn, at).unwrap();
    let mut orders: Vec<_> = rows.map(|row| row.unwrap().record.unwrap()).collect();
    orders.sort_by_key(|order| order.id);
    orders
}

#[test]
fn a_purge_removes_older_changes_and_keeps_every_answer_after_them() {
    let (_, conn) = &mut Database::with(KEPT);
    run(
        conn,
        "INSERT INTO orders SELECT n, 0 FROM generate_series(1, 60) AS n;
         UPDATE orders SET amount = 1 WHERE id <= 40;
         DELETE FROM orders WHERE id % 10 = 0",
    );
    let first_era = now(conn) - chrono::Duration::days(365 * 4);
    age(conn, "2 years");
    run(
        conn,
        "UPDATE orders SET amount = 2 WHERE id <= 30;
         UPDATE orders SET id = id + 1000 WHERE id IN (1, 2);
         DELETE FROM orders WHERE id BETWEEN 11 AND 19;
         INSERT INTO orders VALUES (11, 5), (100, 6)",
    );
    let second_era = now(conn) - chrono::Duration::days(365 * 2);
    age(conn, "2 years");
    run(
        conn,
        "UPDATE orders SET amount = amount + 10; DELETE FROM orders WHERE id < 5; INSERT INTO orders VALUES (1, 8)",
    );
    run(conn, "SELECT threadline.post()");
    let asked: Vec<_> = (0..20)
        .map(|n| second_era + chrono::Duration::days(36 * n))
        .collect();
    let before: Vec<_> = asked.iter().map(|&at| all_as_of(conn, at)).collect();
    assert_eq!(before[0].len(), 54 - 9 + 2);
    assert_eq!(all_as_of(conn, first_era).len(), 54);

    let preview = purge_preview(conn).unwrap();
    assert_eq!(preview.len(), 1);
    assert_eq!((preview[0].goes, preview[0].stays), (60 + 40 + 6, 0));
    assert_eq!(purge(conn).unwrap(), 60 + 40 + 6);
    assert_eq!(purge(conn).unwrap(), 0);

    for (at, before) in asked.iter().zip(&before) {
        assert_eq!(&all_as_of(conn, *at), before, "{at}");
    }
    // One by one, too, under every key.
    for id in [1, 2, 11, 20, 60, 100, 1001, 1002] {
        let of_all = before[0].iter().find(|order| order.id == id);
        let one = Order::as_of(conn, id, asked[0]).unwrap();
        assert_eq!(one.ok().as_ref(), of_all, "{id}");
    }
    let since = match Order::as_of(conn, 3, first_era).unwrap() {
        Err(Unavailable::NoLongerKept { since }) => since,
        other => panic!("{other:?}"),
    };
    let refused = Order::all_as_of(conn, first_era).err().expect("refused");
    assert!(
        matches!(refused.kind(), ErrorKind::Unavailable(Unavailable::NoLongerKept { since: all }) if *all == since),
        "{refused:?}"
    );
    // Unknown values are not reverted.
    let refused = Order::revert_to(conn, 100, first_era).unwrap_err();
    assert!(
        matches!(refused.kind(), ErrorKind::RevertConflicts(reasons) if reasons[0].reason == "changes of that time are no longer kept"),
        "{refused:?}"
    );
    let mut findings = models![Order].verify().run(conn).unwrap().findings;
    findings.retain(|finding| finding.code != FindingCode::Unattributed);
    assert_eq!(findings, []);
    // Transactions were removed with their last change, and the run is on record.
    assert_value(
        conn,
        "SELECT count(*) FROM threadline.audit_transactions AS x
         WHERE NOT EXISTS (SELECT FROM threadline.audit_changes AS c WHERE c.transaction_id = x.id)
           AND NOT EXISTS (SELECT FROM threadline.audit_actions AS a WHERE a.transaction_id = x.id)",
        "0",
    );
    assert_rows(
        conn,
        "SELECT a.name, p.purged, p.transactions, p.ended_at IS NOT NULL, p.bytes > 0
         FROM threadline.purges AS p JOIN threadline.audit_actions AS a ON a.id = p.action_id",
        ["audit.purged | 106 | 1 | true | true"],
    );
}

/// After any interruption it continues from its last batch, and queries about instants
/// before the horizon fail from the first batch on.
#[test]
fn an_interrupted_purge_answers_as_a_finished_one_and_goes_on() {
    let (database, conn) = &mut Database::with(KEPT);
    run(
        conn,
        "INSERT INTO orders SELECT n, 0 FROM generate_series(1, 50) AS n",
    );
    for _ in 0..20 {
        run(conn, "UPDATE orders SET amount = amount + 1");
    }
    age(conn, "4 years");
    let old = now(conn) - chrono::Duration::days(365 * 4 - 1);
    assert_eq!(all_as_of(conn, old).len(), 50);
    for batch in 1..=3 {
        let mut killed = database.connect();
        let pid = value(&mut killed, "SELECT pg_backend_pid()").unwrap();
        run(&mut killed, "BEGIN; SELECT threadline.purge(100)");
        drop(killed);
        // Until the server notices, another session is purging.
        let gone = format!("SELECT count(*) FROM pg_stat_activity WHERE pid = {pid}");
        while value(conn, &gone).as_deref() != Some("0") {
            thread::sleep(Duration::from_millis(5));
        }
        let mut purger = database.connect();
        assert_value(&mut purger, "SELECT threadline.purge(100)", "100");
        assert!(Order::all_as_of(conn, old).is_err(), "batch {batch}");
    }
    assert_value(
        conn,
        "SELECT count(*) FROM threadline.ledger_changes",
        "750",
    );
    assert_eq!(purge(conn).unwrap(), 750);
    assert_rows(
        conn,
        "SELECT purged, transactions, ended_at IS NOT NULL FROM threadline.purges",
        ["1050 | 21 | true"],
    );
    let at = now(conn);
    assert_eq!(all_as_of(conn, at).len(), 50);
}

#[test]
fn writers_and_another_purger_are_not_kept_waiting() {
    let (database, conn) = &mut Database::with(KEPT);
    run(
        conn,
        "INSERT INTO orders SELECT n, 0 FROM generate_series(1, 50) AS n",
    );
    age(conn, "4 years");
    run(conn, "BEGIN; SELECT threadline.purge(10)");
    let mut other = database.connect();
    run(&mut other, "SET statement_timeout = '20s'");
    assert_eq!(value(&mut other, "SELECT threadline.purge()"), None);
    run(&mut other, "UPDATE orders SET amount = 1");
    run(&mut other, "SELECT threadline.post()");
    assert_value(
        &mut other,
        "SELECT count(*) FROM threadline.ledger_changes",
        "100",
    );
    run(conn, "COMMIT");
    assert_eq!(purge(conn).unwrap(), 40);
    assert_value(conn, "SELECT count(*) FROM threadline.audit_changes", "50");
}

#[test]
fn a_timeout_of_the_role_does_not_stop_a_purge() {
    let (database, conn) = &mut Database::with(KEPT);
    run(conn, "INSERT INTO orders VALUES (1, 0); DELETE FROM orders");
    age(conn, "4 years");
    let purged = through_a_timeout(database, |mut conn| purge(&mut conn));
    assert_eq!(purged.unwrap(), 2);
}

/// A transaction falls on one side of an instant; so one that ended inside the kept period
/// is kept in full.
#[test]
fn of_a_transaction_that_went_on_over_the_horizon_nothing_goes() {
    let (_, conn) = &mut Database::with(KEPT);
    run(conn, "INSERT INTO orders VALUES (1, 0), (2, 0)");
    age(conn, "5 years");
    run(
        conn,
        "BEGIN; UPDATE orders SET amount = 1 WHERE id = 1; UPDATE orders SET amount = 1 WHERE id = 2; COMMIT",
    );
    run(conn, "SELECT threadline.post()");
    // Its first change came long before its last.
    run(
        conn,
        "UPDATE threadline.ledger_changes SET captured_at = captured_at - interval '4 years' WHERE op = 'U' AND record_key = '1';
         UPDATE threadline.ledger_transactions AS x
         SET opened_at = opened_at - interval '4 years', occurred_at = occurred_at - interval '4 years', extended_until = now() + interval '1 second'
         WHERE EXISTS (SELECT FROM threadline.ledger_changes AS c WHERE c.transaction_id = x.id AND c.op = 'U')",
    );
    let inside = now(conn) - chrono::Duration::days(365 * 2);
    let before = all_as_of(conn, inside);
    assert_eq!(before.iter().map(|order| order.amount).sum::<i32>(), 0);
    assert_eq!(purge(conn).unwrap(), 2);
    assert_eq!(all_as_of(conn, inside), before);
}

#[test]
fn a_transaction_stays_as_long_as_an_action_or_another_table_needs_it() {
    let (_, conn) = &mut Database::with(KEPT);
    run(
        conn,
        "CREATE TABLE notes (id int PRIMARY KEY); SELECT threadline.audit('notes')",
    );
    let grace = AuditContext::new(ActorRef::user("grace").unwrap());
    run_under(
        conn,
        &grace,
        "INSERT INTO orders VALUES (1, 0); INSERT INTO notes VALUES (1)",
    );
    conn.audited_transaction(&grace, |conn| {
        run(conn, "INSERT INTO orders VALUES (2, 0)");
        record_action(conn, "order.placed")
    })
    .unwrap();
    run(conn, "INSERT INTO orders VALUES (3, 0)");
    age(conn, "4 years");
    assert_eq!(purge(conn).unwrap(), 3);
    assert_rows(
        conn,
        "SELECT x.actor_id, count(c.id) FROM threadline.audit_transactions AS x
         LEFT JOIN threadline.audit_changes AS c ON c.transaction_id = x.id
         WHERE x.opened_at < now() - interval '1 year'
         GROUP BY x.id, x.actor_id ORDER BY x.id",
        ["grace | 1", "grace | 0"],
    );
    // Actions are kept for their own retention; those of the audit itself for ever.
    run(
        conn,
        "SELECT threadline.set_retention(NULL, actions => '2 years')",
    );
    assert_eq!(purge(conn).unwrap(), 1);
    assert_rows(
        conn,
        "SELECT name, count(*) FROM threadline.audit_actions GROUP BY 1 ORDER BY 1",
        ["audit.purged | 2", "audit.retention_changed | 1"],
    );
}

#[test]
fn without_a_policy_everything_is_kept_also_of_a_table_that_is_audited_no_more() {
    let (_, conn) = &mut Database::with(KEPT);
    run(
        conn,
        "CREATE TABLE notes (id int PRIMARY KEY); SELECT threadline.audit('notes');
         INSERT INTO notes VALUES (1); INSERT INTO orders VALUES (1, 1);
         SELECT threadline.unaudit('orders')",
    );
    age(conn, "100 years");
    // The retention of a table outlasts its audit.
    assert_eq!(purge(conn).unwrap(), 1);
    assert_rows(conn, "SELECT table_id FROM threadline.audit_changes", ["2"]);
}

/// Queries about the past do not know of the former.
#[test]
fn changes_that_were_deleted_by_hand_are_reported_and_purged_ones_are_not() {
    let (_, conn) = &mut Database::with(KEPT);
    let missing = |conn: &mut PgConnection| {
        rows(
            conn,
            "SELECT code, message FROM threadline.posting_drift() ORDER BY 1",
        )
    };
    run(
        conn,
        "INSERT INTO orders SELECT n, 0 FROM generate_series(1, 10) AS n",
    );
    age(conn, "4 years");
    run(conn, "UPDATE orders SET amount = 1");
    run(conn, "SELECT threadline.post()");
    assert_eq!(purge(conn).unwrap(), 10);
    run(conn, "UPDATE orders SET amount = 2");
    run(conn, "SELECT threadline.post()");
    assert_eq!(missing(conn), [""; 0]);
    let reported = |deleted: &str, missing: &[String]| {
        let [finding] = missing else {
            panic!("{missing:?}");
        };
        let begins = format!(
            "changes-missing | the oldest {deleted} changes are gone, and no purge removed them: the state at an instant before 2"
        );
        assert!(finding.starts_with(&begins), "{finding}");
    };
    run(
        conn,
        "DELETE FROM threadline.ledger_changes WHERE position = 11",
    );
    reported("1", &missing(conn));
    run(
        conn,
        "DELETE FROM threadline.ledger_changes WHERE position < 15",
    );
    reported("4", &missing(conn));
    let verification = models![Order].verify().run(conn).unwrap();
    assert!(
        verification
            .findings
            .iter()
            .any(|finding| finding.code == FindingCode::ChangesMissing)
    );
    run(conn, "DELETE FROM threadline.ledger_changes");
    assert!(missing(conn)[0].starts_with("changes-missing | the oldest 20 changes are gone, and no purge removed them: the state at an instant may be wrong"));
}

/// So no table waits behind one that has old changes each time.
#[test]
fn the_table_that_was_purged_least_recently_is_next() {
    let (_, conn) = &mut Database::with(KEPT);
    run(
        conn,
        "CREATE TABLE notes (id int PRIMARY KEY); SELECT threadline.audit('notes', keep => '3 years');
         CREATE TABLE posts (id int PRIMARY KEY); SELECT threadline.audit('posts', keep => '3 years');
         CREATE TABLE users (id int PRIMARY KEY); SELECT threadline.audit('users');
         SELECT threadline.set_retention(NULL, actions => '3 years')",
    );
    let mut id = 0;
    let mut order_of = |conn: &mut PgConnection, written: &[&str]| {
        for table in written {
            id += 1;
            run(
                conn,
                &match *table {
                    "actions" => {
                        "SELECT threadline.record_action('post.seen', 'user', '1')".to_owned()
                    }
                    "orders" => format!("INSERT INTO orders VALUES ({id}, 0)"),
                    table => format!("INSERT INTO {table} VALUES ({id})"),
                },
            );
        }
        age(conn, "4 years");
        let last = value(conn, "SELECT coalesce(max(id), 0) FROM threadline.purges").unwrap();
        assert_eq!(purge(conn).unwrap(), written.len() as u64);
        rows(
            conn,
            &format!(
                "SELECT coalesce(t.table_name, 'actions') FROM threadline.purges AS p
                 LEFT JOIN threadline.audited_tables AS t ON t.id = p.table_id WHERE p.id > {last} ORDER BY p.id"
            ),
        )
    };
    // At first in the order of their audit; a run is of one table.
    assert_eq!(
        order_of(conn, &["actions", "posts", "notes", "orders"]),
        ["orders", "notes", "posts", "actions"]
    );
    assert_eq!(order_of(conn, &["notes"]), ["notes"]);
    assert_eq!(
        order_of(conn, &["orders", "notes", "actions", "posts"]),
        ["orders", "posts", "actions", "notes"]
    );
    assert_eq!(
        order_of(conn, &["posts", "orders", "posts"]),
        ["orders", "posts"]
    );
    assert_eq!(
        order_of(conn, &["notes", "orders", "posts", "actions"]),
        ["actions", "notes", "orders", "posts"]
    );
}
