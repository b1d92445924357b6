//! Queries on a hot standby, and operations that need the primary.

use chrono::{TimeDelta, Utc};
use threadline::{Filter, timeline};
use threadline_tests::{Database, assert_rows, assert_value, rows, run, value};

#[test]
fn a_standby_answers_and_what_waited_is_posted_after_its_promotion() {
    let mut database = Database::durable();
    let conn = &mut database.connect();
    run(
        conn,
        "CREATE TABLE items (id int PRIMARY KEY, name text);
         SELECT threadline.audit('items', keep => '1 year');
         INSERT INTO items VALUES (1, 'a'), (2, 'b')",
    );
    run(conn, "SELECT threadline.post()");
    run(conn, "UPDATE items SET name = 'c' WHERE id = 1");
    let between = value(conn, "SELECT clock_timestamp()::text").unwrap();
    // After it, something must have been replayed.
    run(conn, "UPDATE items SET name = 'd' WHERE id = 2");
    let after = Utc::now();

    database.own_server().restart_as_standby();
    let conn = &mut database.connect();
    assert_value(conn, "SELECT pg_is_in_recovery()::text", "true");
    // The two updates were never posted.
    assert_rows(
        conn,
        "SELECT op, key ->> 'id' FROM threadline.changes ORDER BY id",
        ["insert | 1", "insert | 2", "update | 1", "update | 2"],
    );
    assert_eq!(
        timeline(Filter::new().table("items"))
            .page(conn)
            .unwrap()
            .entries
            .len(),
        4
    );
    assert_rows(
        conn,
        "SELECT entries_waiting FROM threadline.metrics",
        ["2"],
    );
    let as_of = |instant: &str| {
        format!(
            "SELECT state, image ->> 'name' FROM threadline.record_as_of('items', '1', '{instant}')"
        )
    };
    assert_rows(conn, &as_of(&between), ["there | c"]);
    assert_rows(
        conn,
        &format!(
            "SELECT image ->> 'name' FROM threadline.rows_as_of('items', '{between}') ORDER BY 1"
        ),
        ["b", "c"],
    );
    // It has had no message from a quiet primary since.
    let later = (after + TimeDelta::milliseconds(1)).to_rfc3339();
    assert!(rows(conn, &as_of(&later))[0].starts_with("not_final"));

    for (call, result) in [("threadline.post()", "0"), ("threadline.purge()", "NULL")] {
        assert_eq!(rows(conn, &format!("SELECT {call}")), [result], "{call}");
    }
    for write in [
        "INSERT INTO items VALUES (3, 'e')",
        "SELECT threadline.record_action('item.seen', 'user', '1')",
        "SELECT threadline.hold('lawsuit', 'items')",
        "SELECT threadline.unmask('ticket 1', 'user', '1')",
    ] {
        let error = diesel::RunQueryDsl::execute(diesel::sql_query(write), conn).unwrap_err();
        assert!(
            error.to_string().contains("read-only transaction"),
            "{write}: {error}"
        );
    }

    run(conn, "SELECT pg_promote()");
    assert_rows(conn, "SELECT threadline.post()", ["2"]);
    run(conn, "INSERT INTO items VALUES (3, 'e')");
    assert_rows(conn, "SELECT count(*) FROM threadline.changes", ["5"]);
}
