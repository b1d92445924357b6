//! Redaction against changes that are made to evade it.

use diesel::PgConnection;
use threadline_tests::{
    Database, Server, assert_refused, assert_rows, assert_value, exchange, rows, run, scratch_dir,
};

const SECRET: &str = "s3cr3t";

/// Returns everything recorded, as one text; asserts that it lacks the secret.
#[track_caller]
fn recorded_without_secret(conn: &mut PgConnection) -> Vec<String> {
    let recorded = rows(
        conn,
        "SELECT op, record_key, changed_from, changed_to, row_data FROM threadline.audit_changes ORDER BY id",
    );
    assert!(!recorded.join("\n").contains(SECRET), "{recorded:#?}");
    assert!(!recorded.is_empty());
    recorded
}

const ITEMS: &str = "CREATE TABLE items (id int PRIMARY KEY, name text, email text);
     SELECT threadline.audit('items', mask => ARRAY['email'])";

/// Creates a database with a transaction whose snapshot is older than a change of the table.
fn with_snapshot_before(change: &str) -> (Database, PgConnection) {
    let (database, mut conn) = Database::with(ITEMS);
    run(&mut conn, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    run(&mut conn, "SELECT 1");
    run(&mut database.connect(), change);
    (database, conn)
}

#[test]
fn a_column_put_exactly_where_another_was_is_not_taken_for_it() {
    let (_, conn) = &mut Database::with(&format!(
        "CREATE TABLE items (id int PRIMARY KEY, phone_old text, phone text);
         SELECT threadline.audit('items', mask => ARRAY['phone']);
         ALTER TABLE items DROP phone_old;
         ALTER TABLE items RENAME phone TO phone_old;
         ALTER TABLE items ADD phone text;
         INSERT INTO items VALUES (1, '{SECRET}', 'x');
         UPDATE items SET phone_old = '{SECRET}2';"
    ));
    assert_eq!(
        recorded_without_secret(conn)[0],
        r#"I | 1 | NULL | NULL | {"id": 1, "phone": "***", "phone_old": "***"}"#
    );
}

#[test]
fn names_swapped_between_two_writes_of_one_transaction_hide_nothing() {
    let (_, conn) = &mut Database::with(ITEMS);
    let swap = exchange("items", "name", "email");
    run(
        conn,
        &format!(
            "BEGIN; INSERT INTO items VALUES (1, 'a', '{SECRET}'); SAVEPOINT s; {swap} RELEASE s;
             UPDATE items SET name = '{SECRET}2', email = 'b'; INSERT INTO items VALUES (2, 'a', '{SECRET}'); COMMIT"
        ),
    );
    recorded_without_secret(conn);
}

#[test]
fn an_old_snapshot_does_not_see_names_that_are_gone() {
    let swap = exchange("items", "name", "email");
    let (_, conn) = &mut with_snapshot_before(&format!("BEGIN; {swap} COMMIT"));
    run(
        conn,
        &format!("INSERT INTO items (id, name, email) VALUES (1, '{SECRET}', 'x'); COMMIT"),
    );
    recorded_without_secret(conn);
}

#[test]
fn a_generated_column_is_as_secret_as_what_it_is_made_from() {
    let (_, conn) = &mut Database::with(&format!(
            "CREATE TABLE items (id int PRIMARY KEY, email text, pin text, size int GENERATED ALWAYS AS (id * 2) STORED,
                 lower_email text GENERATED ALWAYS AS (lower(email)) STORED,
                 both_of_them text GENERATED ALWAYS AS (email || pin) STORED);
             SELECT threadline.audit('items', mask => ARRAY['email'], exclude => ARRAY['pin']);
             INSERT INTO items VALUES (1, '{SECRET}', '{SECRET}');
             SELECT threadline.refresh('items');
             UPDATE items SET email = '{SECRET}2';"
        ));
    assert_eq!(
        recorded_without_secret(conn),
        [
            r#"I | 1 | NULL | NULL | {"id": 1, "size": 2, "email": "***", "lower_email": "***"}"#,
            r#"U | 1 | {"email": "***", "lower_email": "***"} | {"email": "***", "lower_email": "***"} | NULL"#,
        ]
    );
}

