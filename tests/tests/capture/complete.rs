//! Every way to change an audited row leaves a record: one test for each way.

use diesel::PgConnection;
use threadline_tests::{Database, assert_rows, assert_value, rolled_back_with, rows, run, value};

const ITEMS: &str =
    "CREATE TABLE items (id int PRIMARY KEY, name text); SELECT threadline.audit('items')";

/// Returns each recorded change: the operation, the table, the record, and the values
/// that identify it.
#[track_caller]
fn recorded(conn: &mut PgConnection) -> Vec<String> {
    rows(
        conn,
        "SELECT concat_ws(' ', c.op, t.table_name, c.record_key, '<' || c.previous_key) AS what,
                coalesce(c.changed_to, c.row_data) AS image
         FROM threadline.audit_changes AS c
         JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id
         JOIN threadline.audited_tables AS t ON t.id = c.table_id
         ORDER BY c.id",
    )
}

/// Returns the changes recorded for writes to a fresh `items` with rows 1 and 2.
fn recorded_of(write: &str) -> Vec<String> {
    let conn = &mut rolled_back_with(ITEMS);
    run(conn, "INSERT INTO items VALUES (1, 'a'), (2, 'b')");
    run(conn, write);
    recorded(conn).split_off(2)
}

/// For statements whose changes come in an order of their own.
fn sorted(mut changes: Vec<String>) -> Vec<String> {
    changes.sort();
    changes
}

#[test]
fn writes_that_return_rows() {
    assert_eq!(
        recorded_of("INSERT INTO items VALUES (3, 'c') RETURNING *"),
        [r#"I items 3 | {"id": 3, "name": "c"}"#]
    );
    assert_eq!(
        recorded_of("UPDATE items SET name = 'x' WHERE id = 1 RETURNING *"),
        [r#"U items 1 | {"name": "x"}"#]
    );
    assert_eq!(
        recorded_of("DELETE FROM items WHERE id = 1 RETURNING *"),
        [r#"D items 1 | {"id": 1, "name": "a"}"#]
    );
}

#[test]
fn writes_of_one_statement_are_all_recorded() {
    let of_statement = recorded_of(
        "WITH gone AS (DELETE FROM items WHERE id = 1 RETURNING *),
              renamed AS (UPDATE items SET name = 'x' WHERE id = 2 RETURNING *),
              first AS (INSERT INTO items SELECT id + 10, name FROM gone RETURNING *),
              second AS (INSERT INTO items SELECT id + 20, name FROM renamed RETURNING *)
         SELECT FROM first, second",
    );
    assert_eq!(
        sorted(of_statement),
        [
            r#"D items 1 | {"id": 1, "name": "a"}"#,
            r#"I items 11 | {"id": 11, "name": "a"}"#,
            r#"I items 22 | {"id": 22, "name": "x"}"#,
            r#"U items 2 | {"name": "x"}"#,
        ]
    );
}

#[test]
fn upserts_are_recorded_as_inserts_and_updates() {
    assert!(recorded_of("INSERT INTO items VALUES (1, 'x') ON CONFLICT DO NOTHING").is_empty());
    let upserts = recorded_of(
        "INSERT INTO items VALUES (1, 'x'), (3, 'c'), (2, 'b')
         ON CONFLICT (id) DO UPDATE SET name = excluded.name",
    );
    assert_eq!(
        sorted(upserts),
        [
            r#"I items 3 | {"id": 3, "name": "c"}"#,
            r#"U items 1 | {"name": "x"}"#
        ]
    );
}

#[test]
fn merge_records_each_insert_update_and_delete() {
    let merged = recorded_of(
        "MERGE INTO items AS i USING (VALUES (1, 'x'), (2, NULL), (3, 'c')) AS s (id, name) ON i.id = s.id
         WHEN MATCHED AND s.name IS NULL THEN DELETE
         WHEN MATCHED THEN UPDATE SET name = s.name
         WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.name)",
    );
    assert_eq!(
        sorted(merged),
        [
            r#"D items 2 | {"id": 2, "name": "b"}"#,
            r#"I items 3 | {"id": 3, "name": "c"}"#,
            r#"U items 1 | {"name": "x"}"#,
        ]
    );
}

#[test]
fn copy_records_every_row() {
    let (database, conn) = &mut Database::with(ITEMS);
    let file = threadline_tests::scratch_dir().join("items.sql");
    let lines: String = (1..=3000).map(|id| format!("{id}\tn{id}\n")).collect();
    std::fs::write(&file, format!("COPY items FROM stdin;\n{lines}\\.\n")).unwrap();
    let file = file.display().to_string();
    threadline_tests::Server::shared().run(
        "psql",
        &[
            "--dbname",
            &database.url(),
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-f",
            &file,
        ],
    );
    assert_value(
        conn,
        "SELECT count(*) || ' ' || count(DISTINCT transaction_id) || ' ' || bool_and(op = 'I' AND row_data = to_jsonb(items))
         FROM threadline.audit_changes JOIN items ON record_key = items.id::text",
        "3000 1 true",
    );
}

#[test]
fn truncate_of_several_tables_records_the_rows_of_each() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (id int PRIMARY KEY); CREATE TABLE parts (id int PRIMARY KEY, item int REFERENCES items);
         CREATE TABLE others (id int PRIMARY KEY);
         SELECT threadline.audit('items'), threadline.audit('parts'), threadline.audit('others');
         INSERT INTO items VALUES (1), (2); INSERT INTO parts VALUES (7, 1); INSERT INTO others VALUES (9);
         TRUNCATE threadline.journal, threadline.ledger_changes;
         TRUNCATE items, others CASCADE",
    );
    assert_eq!(
        sorted(recorded(conn)),
        [
            r#"T items 1 | {"id": 1}"#,
            r#"T items 2 | {"id": 2}"#,
            r#"T others 9 | {"id": 9}"#,
            r#"T parts 7 | {"id": 7, "item": 1}"#,
        ]
    );
}

