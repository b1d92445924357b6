//! Values are restored exactly.

use threadline_tests::{Database, assert_value, run};

use super::common::there_and_back;

const ZOO: &str = r#"
    CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"');
    CREATE TYPE place AS (street text, no int);
    CREATE DOMAIN code AS text NOT NULL CHECK (value <> 'bad');
    CREATE TABLE zoo (
        id int PRIMARY KEY, code code DEFAULT 'x', price numeric(38,20), free numeric, double float8, single float4, big bigint,
        at timestamptz, plain timestamp, day date, time time, span interval, bytes bytea, doc jsonb, text text, chars char(6),
        numbers bigint[], texts text[], deep int[][], mood mood, moods mood[], place place, places place[],
        range tstzrange, bits bit(3), ip inet, money money, flag bool, search tsvector, key uuid);
    SELECT threadline.audit('zoo');
"#;

const ROWS: [&str; 4] = [
    r#"(1, 'a', 123456789012345678.12345678901234567890, 1.500, 1.7976931348623157e308, 0.1, 9223372036854775807,
        '2026-03-01 01:02:03.000004+05:45', '2026-03-01 01:02:03.000004', '0044-03-15 BC', '24:00', '-1 year -2 mons +3 days -04:05:06.7', '\x00ff0a27',
        '{"a": [1.50, 123456789012345678901234567890, null, "\\ \" é"], "b": {}}', E'a\nb\t\\ ''\r"', 'ab',
        '{9007199254740993,NULL}', ARRAY['', NULL, 'NULL', '{"}', E'\n'], '{{1,2},{3,4}}', 'it''s "ok"', '{sad,NULL}', ROW('a "b", (c)', NULL),
        ARRAY[ROW('x', 1)::place, NULL], '[2026-01-01 00:00+00, infinity)', B'101', '10.1.2.3/8', '-1234.56', true, 'fat:2A cat', '00000000-0000-0000-0000-00000000000a')"#,
    r#"(2, 'b', 0.00000000000000000001, 'NaN', 'NaN', 'Infinity', -9223372036854775808,
        'infinity', '-infinity', 'infinity', '00:00', '1 day -00:00:01', '', '[]', '', '', '{}', '{}', '{}', 'sad', '{}', ROW(NULL, NULL),
        '{}', 'empty', B'000', '::1', '0', false, '', '00000000-0000-0000-0000-00000000000b')"#,
    "(3, 'c')",
    r#"(4, 'd', -1.5, 1e-30, 5e-324, 3.4028235e38, 0, '4714-11-24 00:00:00 BC', '294276-12-31 23:59:59.999999', '5874897-12-31', '00:00:00.000001',
        '178956970 years', '\x5c78', '1.0', 'NULL', 'abcdef', '{1}', '{NULL}', '{{NULL}}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)"#,
];

#[test]
fn values_of_every_type_are_reverted() {
    let (_, conn) = &mut Database::with(ZOO);
    for row in ROWS {
        run(conn, &format!("INSERT INTO zoo VALUES {row}"));
    }
    run(
        conn,
        "SET timezone = 'Asia/Kathmandu'; SET datestyle = 'SQL, DMY'; SET intervalstyle = 'sql_standard'; SET bytea_output = 'escape'",
    );
    for sql in [
        "DELETE FROM zoo",
        "TRUNCATE zoo",
        "UPDATE zoo SET price = 1, free = 1, double = 1, single = 1, big = 1, at = now(), plain = now(), day = now(), time = '01:00', span = '1 day',
            bytes = 'x', doc = '{}', text = 'x', chars = 'x', numbers = '{1}', texts = '{x}', deep = '{{1}}', mood = 'sad', moods = '{sad}',
            place = ROW('x', 1), places = '{}', range = '[,]', bits = B'111', ip = '1.1.1.1', money = 1, flag = NULL, search = 'x', key = NULL, code = 'z'",
        "UPDATE zoo SET price = NULL, free = NULL, at = NULL, doc = NULL, text = NULL, texts = NULL, place = NULL, places = NULL, bytes = NULL WHERE id < 3",
        "UPDATE zoo SET text = 'only this'",
        "UPDATE zoo SET id = id + 100",
    ] {
        there_and_back(conn, &["zoo"], sql);
    }
}

#[test]
fn values_that_differ_in_digits_alone_are_reverted() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY, price numeric, doc jsonb, span interval); SELECT threadline.audit('items');
         INSERT INTO items VALUES (1, 1.50, '[1.50]', '1 day')",
    );
    there_and_back(conn, &["items"], "UPDATE items SET price = 1.5");
    there_and_back(
        conn,
        &["items"],
        "UPDATE items SET doc = '[1.5]', span = '24 hours'",
    );
    let mistake = super::common::transaction(conn, "UPDATE items SET price = 1.5");
    run(conn, "UPDATE items SET price = 1.5000");
    insta::assert_snapshot!(super::common::refusal(conn, &["items"], mistake));
}

#[test]
fn json_that_jsonb_rejects_is_reverted() {
    let (_, conn) = &mut Database::with(
        r#"CREATE TABLE docs (id int PRIMARY KEY, doc json); SELECT threadline.audit('docs');
        INSERT INTO docs VALUES (1, '{"a": "\u0000"}'), (2, '"plain"'), (3, NULL), (4, '{"b":1,  "a":2}')"#,
    );
    for sql in [
        "DELETE FROM docs WHERE id < 3",
        r#"UPDATE docs SET doc = '["\\u0000", "a\u0000b"]' WHERE id < 3"#,
        "DELETE FROM docs WHERE id = 1; UPDATE docs SET doc = '{}' WHERE id = 2",
        // A signature may cover the text.
        r#"UPDATE docs SET doc = '{"a": 2, "b": 1}' WHERE id = 4"#,
        "DELETE FROM docs WHERE id = 4",
    ] {
        there_and_back(conn, &["docs"], sql);
    }
}

#[test]
fn the_null_of_json_is_reverted_where_that_of_sql_is_not_allowed() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE docs (id int PRIMARY KEY, doc jsonb NOT NULL, text json NOT NULL); SELECT threadline.audit('docs');
         INSERT INTO docs VALUES (1, 'null', 'null')",
    );
    for sql in [
        "DELETE FROM docs",
        r#"UPDATE docs SET doc = '{}', text = '"x"'"#,
    ] {
        there_and_back(conn, &["docs"], sql);
    }
}

#[test]
fn generated_and_identity_columns_are_reverted() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (
             id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, no int GENERATED BY DEFAULT AS IDENTITY, serial serial,
             net numeric, gross numeric GENERATED ALWAYS AS (net * 1.19) STORED, body text);
         SELECT threadline.audit('items');
         INSERT INTO items (net) VALUES (1), (2.50), (NULL);",
    );
    for sql in [
        "UPDATE items SET net = 7, no = no + 5",
        "DELETE FROM items",
        "TRUNCATE items",
        "INSERT INTO items (net) VALUES (9)",
        "INSERT INTO items (id, net) OVERRIDING SYSTEM VALUE VALUES (1000, 9); UPDATE items SET net = 0",
    ] {
        there_and_back(conn, &["items"], sql);
    }
    assert_value(conn, "SELECT gross FROM items WHERE net = 2.50", "2.9750");
}