#[test]
fn a_secret_that_becomes_the_key_is_not_recorded_as_one() {
    let (_, conn) = &mut Database::with(&format!(
        "CREATE TABLE items (id int PRIMARY KEY, ssn text NOT NULL);
         SELECT threadline.audit('items', mask => ARRAY['ssn']);
         ALTER TABLE items DROP CONSTRAINT items_pkey, ADD PRIMARY KEY (ssn), ADD COLUMN x int;
         INSERT INTO items VALUES (1, '{SECRET}');
         DELETE FROM items;"
    ));
    assert_eq!(
        recorded_without_secret(conn)[0],
        r#"I | 1 | NULL | NULL | {"id": 1, "ssn": "***"}"#
    );
    assert_refused(
        conn,
        "SELECT threadline.refresh('items')",
        "column ssn belongs to the primary key",
    );
}

#[test]
fn a_key_generated_from_a_secret_is_refused() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (ssn text NOT NULL, key text GENERATED ALWAYS AS (lower(ssn)) STORED PRIMARY KEY)",
    );
    assert_refused(
        conn,
        "SELECT threadline.audit('items', mask => ARRAY['ssn'])",
        "column key belongs to the primary key",
    );
}

#[test]
fn a_detached_partition_does_not_act_for_its_parent() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE events (id int PRIMARY KEY, secret text) PARTITION BY RANGE (id);
         CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (100);
         CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (100) TO (200);
         SELECT threadline.audit('events', mask => ARRAY['secret']);",
    );
    assert_refused(
        conn,
        "SELECT threadline.unaudit('events_1')",
        "SELECT threadline.unaudit('public.events')",
    );
    run(
        conn,
        &format!(
            "ALTER TABLE events DETACH PARTITION events_1;
             SELECT threadline.unaudit('events_1');
             SELECT threadline.audit('events_1', exclude => ARRAY['secret']);
             INSERT INTO events VALUES (100, '{SECRET}');
             INSERT INTO events_1 VALUES (1, '{SECRET}');
             TRUNCATE events_1;"
        ),
    );
    recorded_without_secret(conn);
    assert_rows(
        conn,
        "SELECT table_name, op, row_data FROM threadline.changes ORDER BY id",
        [
            r#"events | insert | {"id": 100, "secret": "***"}"#,
            r#"events_1 | insert | {"id": 1}"#,
            r#"events_1 | truncate | {"id": 1}"#,
        ],
    );
}