#[test]
fn a_very_large_truncate_is_one_record_and_the_past_says_so() {
    let (_, conn) = &mut Database::with(&format!(
        "{ITEMS}; UPDATE threadline.audited_tables SET truncate_limit = 1000;
         INSERT INTO items SELECT k, 'n' || k FROM generate_series(1, 1001) AS k"
    ));
    let full = value(conn, "clock_timestamp()").unwrap();
    run(conn, "TRUNCATE items");
    let empty = value(conn, "clock_timestamp()").unwrap();
    run(
        conn,
        "INSERT INTO items SELECT k, 'm' || k FROM generate_series(2, 1001) AS k",
    );
    run(
        conn,
        "TRUNCATE items; INSERT INTO items VALUES (2, 'again')",
    );
    assert_rows(
        conn,
        "SELECT op, count(*) AS n, count(row_data) AS images, max(changed_from::text) AS counted
         FROM threadline.audit_changes WHERE op = 'T' GROUP BY op, changed_from ORDER BY counted",
        [r#"T | 1 | 0 | {"rows": 1001}"#, "T | 1000 | 1000 | NULL"],
    );
    let state = |conn: &mut PgConnection, id: i32, at: &str| {
        value(
            conn,
            &format!("SELECT state FROM threadline.record_as_of('items', '{id}', '{at}')"),
        )
        .unwrap()
    };
    // Its state is the one that was recorded by then.
    assert_eq!(state(conn, 1, &full), "there");
    assert_eq!(state(conn, 2, &full), "there");
    assert_eq!(state(conn, 2, &empty), "deleted");
    let refused = diesel::connection::SimpleConnection::batch_execute(
        conn,
        &format!("SELECT * FROM threadline.rows_as_of('items', '{full}')"),
    );
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("by a TRUNCATE that recorded only their number")
    );
    let rows_then = format!("SELECT count(*) FROM threadline.rows_as_of('items', '{empty}')");
    assert_value(conn, &rows_then, "0");
}

#[test]
fn cascades_of_foreign_keys_are_recorded() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (id int PRIMARY KEY);
         CREATE TABLE parts (id int PRIMARY KEY, item int REFERENCES items ON DELETE CASCADE ON UPDATE CASCADE);
         CREATE TABLE hints (id int PRIMARY KEY, item int DEFAULT 3 REFERENCES items ON DELETE SET NULL ON UPDATE SET DEFAULT);
         SELECT threadline.audit('items'), threadline.audit('parts'), threadline.audit('hints');
         INSERT INTO items VALUES (1), (2), (3);
         INSERT INTO parts VALUES (7, 1), (8, 1), (9, 2); INSERT INTO hints VALUES (10, 1), (11, 2);
         TRUNCATE threadline.journal, threadline.ledger_changes;
         UPDATE items SET id = 20 WHERE id = 2; DELETE FROM items WHERE id = 1",
    );
    assert_eq!(
        sorted(recorded(conn)),
        [
            r#"D items 1 | {"id": 1}"#,
            r#"D parts 7 | {"id": 7, "item": 1}"#,
            r#"D parts 8 | {"id": 8, "item": 1}"#,
            r#"U hints 10 | {"item": null}"#,
            r#"U hints 11 | {"item": 3}"#,
            r#"U items 20 <2 | {"id": 20}"#,
            r#"U parts 9 | {"item": 20}"#,
        ]
    );
}

#[test]
fn keys_shifted_in_bulk_are_recorded_with_the_keys_before() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (id int PRIMARY KEY DEFERRABLE, name text); SELECT threadline.audit('items');
         INSERT INTO items SELECT k, 'n' || k FROM generate_series(1, 250) AS k;
         TRUNCATE threadline.journal, threadline.ledger_changes;
         UPDATE items SET id = id + 1; UPDATE items SET id = CASE id WHEN 2 THEN 3 WHEN 3 THEN 2 END WHERE id IN (2, 3)",
    );
    let summary = "SELECT count(*), count(DISTINCT statement), bool_and(record_key::int = previous_key::int + 1),
                          bool_and(row_data ->> 'name' = 'n' || previous_key)
                   FROM threadline.audit_changes WHERE statement = (SELECT min(statement) FROM threadline.audit_changes)";
    assert_rows(conn, summary, ["250 | 1 | true | true"]);
    assert_eq!(
        recorded(conn).split_off(250),
        [r#"U items 3 <2 | {"id": 3}"#, r#"U items 2 <3 | {"id": 2}"#]
    );
}

