use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use diesel::prelude::*;
use threadline::{ActorRef, AuditContext, AuditExt, record_action};
use threadline_tests::{Database, assert_rows, assert_value, rows, run, value};

const ITEMS: &str = "
    CREATE TABLE items (id int PRIMARY KEY, name text, n int NOT NULL DEFAULT 0, at timestamptz);
    CREATE TABLE pairs (a int, b text, secret text, PRIMARY KEY (a, b));
    SELECT threadline.audit('items'), threadline.audit('pairs', mask => ARRAY['secret']);";

/// Returns the results of all queries.
fn everything(conn: &mut PgConnection) -> Vec<String> {
    let mut all = rows(conn, "SELECT * FROM threadline.changes ORDER BY id");
    all.extend(rows(
        conn,
        "SELECT * FROM threadline.transactions ORDER BY id",
    ));
    all.extend(rows(conn, "SELECT * FROM threadline.actions ORDER BY id"));
    all
}

fn write(conn: &mut PgConnection) {
    let context = AuditContext::new(ActorRef::user(7).unwrap());
    conn.audited_transaction::<_, threadline::Error, _>(&context, |conn| {
        run(
            conn,
            "INSERT INTO items SELECT k, 'n' || k, k, now() FROM generate_series(1, 40) AS k;
             UPDATE items SET name = 'x' WHERE id < 10; UPDATE items SET id = id + 100 WHERE id > 30;
             INSERT INTO pairs VALUES (1, 'b', 's3cr3t'); UPDATE pairs SET secret = 'other'",
        );
        record_action(conn, "items.made")
    })
    .unwrap();
    run(conn, "DELETE FROM items WHERE id > 120; TRUNCATE pairs");
}

#[test]
fn an_answer_is_the_same_before_and_after_posting() {
    let (_, conn) = &mut Database::with(ITEMS);
    write(conn);
    let as_of = "SELECT * FROM threadline.rows_as_of('items', now()) ORDER BY 1";
    let (before, rows_before) = (everything(conn), rows(conn, as_of));
    assert!(before.len() > 70, "{before:#?}");
    assert_eq!(threadline::waiting(conn).unwrap().set_aside, 0);
    // In the middle, too.
    run(conn, "SELECT threadline.post(7)");
    assert_eq!(everything(conn), before);
    threadline::post(conn).unwrap();
    assert_eq!(everything(conn), before);
    assert_eq!(rows(conn, as_of), rows_before);
    assert_eq!(threadline::waiting(conn).unwrap().entries, 0);
}

#[test]
fn a_snapshot_sees_each_change_once_whoever_posts() {
    let (database, conn) = &mut Database::with(ITEMS);
    let poster = &mut database.connect();
    write(conn);
    for isolation in ["REPEATABLE READ", "SERIALIZABLE"] {
        run(conn, &format!("BEGIN ISOLATION LEVEL {isolation}"));
        let before = everything(conn);
        run(poster, "SELECT threadline.post(11)");
        assert_eq!(everything(conn), before);
        run(conn, "COMMIT");
        assert_eq!(everything(conn), before);
    }
}

#[test]
fn own_uncommitted_changes_are_seen_and_never_posted_by_others() {
    let (database, conn) = &mut Database::with(ITEMS);
    let poster = &mut database.connect();
    run(conn, "BEGIN; INSERT INTO items VALUES (1, 'a')");
    let recorded = "SELECT count(*) FROM threadline.changes";
    assert_value(conn, recorded, "1");
    assert_eq!(
        value(conn, "SELECT threadline.post()").as_deref(),
        Some("0"),
        "in a transaction nothing is posted"
    );
    assert_eq!(threadline::post(poster).unwrap(), 0);
    run(conn, "ROLLBACK");
    assert_value(conn, recorded, "0");
}

