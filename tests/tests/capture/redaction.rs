//! No change of the table reveals a secret.

use threadline_tests::{
    Database, assert_refused, assert_rows, assert_value, exchange, rows, run, value,
};

/// Searched for in the whole database.
const SECRET: &str = "s3cr3t";

fn secret_table() -> (Database, diesel::PgConnection) {
    Database::with(&format!(
        "CREATE TABLE users (id int PRIMARY KEY, name text, email text, password_hash text, age int, tags text[]);
         SELECT threadline.audit('users', mask => ARRAY['email', 'age', 'tags'], exclude => ARRAY['password_hash']);
         INSERT INTO users VALUES (1, 'Ada', '{SECRET}@x', '{SECRET}', 36, ARRAY['{SECRET}']);"
    ))
}

/// Removes the live rows and searches everything that is left for the secret.
#[track_caller]
fn assert_no_secret(database: &Database, table: &str) {
    let conn = &mut database.connect();
    run(
        conn,
        &format!(
            "SET session_replication_role = replica; ALTER TABLE {table} DISABLE TRIGGER ALL; DELETE FROM {table}"
        ),
    );
    let contents = database.contents();
    assert!(contents.contains("threadline.journal"));
    assert!(
        !contents.contains(SECRET),
        "{}",
        rows(conn, "SELECT * FROM threadline.audit_changes").join("\n")
    );
}

fn images(conn: &mut diesel::PgConnection) -> Vec<String> {
    rows(
        conn,
        "SELECT op, changed_from, changed_to, row_data FROM threadline.changes ORDER BY id",
    )
}

#[test]
fn masks_have_the_json_type_of_their_column_and_null_stays_null() {
    let (database, conn) = &mut secret_table();
    run(conn, "UPDATE users SET email = NULL, age = 37");
    run(
        conn,
        &format!("UPDATE users SET email = '{SECRET}2', password_hash = '{SECRET}3', tags = NULL"),
    );
    run(
        conn,
        &format!("UPDATE users SET password_hash = '{SECRET}4'"),
    );
    run(conn, "TRUNCATE users");
    assert_eq!(
        images(conn),
        [
            r#"insert | NULL | NULL | {"id": 1, "age": 0, "name": "Ada", "tags": [], "email": "***"}"#,
            r#"update | {"age": 0, "email": "***"} | {"age": 0, "email": null} | NULL"#,
            r#"update | {"tags": [], "email": null} | {"tags": null, "email": "***"} | NULL"#,
            r#"truncate | NULL | NULL | {"id": 1, "age": 0, "name": "Ada", "tags": null, "email": "***"}"#,
        ]
    );
    assert_no_secret(database, "users");
}

#[test]
fn the_mask_of_every_type_has_the_json_type_of_its_values() {
    let (_, conn) = &mut Database::with(
        "CREATE TYPE mood AS ENUM ('calm');
         CREATE TYPE place AS (x int, name text);
         CREATE DOMAIN document AS jsonb;
         CREATE DOMAIN site AS place;
         CREATE DOMAIN scores AS int[];
         CREATE DOMAIN small AS smallint;
         CREATE DOMAIN smaller AS small;
         CREATE TABLE samples (
             id int PRIMARY KEY, i2 int2, i4 int4, i8 int8, f4 float4, f8 float8, n numeric(9, 2), m money, o oid,
             rc regclass, rt regtype, b bool, t text, v varchar(9), c char(9), nm name, by bytea, ts timestamp,
             tz timestamptz, d date, ti time, iv interval, u uuid, j json, jb jsonb, md mood, p place, doc document,
             st site, a int[], aa text[], ap place[], sc scores, sm smaller, r int4range, mr int4multirange, ip inet,
             bi bit(3), pt point, x xml, tv tsvector, iv2 int2vector);
         SELECT threadline.audit('samples', mask => (
             SELECT array_agg(attname::text) FROM pg_attribute
             WHERE attrelid = 'samples'::regclass AND attnum > 1 AND NOT attisdropped));
         INSERT INTO samples VALUES (
             1, 1, 1, 1, 1, 1, 1, 1, 1, 'pg_class', 'int4', true, 't', 'v', 'c', 'n', 'by', now(), now(), now(), '10:00',
             '1 day', gen_random_uuid(), '{}', '{}', 'calm', '(1,a)', '{}', '(1,a)', '{1}', '{a}',
             ARRAY[ROW(1, 'a')::place], '{1}', 1, '[1,2)', '{[1,2)}', '1.1.1.1', '101', '(1,2)', '<a/>', 'a', '1 2');",
    );
    let differing = "SELECT live.key, jsonb_typeof(live.value), recorded.value
                     FROM samples AS s
                     CROSS JOIN threadline.changes AS c
                     CROSS JOIN LATERAL jsonb_each(to_jsonb(s)) AS live
                     LEFT JOIN LATERAL jsonb_each(c.row_data) AS recorded ON recorded.key = live.key
                     WHERE jsonb_typeof(live.value) IS DISTINCT FROM jsonb_typeof(recorded.value)
                     ORDER BY 1";
    assert_rows(conn, differing, []);
    assert_value(
        conn,
        "SELECT string_agg(DISTINCT e.value::text COLLATE \"C\", ' ' ORDER BY e.value::text COLLATE \"C\")
         FROM threadline.changes AS c CROSS JOIN LATERAL jsonb_each(c.row_data) AS e WHERE e.key <> 'id'",
        r#""***" 0 [] false {}"#,
    );
}