#[test]
fn keys_under_a_deferred_constraint_are_recorded() {
    for rows_of_each in [1, 150] {
        let (_, conn) = &mut Database::with(&format!(
                "CREATE TABLE items (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, name text); SELECT threadline.audit('items');
                 BEGIN; INSERT INTO items SELECT k, 'a' || k FROM generate_series(1, {rows_of_each}) AS k;
                 INSERT INTO items SELECT k, 'b' || k FROM generate_series(1, {rows_of_each}) AS k;
                 UPDATE items SET name = name || 'x'; DELETE FROM items WHERE name LIKE 'a%'; COMMIT"
            ));
        assert_eq!(
            rows(
                conn,
                "SELECT count(*), bool_and(changed_to ->> 'name' = (changed_from ->> 'name') || 'x') FROM threadline.audit_changes WHERE op = 'U'"
            ),
            [format!("{} | true", 2 * rows_of_each)]
        );
    }
}

#[test]
fn constraint_triggers_that_wait_for_the_end() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY, name text); CREATE TABLE totals (id int PRIMARY KEY, n int);
         INSERT INTO totals VALUES (1, 0);
         CREATE FUNCTION total() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE totals SET n = n + 1; RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER total AFTER INSERT ON items DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION total();
         SELECT threadline.audit('items'), threadline.audit('totals')",
    );
    run(conn, "INSERT INTO items VALUES (1, 'a'), (2, 'b')");
    assert_eq!(
        recorded(conn),
        [
            r#"I items 1 | {"id": 1, "name": "a"}"#,
            r#"I items 2 | {"id": 2, "name": "b"}"#,
            r#"U totals 1 | {"n": 1}"#,
            r#"U totals 1 | {"n": 2}"#,
        ]
    );
    let transactions = "SELECT count(DISTINCT transaction_id) FROM threadline.audit_changes";
    assert_value(conn, transactions, "1");
}

#[test]
fn triggers_before_and_after_also_on_other_tables() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (id int PRIMARY KEY, name text); CREATE TABLE log (id int PRIMARY KEY, name text);
         CREATE FUNCTION upper_name() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.name := upper(NEW.name); RETURN NEW; END $$;
         CREATE FUNCTION log() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO log VALUES (NEW.id, NEW.name); RETURN NULL; END $$;
         CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN UPDATE items SET name = 'gone' WHERE id = OLD.id; RETURN NULL; END $$;
         CREATE TRIGGER a BEFORE INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION upper_name();
         CREATE TRIGGER b AFTER INSERT ON items FOR EACH ROW EXECUTE FUNCTION log();
         CREATE TRIGGER c BEFORE DELETE ON items FOR EACH ROW EXECUTE FUNCTION keep();
         SELECT threadline.audit('items'), threadline.audit('log');
         INSERT INTO items VALUES (1, 'a'); DELETE FROM items",
    );
    assert_eq!(
        sorted(recorded(conn)),
        [
            r#"I items 1 | {"id": 1, "name": "A"}"#,
            r#"I log 1 | {"id": 1, "name": "A"}"#,
            r#"U items 1 | {"name": "GONE"}"#,
        ]
    );
}

#[test]
fn writes_through_rules_and_views_are_recorded() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (id int PRIMARY KEY, name text); CREATE TABLE requests (id int);
         CREATE VIEW short AS SELECT id, name FROM items WHERE id < 100;
         CREATE RULE request AS ON INSERT TO requests DO INSTEAD INSERT INTO items VALUES (NEW.id, 'requested');
         SELECT threadline.audit('items');
         INSERT INTO short VALUES (1, 'a'); UPDATE short SET name = 'b'; INSERT INTO requests VALUES (2); DELETE FROM short WHERE id = 1",
    );
    assert_eq!(
        recorded(conn),
        [
            r#"I items 1 | {"id": 1, "name": "a"}"#,
            r#"U items 1 | {"name": "b"}"#,
            r#"I items 2 | {"id": 2, "name": "requested"}"#,
            r#"D items 1 | {"id": 1, "name": "b"}"#,
        ]
    );
}

const SALES: &str = "CREATE TABLE sales (id int, region text, amount int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
     CREATE TABLE sales_n PARTITION OF sales FOR VALUES IN ('n');
     SELECT threadline.audit('sales')";

#[test]
fn partitions_are_recorded_while_they_are_attached() {
    let conn = &mut rolled_back_with(SALES);
    run(
        conn,
        "CREATE TABLE sales_s PARTITION OF sales FOR VALUES IN ('s');
         CREATE TABLE sales_w (id int, region text, amount int, PRIMARY KEY (id, region));
         ALTER TABLE sales ATTACH PARTITION sales_w FOR VALUES IN ('w');
         INSERT INTO sales VALUES (1, 's', 10), (2, 'w', 20); INSERT INTO sales_s VALUES (3, 's', 30);
         UPDATE sales_w SET amount = 21; DELETE FROM sales WHERE id = 3;
         ALTER TABLE sales DETACH PARTITION sales_w; UPDATE sales_w SET amount = 22; INSERT INTO sales_n VALUES (4, 'n', 40)",
    );
    assert_eq!(
        recorded(conn),
        [
            r#"I sales ["1", "s"] | {"id": 1, "amount": 10, "region": "s"}"#,
            r#"I sales ["2", "w"] | {"id": 2, "amount": 20, "region": "w"}"#,
            r#"I sales ["3", "s"] | {"id": 3, "amount": 30, "region": "s"}"#,
            r#"U sales ["2", "w"] | {"amount": 21}"#,
            r#"D sales ["3", "s"] | {"id": 3, "amount": 30, "region": "s"}"#,
            r#"I sales ["4", "n"] | {"id": 4, "amount": 40, "region": "n"}"#,
        ]
    );
}

