use diesel::prelude::*;
use threadline_tests::{
    Database, assert_contains, assert_rows, assert_value, rolled_back_with, rows, run, value,
};

const SWAP: &str = "
    CREATE TABLE orders_new (amount bigint, note text, id int, shop text, extra int DEFAULT 7, ratio float8, pin text, PRIMARY KEY (shop, id));
    INSERT INTO orders_new (amount, note, id, shop, ratio, pin) SELECT amount, note, id, shop, ratio, pin FROM orders;
    UPDATE orders SET note = 'late' WHERE id = 2;
    DELETE FROM orders_new WHERE id = 3;
    UPDATE orders_new SET pin = 'other' WHERE id = 4;
    UPDATE orders_new SET ratio = '-0' WHERE id = 5;
    INSERT INTO orders_new VALUES (1, 'new', 9, 'a', 3);
    ALTER TABLE orders RENAME TO orders_old;
    ALTER TABLE orders_new RENAME TO orders;
";

/// Creates a table with a composite key, fills it and swaps it for a copy that differs.
fn swapped(conn: &mut PgConnection, audit: &str) {
    run(
        conn,
        &format!(
            "CREATE TABLE orders (shop text, id int, amount int, note text, ratio float8, pin text, PRIMARY KEY (shop, id));
             {audit};
             INSERT INTO orders SELECT 'a', n, 0, 'x', 0, 'p' FROM generate_series(1, 5) AS n"
        ),
    );
    run(conn, SWAP);
}

#[test]
fn a_table_that_takes_the_place_of_another_continues_its_history() {
    let (_, conn) = &mut Database::new().connected();
    swapped(
        conn,
        "SELECT threadline.audit('orders', mask => ARRAY['pin'], exclude => ARRAY['note'])",
    );
    let before = value(conn, "SELECT clock_timestamp()").unwrap();
    let last = value(conn, "SELECT max(id) FROM threadline.audit_changes").unwrap();
    // The operator gets a finding.
    assert_rows(
        conn,
        "SELECT code, fix FROM threadline.unaudited_tables() WHERE relation LIKE '%orders'",
        [
            "table-replaced | SELECT threadline.audit_as_decided('public.orders', mask => ARRAY['pin'], exclude => ARRAY['extra', 'note'], continues => 'public.orders_old');",
        ],
    );
    let audit = "SELECT threadline.audit('orders', mask => ARRAY['pin'], exclude => ARRAY['note'], continues => 'orders_old')";
    assert_value(conn, audit, "1");
    // The row differences of the swap are on record, but not that a column has another
    // type or was added.
    assert_rows(
        conn,
        &format!(
            "SELECT op, record_key, changed_from, changed_to, row_data FROM threadline.audit_changes WHERE id > {last} ORDER BY record_key"
        ),
        [
            r#"D | ["a", "3"] | NULL | NULL | {"id": 3, "pin": "***", "shop": "a", "ratio": 0, "amount": 0}"#,
            r#"U | ["a", "4"] | {"pin": "***"} | {"pin": "***"} | NULL"#,
            r#"U | ["a", "5"] | {"ratio": 0} | {"ratio": 0} | NULL"#,
            r#"I | ["a", "9"] | NULL | NULL | {"id": 9, "pin": null, "shop": "a", "extra": 3, "ratio": null, "amount": 1}"#,
        ],
    );
    let ids = |conn: &mut PgConnection, at: &str| {
        rows(
            conn,
            &format!("SELECT key ->> 'id' FROM threadline.rows_as_of('orders', '{at}') ORDER BY 1"),
        )
    };
    assert_eq!(ids(conn, &before), ["1", "2", "3", "4", "5"]);
    run(
        conn,
        "UPDATE orders SET amount = 5 WHERE id = 1; UPDATE orders_old SET amount = 6",
    );
    let now = value(conn, "SELECT clock_timestamp()").unwrap();
    assert_eq!(ids(conn, &now), ["1", "2", "4", "5", "9"]);
    assert_rows(
        conn,
        "SELECT changed_to FROM threadline.audit_changes ORDER BY id DESC LIMIT 1",
        [r#"{"amount": 5}"#],
    );
    // A second call changes nothing; neither does a refresh.
    assert_value(conn, audit, "1");
    assert_value(conn, "SELECT threadline.refresh('orders')", "1");
    assert_rows(
        conn,
        "SELECT code FROM threadline.chain_drift('orders')",
        [],
    );
    assert_rows(
        conn,
        "SELECT name, meta ->> 'former_table' FROM threadline.audit_actions ORDER BY id",
        ["audit.continued | public.orders_old"],
    );
}

#[test]
fn a_partitioned_table_takes_the_place_of_a_plain_one() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE logs (id int PRIMARY KEY, n int);
         SELECT threadline.audit('logs');
         INSERT INTO logs SELECT g, g FROM generate_series(1, 20) AS g;
         ALTER TABLE logs RENAME TO logs_old;
         CREATE TABLE logs (id int PRIMARY KEY, n int) PARTITION BY RANGE (id);
         CREATE TABLE logs_1 PARTITION OF logs FOR VALUES FROM (1) TO (11);
         CREATE TABLE logs_2 PARTITION OF logs FOR VALUES FROM (11) TO (21);
         INSERT INTO logs TABLE logs_old;
         SELECT threadline.audit('logs', continues => 'logs_old');
         UPDATE logs SET n = 0 WHERE id = 15",
    );
    assert_rows(
        conn,
        "SELECT op, count(*), count(DISTINCT table_id) FROM threadline.audit_changes GROUP BY op ORDER BY op",
        ["I | 20 | 1", "U | 1 | 1"],
    );
}

