use diesel::Connection;
use threadline::Protection;
use threadline_tests::{Database, NEWEST, NEXT, assert_rows, rows, run, schema_migration};

const ITEMS: &str =
    "CREATE TABLE items (id int PRIMARY KEY, name text); SELECT threadline.audit('items');";

/// The strongest lock on the table that the running transaction holds.
const LOCKS: &str = "SELECT mode FROM pg_locks WHERE relation = 'public.items'::regclass AND pid = pg_backend_pid() AND mode NOT IN ('AccessShareLock', 'RowShareLock') ORDER BY 1";

#[test]
fn an_unchanged_policy_takes_no_lock() {
    let (_, conn) = &mut Database::with(ITEMS);
    for call in ["threadline.refresh('items')", "threadline.audit('items')"] {
        run(conn, &format!("BEGIN; SELECT {call}"));
        assert_eq!(rows(conn, LOCKS), [""; 0], "{call}");
        run(conn, "COMMIT");
    }
}

#[test]
fn a_change_of_policy_keeps_no_reader_waiting() {
    let (database, conn) = &mut Database::with(ITEMS);
    let reader = &mut database.connect();
    run(reader, "BEGIN; SELECT FROM items");
    run(conn, "SET lock_timeout = '2s'");
    for call in [
        "threadline.audit('items', mask => ARRAY['name'])",
        "threadline.audit('items', operations => ARRAY['update'], condition => 'NEW.id > 0')",
        "threadline.unaudit('items')",
        "threadline.audit('items')",
    ] {
        run(conn, &format!("BEGIN; SELECT {call}"));
        assert!(
            rows(conn, LOCKS)
                .iter()
                .all(|mode| mode == "ShareRowExclusiveLock"),
            "{call}: {:?}",
            rows(conn, LOCKS)
        );
        run(conn, "COMMIT");
        run(reader, "SELECT FROM items");
    }
}

/// The locks of the running transaction on the audit's tables, except for reading.
const OF_THE_AUDIT: &str = "
    SELECT DISTINCT c.relname || ' ' || l.mode
    FROM pg_locks AS l
    JOIN pg_class AS c ON c.oid = l.relation AND c.relkind = 'r' AND c.relnamespace = to_regnamespace('threadline')
    WHERE l.pid = pg_backend_pid() AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock')
    ORDER BY 1";

#[test]
fn posting_and_purging_lock_nothing_of_the_tables_and_keep_no_writer_waiting() {
    let (database, conn) = &mut Database::with(ITEMS);
    run(
        conn,
        "SELECT threadline.audit('items', keep => '1 year');
         INSERT INTO items VALUES (1, 'a')",
    );
    run(conn, "BEGIN; INSERT INTO items VALUES (2, 'b')");
    assert_eq!(rows(conn, LOCKS), ["RowExclusiveLock"], "of a write itself");
    assert_eq!(rows(conn, OF_THE_AUDIT), [""; 0], "of a write");
    run(conn, "COMMIT");
    // Other sessions continue while a poster has not committed yet.
    let writer = &mut database.connect();
    run(writer, "SET lock_timeout = '2s'");
    for (call, nothing) in [("threadline.post()", "0"), ("threadline.purge()", "NULL")] {
        run(conn, "BEGIN");
        assert_ne!(
            rows(conn, &format!("SELECT {call}")),
            [nothing],
            "{call} has something to do"
        );
        assert_eq!(rows(conn, LOCKS), [""; 0], "{call}");
        assert_eq!(rows(conn, OF_THE_AUDIT), [""; 0], "{call}");
        run(writer, "UPDATE items SET name = name || '+' WHERE id = 1");
        assert_eq!(
            rows(writer, &format!("SELECT {call}")),
            [nothing],
            "a second {call}"
        );
        run(conn, "COMMIT");
        run(
            conn,
            "UPDATE threadline.ledger_changes SET captured_at = captured_at - interval '2 years' WHERE op = 'I';
             UPDATE threadline.ledger_transactions SET occurred_at = occurred_at - interval '2 years', opened_at = opened_at - interval '2 years'",
        );
    }
}

#[test]
fn another_keep_alone_locks_nothing_that_a_writer_waits_for() {
    let (database, conn) = &mut Database::with(ITEMS);
    run(
        conn,
        "BEGIN; SELECT threadline.audit('items', keep => '1 year')",
    );
    assert_rows(conn, LOCKS, []);
    run(&mut database.connect(), "INSERT INTO items VALUES (1, 'a')");
}

#[test]
fn an_upgrade_locks_the_journal_and_no_table() {
    let (_, conn) = &mut Database::empty().connected();
    run(conn, &schema_migration(0, NEWEST).up);
    run(conn, ITEMS);
    run(
        conn,
        &format!("BEGIN; {}", schema_migration(NEWEST, NEXT).up),
    );
    assert_rows(conn, LOCKS, []);
    let locked = rows(conn, OF_THE_AUDIT);
    assert!(
        locked.contains(&"journal AccessExclusiveLock".to_owned()),
        "{locked:?}"
    );
}

#[test]
fn protect_locks_the_audit_and_no_table() {
    let (database, conn) = &mut Database::with(ITEMS);
    let [owner, app] = ["owner", "app"].map(|name| format!("{}_{name}", database.name()));
    run(conn, &format!("CREATE ROLE {app}"));
    let protection = Protection::of_owner(owner).application(app);
    let rolled_back = conn.transaction(|conn| {
        protection.apply(conn).unwrap();
        assert_rows(conn, LOCKS, []);
        let locked = rows(conn, OF_THE_AUDIT);
        assert!(
            locked.contains(&"journal AccessExclusiveLock".to_owned()),
            "{locked:?}"
        );
        Err::<(), _>(diesel::result::Error::RollbackTransaction)
    });
    assert!(rolled_back.is_err());
}
