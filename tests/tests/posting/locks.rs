use threadline_tests::{Database, rows, run};

const ITEMS: &str =
    "CREATE TABLE items (id int PRIMARY KEY, name text); SELECT threadline.audit('items');";

/// The strongest lock on the table that the running transaction holds.
const LOCKS: &str = "SELECT mode FROM pg_locks WHERE relation = 'items'::regclass AND pid = pg_backend_pid() AND mode NOT IN ('AccessShareLock', 'RowShareLock') ORDER BY 1";

#[test]
fn where_nothing_differs_nothing_is_locked() {
    let database = Database::new();
    let conn = &mut database.connect();
    run(conn, ITEMS);
    for call in ["threadline.refresh('items')", "threadline.audit('items')"] {
        run(conn, &format!("BEGIN; SELECT {call}"));
        assert_eq!(rows(conn, LOCKS), [""; 0], "{call}");
        run(conn, "COMMIT");
    }
}

#[test]
fn a_change_of_policy_keeps_no_reader_waiting() {
    let database = Database::new();
    let (conn, reader) = (&mut database.connect(), &mut database.connect());
    run(conn, ITEMS);
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
