//! An image does not depend on the session, and holds every value in full.

use diesel::PgConnection;
use threadline_tests::{
    Database, assert_rows, assert_value, rolled_back, rolled_back_with, rows, run, value,
};

/// Columns of many types, with a value each.
const ZOO: &str = r#"
    CREATE TYPE mood AS ENUM ('sad', 'so "so"', 'happy');
    CREATE TYPE pair AS (a int, b text);
    CREATE DOMAIN positive AS numeric CHECK (VALUE > 0);
    CREATE TABLE zoo (
        id uuid PRIMARY KEY DEFAULT '6a2f41a3-c54c-4f4c-9f8e-1b2c3d4e5f60',
        b bool DEFAULT true, i2 int2 DEFAULT -1, i8 int8 DEFAULT 9007199254740993,
        n numeric(38, 20) DEFAULT 123456789012345678.12345678901234567890, nan numeric DEFAULT 'NaN',
        f4 float4 DEFAULT 0.1, f8 float8 DEFAULT 0.1, inf float8 DEFAULT '-Infinity',
        money money DEFAULT 12.34,
        t text DEFAULT E'line\n"quote" \\ \u2603', c char(5) DEFAULT 'ab', v varchar(9) DEFAULT 'x',
        bytes bytea DEFAULT '\x00ff5c', d date DEFAULT '2026-02-28', ts timestamp DEFAULT '2026-02-28 01:02:03.000004',
        tz timestamptz DEFAULT '2026-02-28 01:02:03+05', forever timestamptz DEFAULT 'infinity',
        tm time DEFAULT '01:02', iv interval DEFAULT '1 year 2 days 03:04:05',
        j json DEFAULT '{"b":1, "a":[1.0]}', jb jsonb DEFAULT '{"b":1,"a":1.0}',
        odd json DEFAULT '{"nul": "\u0000"}',
        ia int[] DEFAULT '{1,NULL,3}', ta text[] DEFAULT '{"a,b","c\"d"}', m mood DEFAULT 'so "so"',
        p pair DEFAULT '(1,"x,y")', pos positive DEFAULT 5.0, r int4range DEFAULT '[1,5)',
        tr tstzrange DEFAULT '[2026-01-01 00:00+00,2026-02-01 00:00+00)',
        ip inet DEFAULT '10.0.0.1/8', named regtype DEFAULT 'positive', names regtype[] DEFAULT '{mood,text}', bits bit(3) DEFAULT '101', x xml DEFAULT '<a/>',
        gen int GENERATED ALWAYS AS (length('x') + 1) STORED);
    SELECT threadline.audit('zoo');
"#;

#[test]
fn images_do_not_depend_on_the_session() {
    let (_, conn) = &mut Database::with(ZOO);
    run(conn, "INSERT INTO zoo DEFAULT VALUES; DELETE FROM zoo");
    run(
        conn,
        "SET timezone = 'Asia/Kathmandu'; SET datestyle = 'SQL, DMY'; SET intervalstyle = 'sql_standard';
         SET bytea_output = 'escape'; SET extra_float_digits = -15; SET quote_all_identifiers = on; SET search_path = pg_catalog",
    );
    run(
        conn,
        "INSERT INTO public.zoo DEFAULT VALUES; DELETE FROM public.zoo",
    );
    assert_eq!(
        value(
            conn,
            "SELECT count(DISTINCT row_data::text) FROM threadline.audit_changes"
        )
        .as_deref(),
        Some("1"),
        "{:#?}",
        rows(conn, "SELECT row_data FROM threadline.audit_changes")
    );
    insta::assert_snapshot!(
        value(
            conn,
            "SELECT jsonb_pretty(row_data) FROM threadline.audit_changes LIMIT 1"
        )
        .unwrap()
    );
}