#[test]
fn a_renamed_secret_stays_secret_and_the_write_succeeds() {
    let (database, conn) = &mut secret_table();
    run(
        conn,
        "ALTER TABLE users RENAME email TO mail; ALTER TABLE users RENAME password_hash TO hash; ALTER TABLE users RENAME name TO title",
    );
    run(
        conn,
        &format!("UPDATE users SET mail = '{SECRET}5', hash = '{SECRET}6', title = 'Countess'"),
    );
    run(
        conn,
        &format!("INSERT INTO users VALUES (2, 'Bob', '{SECRET}', '{SECRET}', 1, '{{}}')"),
    );
    run(conn, "DELETE FROM users WHERE id = 2");
    run(conn, "SELECT threadline.refresh('users')");
    run(
        conn,
        &format!("UPDATE users SET mail = '{SECRET}7', hash = '{SECRET}8', title = 'Lady'"),
    );
    assert_eq!(
        images(conn)[1..],
        [
            r#"update | {"mail": "***", "title": "Ada"} | {"mail": "***", "title": "Countess"} | NULL"#,
            r#"insert | NULL | NULL | {"id": 2, "age": 0, "mail": "***", "tags": [], "title": "Bob"}"#,
            r#"delete | NULL | NULL | {"id": 2, "age": 0, "mail": "***", "tags": [], "title": "Bob"}"#,
            r#"update | {"mail": "***", "title": "Countess"} | {"mail": "***", "title": "Lady"} | NULL"#,
        ]
    );
    assert_no_secret(database, "users");
}

#[test]
fn columns_that_swap_names_do_not_swap_their_protection() {
    let (database, conn) = &mut secret_table();
    run(
        conn,
        &format!(
            "BEGIN; {} COMMIT",
            exchange("users", "name", "password_hash")
        ),
    );
    run(
        conn,
        &format!("UPDATE users SET name = '{SECRET}1', password_hash = 'clear'"),
    );
    run(
        conn,
        &format!("INSERT INTO users VALUES (2, 'x', 'x', '{SECRET}', 1, NULL)"),
    );
    run(conn, "TRUNCATE users");
    assert_no_secret(database, "users");
}

#[test]
fn a_secret_under_the_name_of_a_dropped_column_stays_one() {
    let (database, conn) = &mut secret_table();
    run(
        conn,
        "ALTER TABLE users DROP name; ALTER TABLE users RENAME password_hash TO name",
    );
    run(conn, &format!("UPDATE users SET name = '{SECRET}1'"));
    run(
        conn,
        &format!("INSERT INTO users VALUES (2, '{SECRET}', '{SECRET}', 1, NULL)"),
    );
    run(conn, "DELETE FROM users");
    assert_no_secret(database, "users");
}

#[test]
fn a_column_added_later_is_left_out_until_somebody_decides() {
    let (database, conn) = &mut secret_table();
    run(
        conn,
        &format!(
            "ALTER TABLE users ADD password_hash_2 text;
             UPDATE users SET password_hash_2 = password_hash, name = 'Ada L.';
             ALTER TABLE users DROP password_hash;
             UPDATE users SET password_hash_2 = '{SECRET}9', age = 40;
             INSERT INTO users VALUES (2, 'Bob', NULL, 1, NULL, '{SECRET}')"
        ),
    );
    assert_eq!(
        images(conn)[1..],
        [
            r#"update | {"name": "Ada"} | {"name": "Ada L."} | NULL"#,
            r#"update | {"age": 0} | {"age": 0} | NULL"#,
            r#"insert | NULL | NULL | {"id": 2, "age": 0, "name": "Bob", "tags": null, "email": null}"#,
        ]
    );
    assert_no_secret(database, "users");
}