/// Writers with savepoints and rollbacks, two workers, and one follower by position the
/// whole time.
#[test]
fn positions_have_no_gap_and_a_follower_has_each_change_once_and_in_order() {
    const WRITERS: i32 = 3;
    let database = Database::new();
    run(&mut database.connect(), ITEMS);
    let done = AtomicBool::new(false);
    let followed: Vec<(i64, i64, String)> = thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let database = &database;
                scope.spawn(move || {
                    let conn = &mut database.connect();
                    for turn in 0..60 {
                        let id = turn % 5;
                        run(
                            conn,
                            &format!(
                                "BEGIN; INSERT INTO items VALUES ({id}, 'w{writer}') ON CONFLICT (id) DO UPDATE SET n = items.n + 1;
                                 SAVEPOINT s; UPDATE items SET name = name || '.' WHERE id = {id}; ROLLBACK TO s;
                                 {}",
                                if turn % 7 == 3 { "ROLLBACK" } else { "COMMIT" }
                            ),
                        );
                    }
                })
            })
            .collect();
        for _ in 0..2 {
            scope.spawn(|| {
                let conn = &mut database.connect();
                while !done.load(Ordering::Relaxed) {
                    run(conn, "SELECT threadline.post(9)");
                }
            });
        }
        let follower = scope.spawn(|| {
            let conn = &mut database.connect();
            let mut seen: Vec<(i64, i64, String)> = vec![];
            loop {
                let over = done.load(Ordering::Relaxed);
                let last = seen.last().map_or(0, |(position, ..)| *position);
                for row in rows(
                    conn,
                    &format!(
                        "SELECT position, id, record_key FROM threadline.ledger_changes WHERE position > {last} ORDER BY position"
                    ),
                ) {
                    let mut parts = row.split(" | ");
                    let mut number = || parts.next().unwrap().parse().unwrap();
                    seen.push((number(), number(), parts.next().unwrap().to_owned()));
                }
                if over && value(conn, "SELECT count(*) FROM threadline.journal").as_deref() == Some("0") {
                    break seen;
                }
                if over {
                    threadline::post(conn).unwrap();
                }
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::Relaxed);
        follower.join().unwrap()
    });
    let positions: Vec<i64> = followed.iter().map(|(position, ..)| *position).collect();
    assert_eq!(
        positions,
        (1..=positions.len() as i64).collect::<Vec<_>>(),
        "without gaps"
    );
    let conn = &mut database.connect();
    assert_eq!(
        value(conn, "SELECT count(*) FROM threadline.audit_changes"),
        Some(positions.len().to_string())
    );
    for key in 0..5 {
        let ids: Vec<i64> = followed
            .iter()
            .filter(|(.., of)| *of == key.to_string())
            .map(|(_, id, _)| *id)
            .collect();
        assert!(ids.is_sorted() && !ids.is_empty(), "{key}: {ids:?}");
    }
    assert_rows(conn, "SELECT * FROM threadline.chain_drift('items')", []);
}

#[test]
fn a_worker_posts_until_it_is_stopped() {
    let (database, conn) = &mut Database::with(ITEMS);
    let url = database.url();
    let worker = threadline::Worker::new()
        .every(std::time::Duration::from_millis(5))
        .spawn(move || PgConnection::establish(&url))
        .unwrap();
    write(conn);
    while threadline::waiting(conn).unwrap().entries > 0 {
        thread::yield_now();
    }
    worker.stop();
    run(conn, "INSERT INTO items VALUES (900)");
    assert_eq!(threadline::waiting(conn).unwrap().entries, 1);
}

#[test]
fn a_reader_posts_first_if_many_entries_wait() {
    let (_, conn) = &mut Database::with(ITEMS);
    run(conn, "INSERT INTO items SELECT generate_series(1, 3000)");
    let page = threadline::timeline(threadline::Filter::new())
        .page(conn)
        .unwrap();
    assert_eq!(page.entries.len(), 50);
    assert_eq!(threadline::waiting(conn).unwrap().entries, 0);
}

#[test]
fn a_dump_with_a_full_journal_restores_to_the_same_history() {
    let (database, conn) = &mut Database::with(ITEMS);
    write(conn);
    run(conn, "SELECT threadline.post(20)");
    let before = everything(conn);
    let (_, conn) = &mut database.restored().connected();
    assert_eq!(everything(conn), before);
    threadline::post(conn).unwrap();
    assert_eq!(everything(conn), before);
}