#[test]
fn every_type_goes_the_fast_way() {
    let conn = &mut rolled_back_with(ZOO);
    // If the fast way fails, the slow one redacts. TRUNCATE has no other.
    run(
        conn,
        "CREATE OR REPLACE FUNCTION threadline.redacted_change(
             INOUT old_row jsonb, INOUT new_row jsonb, redaction jsonb, OUT changed text[])
         LANGUAGE plpgsql AS $$ BEGIN IF new_row IS NOT NULL THEN RAISE 'not the fast way'; END IF; END $$;
         INSERT INTO zoo DEFAULT VALUES;
         UPDATE zoo SET b = NOT b, n = n + 1, j = '{}', bytes = '', m = 'happy', p = (2, 'z')::pair, tr = NULL, ia = '{}';
         DELETE FROM zoo;
         INSERT INTO zoo DEFAULT VALUES;
         TRUNCATE zoo;
         SELECT threadline.audit('zoo', mask => ARRAY['t', 'i8', 'jb', 'd', 'm', 'money'], exclude => ARRAY['j', 'x']);
         INSERT INTO zoo DEFAULT VALUES;
         UPDATE zoo SET b = NOT b, t = '', d = NULL;
         DELETE FROM zoo;
         INSERT INTO zoo DEFAULT VALUES;
         TRUNCATE zoo;
         INSERT INTO zoo (id) SELECT gen_random_uuid() FROM generate_series(1, 3);
         UPDATE zoo SET b = NOT b, t = '', d = NULL;
         UPDATE zoo SET id = gen_random_uuid();
         DELETE FROM zoo;
         INSERT INTO zoo (id) SELECT gen_random_uuid() FROM generate_series(1, 200);
         UPDATE zoo SET b = NOT b, t = '', d = NULL;
         UPDATE zoo SET id = gen_random_uuid();
         DELETE FROM zoo;
         SET LOCAL session_replication_role = replica;
         INSERT INTO zoo DEFAULT VALUES; UPDATE zoo SET i2 = 7; DELETE FROM zoo;",
    );
    assert_value(conn, "SELECT count(*) FROM threadline.audit_changes", "825");
}

#[test]
fn a_composite_of_types_of_postgresql_is_not_taken_apart() {
    let (_, conn) = &mut Database::with(
        "CREATE TYPE pair AS (a int, b text, j jsonb, at timestamptz);
         CREATE TYPE pairs AS (one pair, span interval, gone int, list int[]);
         ALTER TYPE pairs DROP ATTRIBUTE gone;
         CREATE DOMAIN twins AS pairs;
         CREATE TABLE boxes (id int PRIMARY KEY, p pair, q pairs, d twins, list pair[]);
         SELECT threadline.audit('boxes')",
    );
    let write = |conn: &mut PgConnection| {
        run(
            conn,
            "SET timezone = 'Asia/Kathmandu'; SET intervalstyle = 'iso_8601';
             INSERT INTO boxes VALUES (1, (1, 'x,y', '{\"n\": 1.00}', '2026-02-28 01:02:03+05'), NULL, NULL, ARRAY[ROW(NULL, NULL, NULL, NULL), NULL]::pair[]);
             UPDATE boxes SET q = ROW(p, '1 day 02:03', '{1,NULL}'), d = ROW(p, NULL, '{}');
             ALTER TYPE pair ADD ATTRIBUTE since int;
             UPDATE boxes SET p.since = 7;
             ALTER TYPE pair DROP ATTRIBUTE since;
             DELETE FROM boxes;",
        );
        rows(
            conn,
            "SELECT concat(op, row_data, changed_from, changed_to) FROM threadline.audit_changes ORDER BY id DESC LIMIT 4",
        )
    };
    let parts = "CREATE OR REPLACE FUNCTION threadline.holds_own_types(relation oid) RETURNS boolean LANGUAGE sql AS 'SELECT false'";
    let whole = value(
        conn,
        "SELECT pg_get_functiondef('threadline.holds_own_types'::regproc)",
    )
    .unwrap();
    run(conn, parts);
    let taken_apart = write(conn);
    run(conn, &whole);
    run(
        conn,
        "CREATE OR REPLACE FUNCTION threadline.whole_image(relation regclass, row_name text, exact boolean) RETURNS text
         LANGUAGE plpgsql AS $$ BEGIN RAISE 'taken apart'; END $$",
    );
    assert_eq!(write(conn), taken_apart);
    assert!(
        taken_apart[3].contains(
            r#"{"a": 1, "b": "x,y", "j": {"n": 1.00}, "at": "2026-02-27T20:02:03+00:00"}"#
        ),
        "{taken_apart:#?}"
    );
}