#[test]
fn a_changed_type_in_an_open_session_fails_no_write_and_shows_no_secret() {
    let (database, conn) = &mut secret_table();
    run(conn, "UPDATE users SET age = 1");
    run(
        &mut database.connect(),
        "ALTER TABLE users ALTER age TYPE text USING age::text || 's3cr3t', ALTER id TYPE bigint",
    );
    run(
        conn,
        "UPDATE users SET name = 'Ada L.', age = age || 's3cr3t'",
    );
    assert_eq!(
        images(conn)[2..],
        [r#"update | {"age": "***", "name": "Ada"} | {"age": "***", "name": "Ada L."} | NULL"#]
    );
    assert_no_secret(database, "users");
}

#[test]
fn nothing_on_a_table_without_secrets_is_lost_when_its_columns_change() {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY, a text, b int);
         SELECT threadline.audit('items');
         INSERT INTO items VALUES (1, 'x', 1);
         UPDATE items SET a = 'y';",
    );
    let other = &mut database.connect();
    run(other, "ALTER TABLE items RENAME a TO aa");
    run(conn, "UPDATE items SET aa = 'z'");
    run(other, "ALTER TABLE items ADD c text");
    run(conn, "UPDATE items SET c = 'new'");
    run(other, "ALTER TABLE items ALTER b TYPE bigint");
    run(conn, "UPDATE items SET b = 2");
    run(other, "ALTER TABLE items DROP b");
    run(conn, "UPDATE items SET c = 'newer', aa = 'zz'");
    run(other, "ALTER TABLE items RENAME id TO key");
    run(conn, "UPDATE items SET c = 'newest'");
    // All in one transaction, after a write.
    run(
        conn,
        "BEGIN; UPDATE items SET aa = '1'; ALTER TABLE items ADD d int; UPDATE items SET d = 1;
         ALTER TABLE items RENAME aa TO a; UPDATE items SET a = '2'; COMMIT",
    );
    run(conn, "DELETE FROM items");
    let recorded = rows(
        conn,
        "SELECT record_key, changed_from, changed_to, row_data FROM threadline.audit_changes ORDER BY id",
    );
    assert_eq!(
        recorded[2..],
        [
            r#"1 | {"aa": "y"} | {"aa": "z"} | NULL"#,
            r#"1 | {"c": null} | {"c": "new"} | NULL"#,
            r#"1 | {"b": 1} | {"b": 2} | NULL"#,
            r#"1 | {"c": "new", "aa": "z"} | {"c": "newer", "aa": "zz"} | NULL"#,
            r#"1 | {"c": "newer"} | {"c": "newest"} | NULL"#,
            r#"1 | {"aa": "zz"} | {"aa": "1"} | NULL"#,
            r#"1 | {"d": null} | {"d": 1} | NULL"#,
            r#"1 | {"a": "1"} | {"a": "2"} | NULL"#,
            r#"1 | NULL | NULL | {"a": "2", "c": "newest", "d": 1, "key": 1}"#,
        ]
    );
}

#[test]
fn protection_survives_dump_and_restore() {
    let database = Database::new();
    {
        let conn = &mut database.connect();
        // A dropped column leaves a gap in the column numbers that a restore closes:
        // email gets the number that name had.
        run(
            conn,
            &format!(
                "CREATE TABLE users (gone int, id int PRIMARY KEY, name text, email text, password_hash text);
                 ALTER TABLE users DROP gone;
                 SELECT threadline.audit('users', mask => ARRAY['email'], exclude => ARRAY['password_hash']);
                 INSERT INTO users VALUES (1, 'Ada', '{SECRET}', '{SECRET}');"
            ),
        );
    }
    let (restored, conn) = &mut database.restored().connected();
    run(
        conn,
        &format!(
            "UPDATE users SET name = 'Ada L.', email = '{SECRET}2', password_hash = '{SECRET}3'"
        ),
    );
    run(conn, "ALTER TABLE users ADD extra text");
    run(
        conn,
        &format!("UPDATE users SET name = 'Lady', email = '{SECRET}4', extra = '{SECRET}5'"),
    );
    run(conn, "SELECT threadline.refresh('users')");
    run(
        conn,
        &format!("UPDATE users SET name = 'Countess', email = '{SECRET}6', extra = 'clear now'"),
    );
    assert_eq!(
        images(conn)[1..],
        [
            r#"update | {"name": "Ada", "email": "***"} | {"name": "Ada L.", "email": "***"} | NULL"#,
            r#"update | {"name": "Ada L.", "email": "***"} | {"name": "Lady", "email": "***"} | NULL"#,
            r#"update | {"name": "Lady", "email": "***", "extra": "s3cr3t5"} | {"name": "Countess", "email": "***", "extra": "clear now"} | NULL"#,
        ]
    );
    run(
        conn,
        "SELECT threadline.post(); DELETE FROM threadline.ledger_changes WHERE changed_from ? 'extra'",
    );
    assert_no_secret(restored, "users");
}