#[test]
fn an_audited_table_that_becomes_a_partition_goes_on_being_recorded() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE all_items (id int PRIMARY KEY, name text) PARTITION BY RANGE (id);
         CREATE TABLE items (id int PRIMARY KEY, name text); SELECT threadline.audit('items');
         ALTER TABLE all_items ATTACH PARTITION items FOR VALUES FROM (0) TO (100);
         INSERT INTO all_items VALUES (1, 'a'), (2, 'b'); INSERT INTO items VALUES (3, 'c');
         UPDATE all_items SET name = 'x' WHERE id < 3; UPDATE items SET name = 'y' WHERE id = 3;
         DELETE FROM all_items WHERE id = 1; DELETE FROM items WHERE id = 2",
    );
    assert_eq!(
        recorded(conn),
        [
            r#"I items 1 | {"id": 1, "name": "a"}"#,
            r#"I items 2 | {"id": 2, "name": "b"}"#,
            r#"I items 3 | {"id": 3, "name": "c"}"#,
            r#"U items 1 | {"name": "x"}"#,
            r#"U items 2 | {"name": "x"}"#,
            r#"U items 3 | {"name": "y"}"#,
            r#"D items 1 | {"id": 1, "name": "x"}"#,
            r#"D items 2 | {"id": 2, "name": "x"}"#,
        ]
    );
}

#[test]
fn an_audited_table_that_becomes_a_partition_of_an_audited_one() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE all_items (id int PRIMARY KEY, name text) PARTITION BY RANGE (id);
         CREATE TABLE items (id int PRIMARY KEY, name text);
         SELECT threadline.audit('all_items'), threadline.audit('items');
         PREPARE written (int) AS INSERT INTO items VALUES ($1, 'a'); EXECUTE written (1);
         ALTER TABLE all_items ATTACH PARTITION items FOR VALUES FROM (0) TO (100);
         EXECUTE written (2); INSERT INTO all_items VALUES (3, 'c');
         SELECT threadline.unaudit('items'); EXECUTE written (4); INSERT INTO all_items VALUES (5, 'e')",
    );
    assert_eq!(
        sorted(recorded(conn)),
        [
            r#"I all_items 2 | {"id": 2, "name": "a"}"#,
            r#"I all_items 3 | {"id": 3, "name": "c"}"#,
            r#"I all_items 4 | {"id": 4, "name": "a"}"#,
            r#"I all_items 5 | {"id": 5, "name": "e"}"#,
            r#"I items 1 | {"id": 1, "name": "a"}"#,
            r#"I items 2 | {"id": 2, "name": "a"}"#,
            r#"I items 3 | {"id": 3, "name": "c"}"#,
        ]
    );
}

#[test]
fn inheritance_children_and_parents_are_recorded_each() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE people (id int PRIMARY KEY, name text); CREATE TABLE staff (PRIMARY KEY (id), pay int) INHERITS (people);
         SELECT threadline.audit('people'), threadline.audit('staff');
         INSERT INTO people VALUES (1, 'a'); INSERT INTO staff VALUES (2, 'b', 10);
         UPDATE people SET name = upper(name); DELETE FROM ONLY people; DELETE FROM people",
    );
    assert_eq!(
        recorded(conn),
        [
            r#"I people 1 | {"id": 1, "name": "a"}"#,
            r#"I staff 2 | {"id": 2, "pay": 10, "name": "b"}"#,
            r#"U people 1 | {"name": "A"}"#,
            r#"U staff 2 | {"name": "B"}"#,
            r#"D people 1 | {"id": 1, "name": "A"}"#,
            r#"D staff 2 | {"id": 2, "pay": 10, "name": "B"}"#,
        ]
    );
}

#[test]
fn writes_of_replica_sessions_are_recorded() {
    let conn = &mut rolled_back_with(ITEMS);
    run(
        conn,
        "SET LOCAL session_replication_role = replica;
         INSERT INTO items VALUES (1, 'a'), (2, 'b'); UPDATE items SET name = 'x'; DELETE FROM items WHERE id = 1; TRUNCATE items",
    );
    assert_eq!(
        recorded(conn),
        [
            r#"I items 1 | {"id": 1, "name": "a"}"#,
            r#"I items 2 | {"id": 2, "name": "b"}"#,
            r#"U items 1 | {"name": "x"}"#,
            r#"U items 2 | {"name": "x"}"#,
            r#"D items 1 | {"id": 1, "name": "x"}"#,
            r#"T items 2 | {"id": 2, "name": "x"}"#,
        ]
    );
}