#[test]
fn columns_added_without_a_refresh_do_not_cost_a_query_of_the_catalog_for_each_row() {
    let (_, conn) = &mut Database::with(
        "CREATE TYPE mood AS ENUM ('sad', 'happy');
         CREATE TABLE people (id int PRIMARY KEY, mood mood);
         CREATE TABLE secrets (id int PRIMARY KEY, mood mood, pin text);
         CREATE TABLE parts (id int PRIMARY KEY, mood mood) PARTITION BY LIST (id);
         CREATE TABLE part (gone int, mood mood, id int NOT NULL);
         ALTER TABLE part DROP gone;
         ALTER TABLE parts ATTACH PARTITION part DEFAULT;
         SELECT threadline.audit('people'), threadline.audit('secrets', mask => ARRAY['pin']), threadline.audit('parts');
         ALTER TABLE people ADD since int;
         ALTER TABLE secrets ADD since int;
         ALTER TABLE parts ADD since int",
    );
    let write = |conn: &mut PgConnection, id: i32| {
        run(
            conn,
            &format!(
                "INSERT INTO people VALUES ({id}, 'sad', 7);
                 INSERT INTO secrets VALUES ({id}, 'sad', '1234', 7);
                 INSERT INTO parts VALUES ({id}, 'sad', 7);
                 UPDATE parts SET mood = 'happy' WHERE id = {id}"
            ),
        );
    };
    // PostgreSQL plans a statement anew for the first times.
    for id in 0..10 {
        write(conn, id);
    }
    run(
        conn,
        "CREATE OR REPLACE FUNCTION threadline.whole_image(relation regclass, row_name text, exact boolean) RETURNS text
         LANGUAGE plpgsql AS $$ BEGIN RAISE 'asked again'; END $$",
    );
    write(conn, 27);
    assert_eq!(
        rows(
            conn,
            "SELECT concat(row_data, changed_from, changed_to) FROM threadline.audit_changes WHERE record_key = '27' ORDER BY id"
        ),
        [
            r#"{"id": 27, "mood": "sad", "since": 7}"#,
            r#"{"id": 27, "pin": "***", "mood": "sad"}"#,
            r#"{"id": 27, "mood": "sad", "since": 7}"#,
            r#"{"mood": "sad"}{"mood": "happy"}"#,
        ]
    );
}

#[test]
fn a_type_alone_in_its_table_does_not_depend_on_the_session_either() {
    let (_, conn) = &mut Database::with(ZOO);
    let columns = rows(
        conn,
        "SELECT a.attname AS name
         FROM pg_attribute AS a
         WHERE a.attrelid = 'zoo'::regclass AND a.attnum > 1 AND NOT a.attisdropped AND a.attgenerated = ''",
    );
    for column in &columns {
        run(
            conn,
            &format!(
                "CREATE TABLE alone_{column} AS SELECT 1 AS key, {column} FROM zoo LIMIT 0;
                 ALTER TABLE alone_{column} ADD PRIMARY KEY (key);
                 SELECT threadline.audit('alone_{column}')"
            ),
        );
    }
    run(conn, "INSERT INTO zoo DEFAULT VALUES");
    let write: String = columns
        .iter()
        .map(|column| {
            format!(
                "INSERT INTO public.alone_{column} SELECT 1, {column} FROM public.zoo;
                 UPDATE public.alone_{column} SET {column} = NULL;
                 UPDATE public.alone_{column} AS one SET {column} = zoo.{column} FROM public.zoo;
                 DELETE FROM public.alone_{column};"
            )
        })
        .collect();
    run(conn, &write);
    run(
        conn,
        "SET timezone = 'Asia/Kathmandu'; SET datestyle = 'SQL, DMY'; SET intervalstyle = 'sql_standard';
         SET bytea_output = 'escape'; SET extra_float_digits = -15; SET search_path = pg_catalog",
    );
    run(conn, &write);
    let differing = rows(
        conn,
        "SELECT t.table_name, array_agg(DISTINCT coalesce(c.changed_to, c.row_data)::text) AS images
         FROM threadline.audit_changes AS c
         JOIN threadline.audited_tables AS t ON t.id = c.table_id
         WHERE t.table_name <> 'zoo'
         GROUP BY t.table_name, c.op, c.changed_to ->> 0, c.changed_from IS NULL
         HAVING count(DISTINCT coalesce(c.changed_to, c.row_data, '{}')::text) > CASE c.op WHEN 'U' THEN 2 ELSE 1 END",
    );
    assert_eq!(differing, Vec::<String>::new());
    assert_value(
        conn,
        "SELECT count(*) FROM threadline.audit_changes",
        (columns.len() * 8 + 1).to_string().as_str(),
    );
}