#[test]
fn a_table_that_cannot_take_the_place_is_refused_and_nothing_is_changed() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE old (id int PRIMARY KEY);
         CREATE TABLE plain (id int PRIMARY KEY);
         CREATE TABLE other_key (id bigint PRIMARY KEY);
         CREATE TABLE own_history (id int PRIMARY KEY);
         CREATE TABLE next (id int PRIMARY KEY);
         SELECT threadline.audit('old'), threadline.audit('own_history')",
    );
    for (target, former, message) in [
        ("next", "plain", "table public.plain is not audited"),
        ("other_key", "old", "their primary keys are not the same"),
    ] {
        let error = conn
            .transaction(|conn| {
                diesel::sql_query(format!(
                    "SELECT threadline.audit('{target}', continues => '{former}')"
                ))
                .execute(conn)
            })
            .unwrap_err()
            .to_string();
        assert_contains(&error, message);
    }
    let error = conn
        .transaction(|conn| {
            diesel::sql_query(
                "SELECT threadline.audit('own_history', require_actor => true, continues => 'old')",
            )
            .execute(conn)
        })
        .unwrap_err()
        .to_string();
    assert_contains(&error, "has a history of its own");
    run(conn, "INSERT INTO old VALUES (1)");
    assert_value(conn, "SELECT count(*) FROM threadline.audit_changes", "1");
}

/// As the down.sql of a swap: the history goes back, and the policy names columns that
/// the former table lacks.
#[test]
fn a_swap_that_is_taken_back_gives_the_history_back() {
    let (_, conn) = &mut Database::new().connected();
    swapped(
        conn,
        "SELECT threadline.audit('orders', mask => ARRAY['pin'])",
    );
    run(
        conn,
        "SELECT threadline.audit('orders', mask => ARRAY['pin'], ignore => ARRAY['extra'], continues => 'orders_old');
         ALTER TABLE orders RENAME TO orders_new; ALTER TABLE orders_old RENAME TO orders",
    );
    let back = "SELECT threadline.audit_as_before('orders', mask => ARRAY['pin'], ignore => ARRAY['extra'], continues => 'orders_new')";
    let recorded = "SELECT count(*) FROM threadline.audit_changes WHERE table_id = 1";
    let before: i64 = value(conn, recorded).unwrap().parse().unwrap();
    assert_value(conn, back, "1");
    let after: i64 = value(conn, recorded).unwrap().parse().unwrap();
    assert!(after > before, "the swap back is on record");
    run(conn, "UPDATE orders SET amount = 8 WHERE id = 1");
    assert_rows(
        conn,
        "SELECT changed_to FROM threadline.audit_changes ORDER BY id DESC LIMIT 1",
        [r#"{"amount": 8}"#],
    );
    // No history is left to give, from this or from a dropped table.
    assert_value(conn, back, "1");
    assert_value(
        conn,
        &back.replace("'orders_new'", "to_regclass('gone')"),
        "1",
    );
}

/// A reader of the finding runs it as it is.
#[test]
fn the_fix_for_a_replaced_table_records_nothing_that_was_withheld() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE members (id int PRIMARY KEY, email text, hash text, ssn text, pin text, note text, loud text GENERATED ALWAYS AS (upper(email)) STORED);
         SELECT threadline.audit('members', mask => ARRAY['email'], exclude => ARRAY['hash'], hash => ARRAY['ssn'], plain => ARRAY['pin']);
         ALTER TABLE members RENAME hash TO digest;
         ALTER TABLE members ADD undecided text;
         INSERT INTO members VALUES (1, 'secret 1', 'secret 2', 'secret 3', '1234', 'x', DEFAULT, 'secret 4');
         CREATE TABLE copy (id int PRIMARY KEY, ssn text, mail text, email text, digest text, pin text, note text, loud text, undecided text, api_key text);
         INSERT INTO copy SELECT id, ssn || '+', 'secret 5', email || '+', digest || '+', pin || '+', note || '+', 'secret 6', undecided || '+', 'secret 7' FROM members;
         ALTER TABLE members RENAME TO \"the old 'members'\";
         ALTER TABLE copy RENAME TO members",
    );
    let fix = value(
        conn,
        "SELECT fix FROM threadline.unaudited_tables() WHERE relation LIKE '%members'",
    );
    run(conn, &fix.unwrap());
    run(
        conn,
        "UPDATE members SET ssn = ssn || '+', email = email || '+', digest = digest || '+', loud = loud || '+', note = 'y'",
    );
    let stored = "SELECT concat(changed_from, changed_to, row_data) FROM threadline.audit_changes ORDER BY id";
    for _ in 0..2 {
        let stored = rows(conn, stored);
        assert_eq!(stored.len(), 3);
        assert!(!stored.concat().contains("secret"), "{stored:#?}");
        assert!(stored[1].contains(r#""pin": "1234+""#), "{stored:#?}");
        assert!(stored[2].contains(r#""note": "y""#), "{stored:#?}");
        run(conn, "SELECT threadline.post()");
    }
}