#[test]
fn a_table_from_a_dump_whose_secret_was_renamed_is_not_refreshed_by_guess() {
    let (database, _) = secret_table();
    let (_, conn) = &mut database.restored().connected();
    let triggers = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE '!threadline%'";
    let before = value(conn, triggers);
    run(conn, "ALTER TABLE users RENAME email TO mail");
    assert_refused(
        conn,
        "SELECT threadline.refresh('users')",
        "a redacted column of it has another name now",
    );
    assert_eq!(value(conn, triggers), before);
}

#[test]
fn a_table_under_another_name_or_in_another_schema_keeps_its_secrets() {
    let (database, conn) = &mut secret_table();
    run(
        conn,
        &format!(
            "CREATE SCHEMA other; ALTER TABLE users RENAME TO people;
             INSERT INTO people VALUES (2, 'Bo', '{SECRET}', '{SECRET}', 7);
             ALTER TABLE people SET SCHEMA other;
             UPDATE other.people SET email = '{SECRET}2', password_hash = '{SECRET}2';
             ALTER TABLE other.people RENAME email TO mail; SELECT threadline.refresh('other.people');
             INSERT INTO other.people SELECT k, 'many', '{SECRET}', '{SECRET}' FROM generate_series(3, 200) AS k;
             UPDATE other.people SET mail = '{SECRET}3' WHERE id < 3;
             CREATE TABLE users (LIKE other.people INCLUDING ALL);
             INSERT INTO users VALUES (1, 'Cy', '{SECRET}', '{SECRET}');
             DELETE FROM users; TRUNCATE other.people"
        ),
    );
    assert_rows(
        conn,
        "SELECT op, table_name, count(*) FROM threadline.changes GROUP BY op, table_name, id < 5 ORDER BY min(id)",
        [
            "insert | people | 2",
            "update | people | 2",
            "insert | people | 198",
            "update | people | 2",
            "truncate | people | 200",
        ],
    );
    assert_no_secret(database, "other.people");
}

/// As an operator sees them, with the context that PostgreSQL adds.
#[test]
fn an_error_of_capture_prints_no_value() {
    let (database, mut conn) = Database::with(
        "CREATE TABLE users (id int PRIMARY KEY, name text, email text) ;
         CREATE TABLE parted (id int PRIMARY KEY, name text, email text) PARTITION BY HASH (id);
         CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 1, REMAINDER 0);
         SELECT threadline.audit(t, mask => ARRAY['email']) FROM unnest(ARRAY['users', 'parted']::regclass[]) AS t;
         INSERT INTO users SELECT k, 'kept', 'kept' FROM generate_series(1, 150) AS k; INSERT INTO parted TABLE users;
         SET lock_timeout = '20ms'",
    );
    let mut blocker = database.connect();
    run(
        &mut blocker,
        "BEGIN; LOCK TABLE threadline.journal IN ACCESS EXCLUSIVE MODE",
    );
    for table in ["users", "parted"] {
        for write in [
            format!("INSERT INTO {table} VALUES (999, '{SECRET}', '{SECRET}')"),
            format!("UPDATE {table} SET name = '{SECRET}', email = '{SECRET}' WHERE id = 1"),
            format!("UPDATE {table} SET name = '{SECRET}', email = '{SECRET}'"),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
        ] {
            let said = everything_said(&mut conn, &write);
            assert!(said.contains("lock timeout"), "{write}: {said}");
            assert!(
                !said.contains(SECRET) && !said.contains("kept"),
                "{write}: {said}"
            );
        }
    }
}

/// Returns the full error of a failing statement.
fn everything_said(conn: &mut diesel::PgConnection, write: &str) -> String {
    run(
        conn,
        "CREATE OR REPLACE FUNCTION pg_temp.said(write text) RETURNS text LANGUAGE plpgsql AS $$
         DECLARE message text; detail text; hint text; context text;
         BEGIN
             EXECUTE write;
             RETURN 'nothing';
         EXCEPTION WHEN OTHERS THEN
             GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
             -- The statement itself is the application's.
             RETURN concat_ws(E'\\n', message, detail, hint, replace(context, write, '...'));
         END $$",
    );
    value(conn, &format!("pg_temp.said($write${write}$write$)")).unwrap()
}