#[test]
fn tables_without_a_key_are_found_by_content() {
    let conn = &mut rolled_back_with(
        "CREATE UNLOGGED TABLE readings (at int, value text); SELECT threadline.audit('readings', keyless => true);
         INSERT INTO readings VALUES (1, 'a'), (1, 'a'), (2, 'b');
         UPDATE readings SET value = 'x' WHERE at = 1; UPDATE readings SET value = 'y' WHERE at = 2; DELETE FROM readings WHERE at = 2; TRUNCATE readings",
    );
    assert_rows(
        conn,
        "SELECT op, record_key, changed_from, changed_to, row_data FROM threadline.audit_changes ORDER BY id",
        [
            r#"I | NULL | NULL | NULL | {"at": 1, "value": "a"}"#,
            r#"I | NULL | NULL | NULL | {"at": 1, "value": "a"}"#,
            r#"I | NULL | NULL | NULL | {"at": 2, "value": "b"}"#,
            r#"U | NULL | {"value": "a"} | {"value": "x"} | {"at": 1, "value": "a"}"#,
            r#"U | NULL | {"value": "a"} | {"value": "x"} | {"at": 1, "value": "a"}"#,
            r#"U | NULL | {"value": "b"} | {"value": "y"} | {"at": 2, "value": "b"}"#,
            r#"D | NULL | NULL | NULL | {"at": 2, "value": "y"}"#,
            r#"T | NULL | NULL | NULL | {"at": 1, "value": "x"}"#,
            r#"T | NULL | NULL | NULL | {"at": 1, "value": "x"}"#,
        ],
    );
    let found = threadline::timeline(
        threadline::Filter::new()
            .table("readings")
            .changed_from("value", "b"),
    )
    .page(conn)
    .unwrap();
    assert_eq!(found.entries.len(), 1);
}

#[test]
fn columns_that_fill_themselves_and_types_of_every_kind() {
    let conn = &mut rolled_back_with(
        "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN short AS text CHECK (length(value) < 9);
         CREATE TYPE place AS (street text, number int);
         CREATE TABLE items (
             id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, twice int GENERATED ALWAYS AS (n * 2) STORED, n int,
             m mood, s short, p place, ms mood[], r int4range, b bytea, j json, jb jsonb, ps place[]);
         SELECT threadline.audit('items')",
    );
    run(
        conn,
        r#"INSERT INTO items (n, m, s, p, ms, r, b, j, jb, ps)
           VALUES (1, 'sad', 'x', ('High Street', 7), '{sad,happy}', '[1,5)', '\xdead', '{"a":  "\u0000"}', '{"a": "\\u0000"}', ARRAY[('Low "Lane"', 1)::place]);
           UPDATE items SET n = 3, m = 'happy', s = 'y', p = ('High Street', 8), ms = '{}', r = 'empty', b = '\x00', j = '{"a": 1}', jb = '1', ps = NULL"#,
    );
    assert_eq!(
        recorded(conn),
        [
            r#"I items 1 | {"b": "\\xdead", "j": "{\"a\":  \"\\u0000\"}", "m": "sad", "n": 1, "p": {"number": 7, "street": "High Street"}, "r": "[1,5)", "s": "x", "id": 1, "jb": {"a": "\\u0000"}, "ms": ["sad", "happy"], "ps": [{"number": 1, "street": "Low \"Lane\""}], "twice": 2}"#,
            r#"U items 1 | {"b": "\\x00", "j": {"a": 1}, "m": "happy", "n": 3, "p": {"number": 8, "street": "High Street"}, "r": "empty", "s": "y", "jb": 1, "ms": [], "ps": null, "twice": 6}"#,
        ]
    );
}

#[test]
fn rows_of_1600_columns_are_recorded() {
    let conn = &mut rolled_back_with(
        "DO $$ BEGIN EXECUTE 'CREATE TABLE wide (id int PRIMARY KEY, ' || (SELECT string_agg(format('c%s int', i), ', ') FROM generate_series(1, 1599) AS i) || ')'; END $$;
         SELECT threadline.audit('wide');
         INSERT INTO wide (id, c1) VALUES (1, 1), (2, 2), (3, 3); UPDATE wide SET c1599 = 7 WHERE id = 1; UPDATE wide SET c500 = 8, c2 = 9; DELETE FROM wide WHERE id = 3; DELETE FROM wide",
    );
    assert_rows(
        conn,
        "SELECT op, record_key, changed_to, (SELECT count(*) FROM jsonb_object_keys(row_data)) AS n FROM threadline.audit_changes ORDER BY id",
        [
            "I | 1 | NULL | 1600",
            "I | 2 | NULL | 1600",
            "I | 3 | NULL | 1600",
            r#"U | 1 | {"c1599": 7} | 0"#,
            r#"U | 2 | {"c2": 9, "c500": 8} | 0"#,
            r#"U | 3 | {"c2": 9, "c500": 8} | 0"#,
            r#"U | 1 | {"c2": 9, "c500": 8} | 0"#,
            "D | 3 | NULL | 1600",
            "D | 2 | NULL | 1600",
            "D | 1 | NULL | 1600",
        ],
    );
}

