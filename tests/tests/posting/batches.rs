//! What posting does for a whole batch gives the same result as for each entry alone.

use threadline_tests::{Database, assert_value, rows, run, value};

/// Posting guesses that an update changes the columns that the newest one of its table changed.
#[test]
fn an_update_is_reduced_to_its_own_changes_whatever_others_changed() {
    let updates = [
        ("n = 2", r#"{"n": 1} | {"n": 2}"#),
        ("n = 2.0", r#"{"n": 2} | {"n": 2.0}"#),
        (
            "n = 3, t = 'b'",
            r#"{"n": 2.0, "t": "a"} | {"n": 3, "t": "b"}"#,
        ),
        (
            "n = 4, t = NULL",
            r#"{"n": 3, "t": "b"} | {"n": 4, "t": null}"#,
        ),
        ("t = '4'", r#"{"t": null} | {"t": "4"}"#),
        (
            "d = '{\"t\": 1.0}'",
            r#"{"d": {"t": 1}} | {"d": {"t": 1.0}}"#,
        ),
        (
            "d = '1', n = 5",
            r#"{"d": {"t": 1.0}, "n": 4} | {"d": 1, "n": 5}"#,
        ),
        (
            "more = 8, n = 6",
            r#"{"n": 5, "more": 7} | {"n": 6, "more": 8}"#,
        ),
        ("n = 7", r#"{"n": 6} | {"n": 7}"#),
        ("n = 8", r#"{"n": 7} | {"n": 8}"#),
    ];
    let (_, conn) = &mut Database::with(
        r#"CREATE TABLE items (id int PRIMARY KEY, n numeric, t text, d jsonb);
           SELECT threadline.audit('items');
           INSERT INTO items VALUES (1, 1, 'a', '{"t": 1}')"#,
    );
    for (number, (update, _)) in updates.iter().enumerate() {
        match number {
            7 => run(conn, "ALTER TABLE items ADD COLUMN more int DEFAULT 7"),
            9 => run(conn, "ALTER TABLE items DROP COLUMN more"),
            _ => {}
        }
        run(conn, &format!("UPDATE items SET {update}"));
    }
    run(
        conn,
        "CREATE TABLE waited AS SELECT * FROM threadline.journal",
    );
    let expected = updates.map(|(_, change)| change);
    for at_most in 1..=updates.len() + 1 {
        run(
            conn,
            "TRUNCATE threadline.ledger_changes, threadline.ledger_transactions, threadline.journal;
             INSERT INTO threadline.journal SELECT * FROM waited",
        );
        while value(conn, &format!("SELECT threadline.post({at_most})")).as_deref() != Some("0") {}
        let changes = rows(
            conn,
            "SELECT changed_from, changed_to FROM threadline.ledger_changes WHERE op = 'U' ORDER BY id",
        );
        assert_eq!(changes, expected, "{at_most} at once");
    }
}

#[test]
fn a_context_that_cannot_be_read_changes_no_other_transaction() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY, name text); SELECT threadline.audit('items')",
    );
    let contexts = [
        (
            r#"{"actor": {"type": "user", "id": "7"}, "remote_ip": "10.0.0.1"}"#,
            "user | 7 | sql | 10.0.0.1 | NULL",
        ),
        (
            r#"{"actor": {"type": "user", "id": "8"}, "remote_ip": "here"}"#,
            "user | 8 | sql | NULL | remote_ip is not an address",
        ),
        (
            r#"{"actor": {"type": "#,
            "NULL | NULL | unreadable | NULL | the context is not JSON: invalid input syntax for type json",
        ),
        (
            r#"{"actor": {"type": "anonymous"}}"#,
            "anonymous | NULL | sql | NULL | NULL",
        ),
        (
            r#"{"actor": {"type": "user", "id": "\t"}}"#,
            "NULL | NULL | unreadable | NULL | the actor has no type or no id",
        ),
        (
            r#"{"actor": {"type": "ä", "id": "ö"}, "origin": "explicit"}"#,
            "ä | ö | explicit | NULL | NULL",
        ),
        (
            r#"{"actor": null, "source": "x"}"#,
            "NULL | NULL | none | NULL | NULL",
        ),
        (r#"{"source": "x"}"#, "NULL | NULL | none | NULL | NULL"),
    ];
    let (writes, expected): (Vec<String>, Vec<&str>) = contexts
        .iter()
        .enumerate()
        .map(|(id, (context, recorded))| {
            let write = format!(
                "BEGIN; SELECT set_config('threadline.context', concat(extract(epoch FROM now()), ' ', '{context}'), true);
                 INSERT INTO items VALUES ({id}); COMMIT;"
            );
            (write, *recorded)
        })
        .unzip();
    run(conn, &writes.concat());
    const RECORDED: &str = "SELECT actor_type, actor_id, actor_origin, remote_ip, context_error FROM threadline.audit_transactions ORDER BY id";
    let waiting = rows(conn, RECORDED);
    assert_eq!(waiting, expected);
    assert_value(conn, "SELECT threadline.post()", "8");
    assert_eq!(rows(conn, RECORDED), waiting);
    // Without one that cannot be read, they are read all at once.
    run(conn, &writes[0].replace("(0)", "(100)"));
    assert_eq!(rows(conn, RECORDED)[8], expected[0]);
}

/// The journal has no index, so each pass over it reads all that waits.
#[test]
fn a_call_passes_few_times_over_what_waits() {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY); SELECT threadline.audit('items');
         INSERT INTO items SELECT generate_series(1, 20000)",
    );
    run(conn, "SELECT threadline.post(1000)");
    // A session also counts what it has not reported yet of earlier transactions.
    let conn = &mut database.connect();
    run(conn, "BEGIN");
    assert_value(conn, "SELECT threadline.post(100)", "100");
    let read: u32 = value(
        conn,
        "SELECT pg_stat_get_xact_tuples_returned('threadline.journal'::regclass)",
    )
    .unwrap()
    .parse()
    .unwrap();
    run(conn, "COMMIT");
    assert!((19_000..50_000).contains(&read), "{read}");
}

/// The ids of a batch cannot be exchanged with those of an earlier one.
#[test]
fn writes_that_are_put_in_order_are_posted_together() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY, body text);
         SELECT threadline.audit('items');
         CREATE FUNCTION mark_others() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN UPDATE items SET body = body || '.' WHERE id <> NEW.id; RETURN NULL; END $$;
         CREATE TRIGGER mark_others AFTER UPDATE ON items FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION mark_others();
         CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN INSERT INTO items SELECT k, 'again' FROM generate_series(2, 5) AS k WHERE OLD.id = 1; RETURN NULL; END $$;
         CREATE TRIGGER again AFTER DELETE ON items FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION again();
         INSERT INTO items SELECT k, 'x' FROM generate_series(1, 5) AS k;
         UPDATE items SET body = body || '!';
         BEGIN; UPDATE items SET body = body || '?'; DELETE FROM items; COMMIT;
         CREATE TABLE waited AS SELECT * FROM threadline.journal",
    );
    let changes = "SELECT id, op, record_key, changed_from, changed_to, row_data FROM threadline.audit_changes ORDER BY id";
    let expected = rows(conn, changes);
    for at_most in [1, 2, 3, 7, 20] {
        run(
            conn,
            "TRUNCATE threadline.ledger_changes, threadline.ledger_transactions, threadline.journal;
             INSERT INTO threadline.journal SELECT * FROM waited",
        );
        while value(conn, &format!("SELECT threadline.post({at_most})")).as_deref() != Some("0") {
            assert_eq!(rows(conn, changes), expected, "{at_most} at once");
        }
        let broken = rows(
            conn,
            "SELECT code, record_key FROM threadline.chain_drift('items')",
        );
        assert_eq!(broken, [""; 0], "{at_most} at once");
    }
}