#[test]
fn a_row_can_be_restored_from_its_image() {
    let conn = &mut rolled_back_with(ZOO);
    run(
        conn,
        "ALTER TABLE zoo DROP odd, DROP gen; SELECT threadline.refresh('zoo'); INSERT INTO zoo DEFAULT VALUES",
    );
    assert_eq!(
        value(
            conn,
            "SELECT count(*) FROM threadline.audit_changes AS c, zoo AS live,
                 LATERAL unnest(threadline.populate_rows(NULL::zoo, ARRAY[c.row_data], '{}')) AS again
             WHERE (again.*)::text = (live.*)::text"
        )
        .as_deref(),
        // The image has the text of json, and this returns its content.
        Some("0"),
    );
    assert_value(
        conn,
        "SELECT count(*) FROM threadline.audit_changes AS c, zoo AS live,
             LATERAL unnest(threadline.populate_rows(NULL::zoo, ARRAY[c.row_data], '{}')) AS again
         WHERE to_jsonb(again) = to_jsonb(live) AND again.n = live.n AND again.bytes = live.bytes
           AND again.tz = live.tz AND again.iv = live.iv AND again.r = live.r AND again.i8 = live.i8",
        "1",
    );
}

#[test]
fn values_without_a_form_in_jsonb_are_kept_as_text() {
    let conn = &mut rolled_back_with(
        r#"CREATE DOMAIN document AS json;
        CREATE TYPE boxed AS (doc json);
        CREATE TABLE items (id int PRIMARY KEY, d document, b boxed, a json[]);
        SELECT threadline.audit('items');
        INSERT INTO items VALUES (1, '{"a": "\u0000"}', ROW('"\u0000"'::json), ARRAY['"\u0000"'::json]);
        UPDATE items SET d = '{"b": "\u0000"}';
        TRUNCATE items;"#,
    );
    assert_rows(
        conn,
        "SELECT op, changed_from, changed_to, row_data FROM threadline.changes ORDER BY id",
        [
            r#"insert | NULL | NULL | {"a": "{\"\\\"\\\\u0000\\\"\"}", "b": "(\"\"\"\\\\u0000\"\"\")", "d": "{\"a\": \"\\u0000\"}", "id": 1}"#,
            r#"update | {"d": "{\"a\": \"\\u0000\"}"} | {"d": "{\"b\": \"\\u0000\"}"} | NULL"#,
            r#"truncate | NULL | NULL | {"a": "{\"\\\"\\\\u0000\\\"\"}", "b": "(\"\"\"\\\\u0000\"\"\")", "d": "{\"b\": \"\\u0000\"}", "id": 1}"#,
        ],
    );
}

#[test]
fn values_without_a_form_in_jsonb_are_kept_where_only_lists_hold_them() {
    let conn = &mut rolled_back_with(
        r#"CREATE TABLE lists (id int PRIMARY KEY, a json[], secret text);
        CREATE TABLE redacted (LIKE lists INCLUDING ALL);
        SELECT threadline.audit('lists', plain => ARRAY['secret']), threadline.audit('redacted', exclude => ARRAY['secret']);
        INSERT INTO lists VALUES (1, ARRAY['"\u0000"'::json]);
        INSERT INTO redacted VALUES (1, ARRAY['"\u0000"'::json], 'x');
        UPDATE redacted SET a = ARRAY['1'::json];"#,
    );
    assert_rows(
        conn,
        "SELECT op, changed_from, changed_to, row_data FROM threadline.changes ORDER BY id",
        [
            r#"insert | NULL | NULL | {"a": "{\"\\\"\\\\u0000\\\"\"}", "id": 1, "secret": null}"#,
            r#"insert | NULL | NULL | {"a": "{\"\\\"\\\\u0000\\\"\"}", "id": 1}"#,
            r#"update | {"a": "{\"\\\"\\\\u0000\\\"\"}"} | {"a": [1]} | NULL"#,
        ],
    );
}