#[test]
fn values_of_a_hundred_megabytes_are_recorded() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (id int PRIMARY KEY, body text, raw bytea); SELECT threadline.audit('items');
         INSERT INTO items VALUES (1, repeat('x', 100000000), NULL), (2, NULL, NULL);
         UPDATE items SET raw = convert_to(repeat('y', 50000000), 'utf8') WHERE id = 2; UPDATE items SET body = 'short' WHERE id = 1; DELETE FROM items",
    );
    assert_rows(
        conn,
        "SELECT op, record_key, length(coalesce(changed_from, row_data) ->> 'body') AS body, length(coalesce(changed_to, row_data) ->> 'raw') AS raw
         FROM threadline.audit_changes ORDER BY id",
        [
            "I | 1 | 100000000 | NULL",
            "I | 2 | NULL | NULL",
            "U | 2 | NULL | 100000002",
            "U | 1 | 100000000 | NULL",
            "D | 2 | NULL | 100000002",
            "D | 1 | 5 | NULL",
        ],
    );
}

#[test]
fn rows_that_jsonb_cannot_hold_are_recorded_without_the_large_values() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (id int PRIMARY KEY, price numeric, a text, b text, c text); SELECT threadline.audit('items');
         INSERT INTO items VALUES (1, 1.50, repeat('a', 95000000), repeat('b', 95000000), repeat('c', 95000000));",
    );
    assert_rows(
        conn,
        "SELECT code, record_key FROM threadline.chain_drift('items')",
        [],
    );
    run(conn, "TRUNCATE items");
    let row = r#"{"c": "[too large to record: 95000000 bytes, sha256:45f102c6de1041bfbb983bc6a5de39c91f1d2485861704ce6a925c117e8eb23d]", "id": 1, "price": 1.50} | 95000000 | 95000000"#;
    assert_eq!(
        rows(
            conn,
            "SELECT op, row_data - 'a' - 'b', length(row_data ->> 'a'), length(row_data ->> 'b') FROM threadline.audit_changes ORDER BY id"
        ),
        [format!("I | {row}"), format!("T | {row}")]
    );
}

#[test]
fn a_key_that_became_numeric_keeps_its_record() {
    for children in ["", "CREATE TABLE child () INHERITS (items);"] {
        let conn = &mut rolled_back_with(&format!(
                "CREATE TABLE items (id int PRIMARY KEY, name text); {children} SELECT threadline.audit('items');
                 ALTER TABLE items ALTER id TYPE numeric; INSERT INTO items VALUES (1.50, 'a'), (2, 'b');
                 UPDATE items SET name = 'c'; DELETE FROM items"
            ));
        assert_rows(
            conn,
            "SELECT record_key, string_agg(op::text, ' ' ORDER BY id) FROM threadline.audit_changes GROUP BY record_key ORDER BY 1",
            ["1.5 | I U D", "2 | I U D"],
        );
    }
}

#[test]
fn a_key_of_fixed_length_where_columns_came_since() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (code char(6) PRIMARY KEY, name text); SELECT threadline.audit('items');
         INSERT INTO items VALUES ('k1', 'a'); ALTER TABLE items ADD more text; UPDATE items SET name = 'b'; DELETE FROM items",
    );
    assert_rows(
        conn,
        "SELECT record_key, string_agg(op::text, ' ' ORDER BY id) FROM threadline.audit_changes GROUP BY record_key",
        ["k1 | I U D"],
    );
}

#[test]
fn a_column_that_a_child_got_since_beside_one_that_is_recorded_by_name() {
    let conn = &mut rolled_back_with(
        "CREATE TYPE mood AS ENUM ('fine'); CREATE TABLE people (id int PRIMARY KEY, m mood);
         CREATE TABLE staff (PRIMARY KEY (id)) INHERITS (people); SELECT threadline.audit('staff');
         ALTER TABLE people ADD pay int; INSERT INTO staff VALUES (1, 'fine', 10); UPDATE staff SET pay = 20; DELETE FROM staff",
    );
    assert_eq!(
        recorded(conn),
        [
            r#"I staff 1 | {"m": "fine", "id": 1, "pay": 10}"#,
            r#"U staff 1 | {"pay": 20}"#,
            r#"D staff 1 | {"m": "fine", "id": 1, "pay": 20}"#,
        ]
    );
}

#[test]
fn a_detached_partition_can_be_truncated() {
    let conn = &mut rolled_back_with(SALES);
    run(
        conn,
        "INSERT INTO sales VALUES (1, 'n', 10); ALTER TABLE sales DETACH PARTITION sales_n; TRUNCATE sales_n",
    );
    assert_eq!(recorded(conn).len(), 1);
}

#[test]
fn columns_named_like_variables_of_capture_are_recorded() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (id int PRIMARY KEY, tl_row text, tl_image text, tl_before text, tl_after text, tl_live text, tl_new text, tl_old text);
         SELECT threadline.audit('items'); INSERT INTO items VALUES (1, 'a', 'a', 'a', 'a', 'a', 'a', 'a'), (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
         UPDATE items SET tl_row = 'b'; UPDATE items SET tl_row = 'c' WHERE id = 1;
         ALTER TABLE items ADD tl_position text; UPDATE items SET id = id + 1; TRUNCATE items",
    );
    assert_rows(
        conn,
        "SELECT op, record_key, row_data ->> 'tl_row', changed_to ->> 'tl_row' FROM threadline.audit_changes ORDER BY op, record_key, id",
        [
            "I | 1 | a | NULL",
            "I | 2 | NULL | NULL",
            "T | 2 | c | NULL",
            "T | 3 | b | NULL",
            "U | 1 | NULL | b",
            "U | 1 | NULL | c",
            "U | 2 | NULL | b",
            "U | 2 | c | NULL",
            "U | 3 | b | NULL",
        ],
    );
}