/// The `down.sql` of a policy runs before that of the rename.
#[test]
fn a_policy_that_is_reverted_redacts_columns_under_their_present_names_as_a_dump_shows() {
    let (database, conn) = &mut secret_table();
    run(
        conn,
        "ALTER TABLE users RENAME email TO mail; ALTER TABLE users RENAME password_hash TO digest;
         SELECT threadline.audit_as_decided('users', mask => ARRAY['mail', 'age', 'tags'], exclude => ARRAY['digest'])",
    );
    // Not noted yet.
    run(conn, "ALTER TABLE users RENAME digest TO pw");
    let before = "SELECT threadline.audit_as_before('users', mask => ARRAY['email', 'age', 'tags'], exclude => ARRAY['password_hash'])";
    run(conn, before);
    run(
        conn,
        &format!("UPDATE users SET name = 'Eve', mail = '{SECRET}2', pw = '{SECRET}3'"),
    );
    assert_rows(
        conn,
        "SELECT policy FROM threadline.audited_tables WHERE NOT columns @> '[{\"number\": 20001}]'",
        [r#"{"mask": ["age", "mail", "tags"], "exclude": ["pw"], "require_actor": false}"#],
    );
    run(
        conn,
        "ALTER TABLE users RENAME mail TO email; ALTER TABLE users RENAME pw TO password_hash",
    );
    run(
        conn,
        &format!("UPDATE users SET email = '{SECRET}4', password_hash = '{SECRET}5'"),
    );
    assert_rows(conn, "SELECT code FROM threadline.chain_drift('users')", []);
    run(conn, before);
    assert_rows(conn, "SELECT code FROM threadline.table_drift()", []);
    // The history of the names survives a restore, their numbers do not.
    run(
        conn,
        "ALTER TABLE users RENAME email TO mail; SELECT threadline.refresh('users')",
    );
    let (restored, conn) = &mut database.restored().connected();
    run(conn, before);
    run(conn, &format!("UPDATE users SET mail = '{SECRET}6'"));
    assert_no_secret(database, "users");
    assert_no_secret(restored, "users");
}

#[test]
fn a_policy_that_is_reverted_does_not_decide_about_columns_that_came_since_as_a_dump_shows() {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE users (id int PRIMARY KEY, name text, mail text);
         SELECT threadline.audit_as_decided('users', mask => ARRAY['mail']);
         ALTER TABLE users ADD api_token text, ADD score numeric;
         ALTER TABLE users RENAME mail TO email; ALTER TABLE users RENAME name TO title;
         SELECT threadline.audit_as_decided('users', mask => ARRAY['email'], exclude => ARRAY['api_token']);
         INSERT INTO users VALUES (1, 'Ada', 's3cr3t1', 's3cr3t2', 1)",
    );
    let before =
        "SELECT threadline.audit_as_before('users', mask => '{mail}', known => '{id,name,mail}')";
    for _ in 0..2 {
        run(conn, before);
        run(
            conn,
            "UPDATE users SET title = title || '+', email = email || '+', api_token = api_token || '+', score = score + 1",
        );
        assert_eq!(
            rows(
                conn,
                "SELECT changed_to FROM threadline.changes ORDER BY id DESC LIMIT 1"
            )
            .join("")
            .replace('+', ""),
            r#"{"email": "***", "title": "Ada"}"#
        );
    }
    assert_rows(
        conn,
        "SELECT code, fix IS NULL FROM threadline.table_drift()",
        ["columns-changed | true"],
    );
    let restored = database.restored();
    for database in [&*database, &restored] {
        let conn = &mut database.connect();
        run(
            conn,
            "UPDATE users SET title = 'Eve', api_token = 's3cr3t3'",
        );
    }
    assert_no_secret(&restored, "users");
    // They are gone as they came.
    run(conn, "ALTER TABLE users DROP api_token, DROP score");
    assert_rows(conn, "SELECT code FROM threadline.table_drift()", []);

    // Without redaction there is nothing to decide.
    run(
        conn,
        "CREATE TABLE notes (id int PRIMARY KEY, body text); SELECT threadline.audit('notes');
         ALTER TABLE notes ADD more text;
         SELECT threadline.audit_as_before('notes', known => '{id,body}');
         INSERT INTO notes VALUES (1, 'a', 'b')",
    );
    assert_rows(
        conn,
        "SELECT row_data FROM threadline.changes ORDER BY id DESC LIMIT 1",
        [r#"{"id": 1, "body": "a", "more": "b"}"#],
    );
    assert_no_secret(database, "users");
}