/// Creates a staging database: the schema without rows.
#[test]
fn a_schema_dumped_without_its_data_stays_closed() {
    let database = Database::new();
    run(
        &mut database.connect(),
        "CREATE TABLE a (id int PRIMARY KEY, name text, email text);
         CREATE TABLE b (id int PRIMARY KEY, body text);
         SELECT threadline.audit('a', mask => ARRAY['email']), threadline.audit('b');",
    );
    let dump = database.dump_with(&["--schema-only"]);
    let staging = Database::empty();
    let file = scratch_dir().join("schema.sql");
    std::fs::write(&file, dump).unwrap();
    let file = file.display().to_string();
    Server::shared().run(
        "psql",
        &[
            "--dbname",
            &staging.url(),
            "-q",
            "-v",
            "ON_ERROR_STOP=1",
            "-f",
            &file,
        ],
    );

    let conn = &mut staging.connect();
    run(
        conn,
        &format!(
            "CREATE TABLE c (id int PRIMARY KEY, x text);
             SELECT threadline.audit('c');
             INSERT INTO c VALUES (1, 'c');
             INSERT INTO a VALUES (1, 'n', '{SECRET}');
             ALTER TABLE a RENAME email TO mail;
             INSERT INTO a VALUES (2, 'n', '{SECRET}');
             UPDATE a SET mail = '{SECRET}3';"
        ),
    );
    let recorded = recorded_without_secret(conn);
    assert_eq!(recorded[0], r#"I | 1 | NULL | NULL | {"x": "c", "id": 1}"#);
    assert_eq!(
        recorded[1],
        r#"I | NULL | NULL | NULL | {"id": 1, "name": "n", "email": "***"}"#
    );
    // Its entries wait until its key is declared.
    run(conn, "SELECT threadline.post()");
    assert_value(conn, "SELECT count(*) FROM threadline.journal", "4");
    assert_value(
        conn,
        "SELECT count(DISTINCT table_id) FROM threadline.audit_changes",
        "2",
    );
    assert_refused(
        conn,
        "SELECT threadline.refresh('a')",
        "was not restored with it",
    );
    run(
        conn,
        "SELECT threadline.audit('a', mask => ARRAY['mail']), threadline.audit('b')",
    );
    run(conn, &format!("INSERT INTO a VALUES (9, 'n', '{SECRET}')"));
    run(conn, "SELECT threadline.post()");
    assert_value(conn, "SELECT count(*) FROM threadline.journal", "0");
    assert_eq!(
        recorded_without_secret(conn)[1],
        r#"I | 1 | NULL | NULL | {"id": 1, "name": "n", "email": "***"}"#
    );
    assert_rows(
        conn,
        "SELECT id, table_name FROM threadline.audited_tables ORDER BY id",
        ["1 | a", "2 | b", "3 | c"],
    );
}

#[test]
fn masked_null_differs_from_masked_composite_of_null() {
    let (_, conn) = &mut Database::with(
        "CREATE TYPE pair AS (a int, b int);
         CREATE TABLE items (id int PRIMARY KEY, p pair);
         SELECT threadline.audit('items', mask => ARRAY['p']);
         INSERT INTO items VALUES (1, NULL), (2, ROW(1, NULL)::pair);",
    );
    assert_rows(
        conn,
        "SELECT row_data -> 'p' FROM threadline.audit_changes ORDER BY id",
        ["NULL", "{}"],
    );
}

#[test]
fn a_refresh_keeps_what_was_secret_so() {
    let (_, conn) = &mut Database::with(&format!(
            "CREATE TABLE items (id int PRIMARY KEY, email text, pin text, lower_email text GENERATED ALWAYS AS (lower(email)) STORED, note text);
             SELECT threadline.audit('items', mask => ARRAY['email'], exclude => ARRAY['pin']);
             ALTER TABLE items DROP pin, ADD pin text; ALTER TABLE items ALTER lower_email DROP EXPRESSION;
             ALTER TABLE items RENAME email TO mail; ALTER TABLE items ADD email text;
             SELECT threadline.refresh('items');
             INSERT INTO items (id, mail, email, pin, lower_email, note) VALUES (1, '{SECRET}', '{SECRET}', '{SECRET}', '{SECRET}', 'n');"
        ));
    assert_eq!(
        recorded_without_secret(conn),
        [
            r#"I | 1 | NULL | NULL | {"id": 1, "mail": "***", "note": "n", "email": "***", "lower_email": "***"}"#
        ]
    );
}

#[test]
fn an_old_snapshot_does_not_see_columns_that_came_or_changed() {
    for (change, write) in [
        (
            "ADD further text",
            "INSERT INTO items (id, name, email, further) VALUES (1, 'a', 'e', '{}')",
        ),
        (
            "DROP name, ADD name text",
            "INSERT INTO items (id, name, email) VALUES (1, '{}', 'e')",
        ),
        (
            "ALTER email TYPE text[] USING ARRAY[email]",
            "INSERT INTO items (id, name, email) VALUES (1, 'a', ARRAY['{}'])",
        ),
    ] {
        let (_, conn) = &mut with_snapshot_before(&format!("ALTER TABLE items {change}"));
        run(conn, &write.replace("{}", SECRET));
        run(conn, "COMMIT");
        assert_eq!(recorded_without_secret(conn).len(), 1, "{change}");
    }
}