/// More than an index entry can hold, and incompressible.
const LONG: &str = "(SELECT string_agg(sha256((n * 100 + g)::text::bytea), ''::bytea) FROM generate_series(1, 45) AS g)";

#[test]
fn a_key_too_long_for_an_index_is_recorded_by_a_digest() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE blobs (id bytea PRIMARY KEY, n int);
         CREATE TABLE pairs (a text, b bytea, n int, PRIMARY KEY (a, b));
         CREATE TABLE parted (id bytea, n int, PRIMARY KEY (id)) PARTITION BY HASH (id);
         CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 1, REMAINDER 0);
         SELECT threadline.audit(t) FROM unnest('{blobs,pairs,parted}'::regclass[]) AS t",
    );
    for (table, key) in [
        ("blobs", LONG.to_owned()),
        ("parted", LONG.to_owned()),
        ("pairs", format!("repeat('\"\\', 700), {LONG}")),
    ] {
        for rows in [1, 2, 200] {
            run(
                conn,
                &format!(
                    "INSERT INTO {table} SELECT {key}, 0 FROM generate_series(1, {rows}) AS n;
                     UPDATE {table} SET n = n + 1;"
                ),
            );
            // Each record has its own key, the same for each change.
            assert_eq!(
                rows_of(conn, table),
                [format!("{rows} | {} | true", rows * 2)],
                "{table}"
            );
            run(
                conn,
                &format!(
                    "DELETE FROM {table}; TRUNCATE threadline.journal, threadline.ledger_changes"
                ),
            );
        }
        run(
            conn,
            &format!(
                "INSERT INTO {table} SELECT {key}, 0 FROM generate_series(1, 2) AS n; TRUNCATE {table}"
            ),
        );
        assert_eq!(rows_of(conn, table), ["2 | 4 | true"], "{table}");
        run(
            conn,
            "TRUNCATE threadline.journal, threadline.ledger_changes",
        );
    }
}

fn rows_of(conn: &mut PgConnection, table: &str) -> Vec<String> {
    rows(
        conn,
        &format!(
            "SELECT count(DISTINCT record_key) AS keys, count(*) AS changes,
                    bool_and(record_key LIKE '%... sha256:%' AND octet_length(record_key) < 2500) AS bounded
             FROM threadline.audit_changes AS c
             JOIN threadline.audited_tables AS t ON t.id = c.table_id AND t.table_name = '{table}'"
        ),
    )
}

/// PostgreSQL deletes it here and inserts it there.
#[test]
fn a_move_between_partitions_is_recorded() {
    let conn = &mut rolled_back_with(SALES);
    run(
        conn,
        "CREATE TABLE sales_s PARTITION OF sales FOR VALUES IN ('s');
         INSERT INTO sales VALUES (1, 'n', 10);
         UPDATE sales SET region = 's', amount = 11;
         UPDATE sales SET amount = 12;
         DELETE FROM sales",
    );
    assert_rows(
        conn,
        "SELECT op, record_key, previous_key, changed_from, changed_to, row_data FROM threadline.audit_changes ORDER BY id",
        [
            r#"I | ["1", "n"] | NULL | NULL | NULL | {"id": 1, "amount": 10, "region": "n"}"#,
            r#"D | ["1", "n"] | NULL | NULL | NULL | {"id": 1, "amount": 10, "region": "n"}"#,
            r#"I | ["1", "s"] | NULL | NULL | NULL | {"id": 1, "amount": 11, "region": "s"}"#,
            r#"U | ["1", "s"] | NULL | {"amount": 11} | {"amount": 12} | NULL"#,
            r#"D | ["1", "s"] | NULL | NULL | NULL | {"id": 1, "amount": 12, "region": "s"}"#,
        ],
    );
}

#[test]
fn a_key_that_is_dropped_while_rows_are_written() {
    let conn = &mut rolled_back_with(
        "CREATE UNLOGGED TABLE items (id int, n int, CONSTRAINT items_key PRIMARY KEY (id)); SELECT threadline.audit('items');
         INSERT INTO items VALUES (1, 1);
         ALTER TABLE items DROP CONSTRAINT items_key; ALTER TABLE items ALTER id DROP NOT NULL;
         INSERT INTO items VALUES (1, 2), (NULL, 3); UPDATE items SET n = n + 10; DELETE FROM items WHERE id IS NULL;
         INSERT INTO items SELECT NULL, k FROM generate_series(1, 150) AS k; UPDATE items SET n = 0 WHERE n < 100; TRUNCATE items",
    );
    assert_rows(
        conn,
        "SELECT op, record_key, count(*) FROM threadline.audit_changes GROUP BY op, record_key ORDER BY op, record_key",
        [
            "D | NULL | 1",
            "I | 1 | 2",
            "I | NULL | 151",
            "T | 1 | 2",
            "T | NULL | 150",
            "U | 1 | 4",
            "U | NULL | 100",
        ],
    );
}