/// PostgreSQL 18 has columns without stored values: a trigger does not see them.
#[test]
fn a_generated_column_is_recorded_if_it_is_stored() {
    let conn = &mut rolled_back();
    let newest = value(conn, "SELECT current_setting('server_version_num')").unwrap();
    let (kind, stored) = if newest.parse::<i32>().unwrap() < 180_000 {
        ("STORED", r#""twice": 2, "#)
    } else {
        ("VIRTUAL", "")
    };
    for (table, partitions) in [("plain", ""), ("parted", "PARTITION BY HASH (id)")] {
        run(
            conn,
            &format!(
                "CREATE TABLE {table} (id int PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) {kind}, secret text) {partitions}"
            ),
        );
    }
    run(
        conn,
        "CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 1, REMAINDER 0);
         SELECT threadline.audit(t, mask => ARRAY['secret']) FROM unnest(ARRAY['plain', 'parted']::regclass[]) AS t",
    );
    for table in ["plain", "parted"] {
        for rows in [1, 150] {
            run(
                conn,
                &format!(
                    "INSERT INTO {table} (id, n, secret) SELECT k, 1, 'x' FROM generate_series(1, {rows}) AS k;
                     UPDATE {table} SET n = 1, secret = 'y'; UPDATE {table} SET n = 3; DELETE FROM {table}"
                ),
            );
            let recorded = rows_of_first(conn);
            let six = stored.replace('2', "6");
            assert_eq!(
                recorded[0],
                format!(r#"I | NULL | {{"n": 1, "id": 1, {stored}"secret": "***"}}"#)
            );
            assert_eq!(recorded[1], r#"U | {"secret": "***"} | NULL"#);
            let and = six.trim_end_matches(", ");
            assert_eq!(
                recorded[2],
                format!(
                    r#"U | {{"n": 3{}{and}}} | NULL"#,
                    if and.is_empty() { "" } else { ", " }
                )
            );
            assert_eq!(
                recorded[3],
                format!(r#"D | NULL | {{"n": 3, "id": 1, {six}"secret": "***"}}"#)
            );
            run(
                conn,
                "TRUNCATE threadline.journal, threadline.ledger_changes",
            );
        }
    }
    assert_rows(conn, "SELECT code FROM threadline.table_drift()", []);
}

fn rows_of_first(conn: &mut PgConnection) -> Vec<String> {
    rows(
        conn,
        "SELECT op, changed_to, row_data FROM threadline.audit_changes WHERE record_key = '1' ORDER BY id",
    )
}

/// The images of both rows are equal, and the rows are not.
#[test]
fn an_update_that_no_image_shows_is_recorded() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE docs (id int PRIMARY KEY, body jsonb, note json, n int);
         SELECT threadline.audit('docs');
         INSERT INTO docs VALUES (1);
         UPDATE docs SET n = n;
         UPDATE docs SET body = 'null';
         UPDATE docs SET note = 'null', n = 1;
         ALTER TABLE docs ADD more text;
         UPDATE docs SET body = NULL",
    );
    let updates =
        "SELECT changed_from, changed_to FROM threadline.audit_changes WHERE op = 'U' ORDER BY id";
    let expected = ["{} | {}", "{\"n\": null} | {\"n\": 1}", "{} | {}"];
    assert_rows(conn, updates, expected);
    run(conn, "SELECT threadline.post()");
    assert_rows(conn, updates, expected);
    let shown = threadline::timeline(threadline::Filter::new())
        .page(conn)
        .unwrap()
        .entries[0]
        .change
        .to_string();
    assert!(shown.contains("no recorded value differs"), "{shown}");
}