/// Equal for PostgreSQL, but not identical.
#[test]
fn changes_of_case_are_recorded_under_a_case_insensitive_collation() {
    let conn = &mut rolled_back_with(
        "CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
         CREATE TABLE names (name text COLLATE loose PRIMARY KEY, nick text COLLATE loose);
         CREATE TABLE parted (name text COLLATE loose, nick text COLLATE loose, at int, PRIMARY KEY (name, at)) PARTITION BY RANGE (at);
         CREATE TABLE parted_0 PARTITION OF parted DEFAULT;
         SELECT threadline.audit(t) FROM unnest(ARRAY['names', 'parted']::regclass[]) AS t;
         INSERT INTO names VALUES ('ada', 'x'); UPDATE names SET nick = 'X'; UPDATE names SET name = 'ADA';
         INSERT INTO names SELECT 'n' || k, 'x' FROM generate_series(1, 150) AS k; UPDATE names SET nick = 'X'; UPDATE names SET name = upper(name);
         INSERT INTO parted VALUES ('ada', 'x', 1); UPDATE parted SET nick = 'X'; UPDATE parted SET name = 'ADA'",
    );
    assert_rows(
        conn,
        "SELECT table_name, op, count(*), min(changed_to::text), count(previous_key)
         FROM threadline.audit_changes AS c JOIN threadline.audited_tables AS t ON t.id = c.table_id
         GROUP BY table_name, op, changed_to ? 'name' ORDER BY table_name, min(c.id)",
        [
            r#"names | I | 151 | NULL | 0"#,
            r#"names | U | 151 | {"nick": "X"} | 0"#,
            r#"names | U | 151 | {"name": "ADA"} | 151"#,
            r#"parted | I | 1 | NULL | 0"#,
            r#"parted | U | 1 | {"nick": "X"} | 0"#,
            r#"parted | U | 1 | {"name": "ADA"} | 1"#,
        ],
    );
}

#[test]
fn a_table_of_which_no_column_is_left_to_record() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE ticks (); CREATE TABLE notes (body text, secret text);
         SELECT threadline.audit('ticks', keyless => true), threadline.audit('notes', keyless => true, exclude => ARRAY['secret']);
         INSERT INTO ticks DEFAULT VALUES; INSERT INTO ticks SELECT FROM generate_series(1, 150);
         ALTER TABLE ticks ADD n int; INSERT INTO ticks VALUES (1); TRUNCATE ticks;
         INSERT INTO notes VALUES ('a', 'x'); ALTER TABLE notes DROP body; UPDATE notes SET secret = 'y'; SELECT threadline.refresh('notes');
         UPDATE notes SET secret = 'z'; INSERT INTO notes SELECT 'x' FROM generate_series(1, 150); UPDATE notes SET secret = 'y'; DELETE FROM notes",
    );
    assert_rows(
        conn,
        "SELECT table_name, op, row_data, count(*) FROM threadline.changes GROUP BY table_name, op, row_data ORDER BY min(id)",
        [
            "ticks | insert | {} | 151",
            r#"ticks | insert | {"n": 1} | 1"#,
            r#"ticks | truncate | {"n": null} | 151"#,
            r#"ticks | truncate | {"n": 1} | 1"#,
            r#"notes | insert | {"body": "a"} | 1"#,
            "notes | insert | {} | 150",
            "notes | delete | {} | 151",
        ],
    );
}

/// The audit cannot read its rows, which are on another server.
#[test]
fn a_truncate_that_reaches_a_foreign_partition_says_that_it_could_not_see_all_rows() {
    let (_, conn) = &mut Database::with(
        "CREATE EXTENSION postgres_fdw;
         DO $$ BEGIN
             EXECUTE format('CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host %L, port %L, dbname %L)',
                 coalesce(host(inet_server_addr()), split_part(current_setting('unix_socket_directories'), ',', 1)), current_setting('port'), current_database());
             EXECUTE format('CREATE USER MAPPING FOR CURRENT_USER SERVER here OPTIONS (user %L)', current_user);
         END $$;
         CREATE TABLE far (id int PRIMARY KEY, v text);
         CREATE TABLE items (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
         CREATE TABLE near PARTITION OF items FOR VALUES FROM (0) TO (10);
         ALTER TABLE items DROP CONSTRAINT items_pkey;
         CREATE FOREIGN TABLE items_far PARTITION OF items FOR VALUES FROM (10) TO (20) SERVER here OPTIONS (table_name 'far');
         SELECT threadline.audit('items', keyless => true)",
    );
    run(
        conn,
        "INSERT INTO items VALUES (1, 'a'), (11, 'b'); UPDATE items SET v = v || '+'; TRUNCATE items",
    );
    assert_rows(
        conn,
        "SELECT op, row_data, changed_to FROM threadline.audit_changes ORDER BY op, row_data",
        [
            r#"I | {"v": "a", "id": 1} | NULL"#,
            r#"I | {"v": "b", "id": 11} | NULL"#,
            r#"T | {"v": "a+", "id": 1} | NULL"#,
            "T | NULL | NULL",
            r#"U | {"v": "a", "id": 1} | {"v": "a+"}"#,
            r#"U | {"v": "b", "id": 11} | {"v": "b+"}"#,
        ],
    );
}
