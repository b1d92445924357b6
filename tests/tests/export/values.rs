//! Every value is exported exactly as in the database.

use diesel::prelude::*;
use serde_json::Value;
use threadline::{ExportFormat, Filter};
use threadline_tests::{rolled_back_with, value};

use super::readers::{export, jq, python};

/// A table, and for each column PostgreSQL's text of the row's value.
const ZOO: &str = r#"
    CREATE TABLE zoo (
        id bigint PRIMARY KEY, lines text, carriage text, tabs text, quotes text, emoji text, rtl text, blank text, nothing text,
        price numeric(38,20), small numeric, nan numeric, big bigint, least bigint, near bigint,
        double float8, tenth float8, third float8, not_a float8, over float8, under float8, single float4,
        never timestamptz, before date, at timestamptz, bytes bytea, no_bytes bytea,
        numbers bigint[], texts text[], none_of int[]);
    SELECT threadline.audit('zoo');
    SET timezone = 'Asia/Kathmandu';
    SET intervalstyle = 'iso_8601';
    SET bytea_output = 'escape';
    SET extra_float_digits = 0;
    INSERT INTO zoo VALUES (
        -9223372036854775807, E'a\nb\n', E'a\rb\r\nc', E'\ta\t', E'"a", "b""', U&'\+01F600 e\0301 \+01F468\200D\+01F469',
        U&'\05E9\05DC\05D5\05DD \202E abc', '', NULL,
        123456789012345678.12345678901234567890, 0.00000000000000000000000000000000000000010, 'NaN',
        9223372036854775807, -9223372036854775808, 9007199254740993,
        1.7976931348623157e308, 0.1, 0.30000000000000004, 'NaN', 'Infinity', '-Infinity', 0.1,
        'infinity', '-infinity', '2026-03-01 01:02:03.000004+05:45', '\x00ff0a22', '',
        '{9007199254740993,NULL,-1}', ARRAY['', NULL, 'NULL', 'a,"b"', E'\n'], '{}');
    SET timezone = 'UTC';
    SET bytea_output = 'hex';
    SET extra_float_digits = 1;
"#;

/// Returns a property of a column from PostgreSQL.
fn in_database(conn: &mut PgConnection, column: &str) -> Option<String> {
    let text = match column {
        "bytes" | "no_bytes" => format!("'\\x' || encode({column}, 'hex')"),
        "at" => r#"to_char(at, 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"')"#.to_owned(),
        _ => column.to_owned(),
    };
    value(conn, &format!("SELECT {text} FROM zoo"))
}

/// Returns whether a JSON value is a column's value.
fn is_same(conn: &mut PgConnection, column: &str, exported: &Value) -> bool {
    let expected = in_database(conn, column);
    match (exported, expected) {
        (Value::Null, None) => true,
        (Value::String(text), Some(expected)) => *text == expected,
        // Only floats and small integers are numbers, and are exported unchanged.
        (Value::Number(number), Some(expected)) => {
            number.as_f64() == expected.parse().ok() && number.as_f64().is_some()
        }
        (Value::Array(items), Some(expected)) => {
            let items: Vec<_> = items
                .iter()
                .map(|item| match item {
                    Value::Null => "NULL".to_owned(),
                    Value::String(text) => format!("'{}'", text.replace('\'', "''")),
                    other => other.to_string(),
                })
                .collect();
            let same = format!(
                "SELECT {column}::text = (ARRAY[{}]::text[])::text FROM zoo",
                items.join(", ")
            );
            value(conn, &same).as_deref() == Some("true") && expected.starts_with('{')
        }
        _ => false,
    }
}

fn columns(conn: &mut PgConnection) -> Vec<String> {
    threadline_tests::rows(
        conn,
        "SELECT attname FROM pg_attribute WHERE attrelid = 'zoo'::regclass AND attnum > 0",
    )
}

#[track_caller]
fn assert_whole(conn: &mut PgConnection, row: &str) {
    let row: Value = serde_json::from_str(row).unwrap();
    let columns = columns(conn);
    assert_eq!(row.as_object().unwrap().len(), columns.len());
    for column in columns {
        let exported = &row[&column];
        assert!(
            is_same(conn, &column, exported),
            "{column}: {exported} instead of {:?}",
            in_database(conn, &column)
        );
    }
}

#[test]
fn python_reads_every_value_of_a_csv() {
    let conn = &mut rolled_back_with(ZOO);
    let rows = python(&export(conn, &Filter::new(), ExportFormat::Csv));
    assert_eq!(rows.len(), 1);
    assert_whole(conn, rows[0]["row_data"].as_str().unwrap());
    assert_eq!(rows[0]["key"], r#"{"id":"-9223372036854775807"}"#);
}

#[test]
fn jq_reads_every_value_of_json_and_ndjson() {
    let conn = &mut rolled_back_with(ZOO);
    for (format, change) in [
        (ExportFormat::Json, ".changes[0]"),
        (ExportFormat::Ndjson, "select(.end | not)"),
    ] {
        let json = export(conn, &Filter::new(), format);
        let row = jq(&format!("{change}.row_data | tojson"), &json);
        assert_eq!(row.len(), 1, "{format:?}");
        assert_whole(conn, &row[0]);
        assert_eq!(
            jq(&format!("{change}.key.id, {change}.row_data.double"), &json),
            ["-9223372036854775807", "1.7976931348623157e+308"]
        );
    }
}

#[test]
fn floats_are_numbers_that_read_as_the_same_float() {
    let conn = &mut rolled_back_with(ZOO);
    let json = export(conn, &Filter::new(), ExportFormat::Json);
    for (column, expected) in [
        ("double", f64::MAX),
        ("tenth", 0.1),
        ("third", 0.300_000_000_000_000_04),
    ] {
        let read = jq(&format!(".changes[0].row_data.{column}"), &json);
        assert_eq!(read[0].parse::<f64>().unwrap(), expected);
    }
}

/// Numbers inside documents, each as PostgreSQL's jsonb writes it.
const NUMBERS: [&str; 12] = [
    "0",
    "-1.5",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "18446744073709551616",
    "123456789012345678901234567890",
    "-123456789012345678901234567890.5",
    "0.1234567890123456789012345678901234567890",
    "1.00",
    "0.30000000000000004",
    "100000000000000000000000",
];

fn beyond_a_float(number: &str) -> bool {
    let digits = number.trim_start_matches('-').replace('.', "");
    digits.trim_start_matches('0').len() > 17 && !digits.ends_with("00000000")
        || ["9007199254740993", "-9007199254740993"].contains(&number)
}

#[test]
fn numbers_in_documents_keep_their_digits_or_their_float() {
    let conn = &mut rolled_back_with(&format!(
        r#"CREATE TABLE docs (id int PRIMARY KEY, doc jsonb, plain json);
            SELECT threadline.audit('docs');
            INSERT INTO docs VALUES (1, '{{"deep": [{{"n": [{0}]}}], "12345678901234567890.5": "12345678901234567890.5"}}', '[{0}]')"#,
        NUMBERS.join(",")
    ));
    let csv = python(&export(conn, &Filter::new(), ExportFormat::Csv));
    let mut images = vec![csv[0]["row_data"].as_str().unwrap().to_owned()];
    for format in [ExportFormat::Json, ExportFormat::Ndjson] {
        let json = export(conn, &Filter::new(), format);
        images.extend(jq(
            "(.changes[0]? // .).row_data | select(.) | tojson",
            &json,
        ));
    }
    assert_eq!(images.len(), 3);
    for image in images {
        let image: Value = serde_json::from_str(&image).unwrap();
        assert_eq!(
            image["doc"]["12345678901234567890.5"],
            "12345678901234567890.5"
        );
        // json is a text, in which every blank counts.
        assert_eq!(image["plain"], format!("[{}]", NUMBERS.join(",")));
        {
            let list = image["doc"]["deep"][0]["n"].as_array().unwrap();
            assert_eq!(list.len(), NUMBERS.len());
            for (number, exported) in NUMBERS.iter().zip(list) {
                if beyond_a_float(number) {
                    assert_eq!(exported, number);
                } else {
                    assert_eq!(exported.as_f64(), number.parse().ok(), "{number}");
                    assert!(exported.as_f64().is_some());
                }
            }
        }
    }
}

#[test]
fn a_number_that_no_float_reaches_spoils_nothing_around_it() {
    let conn = &mut rolled_back_with(
        r#"CREATE TABLE docs (id int PRIMARY KEY, doc jsonb);
        SELECT threadline.audit('docs');
        INSERT INTO docs VALUES (1, '{"huge": 1e400, "tiny": -1e-400, "beside": [1, "é\" \\"]}')"#,
    );
    let json = export(conn, &Filter::new(), ExportFormat::Json);
    let doc = jq(
        ".changes[0].row_data.doc | .huge, .tiny, (.beside | tojson)",
        &json,
    );
    assert_eq!(doc[0], format!("1{}", "0".repeat(400)));
    assert_eq!(doc[1], format!("-0.{}1", "0".repeat(399)));
    assert_eq!(doc[2], r#"[1,"é\" \\"]"#);
}

#[test]
fn null_an_empty_document_and_an_empty_text_are_three_things() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE docs (id int PRIMARY KEY, doc jsonb, body text); SELECT threadline.audit('docs');
         INSERT INTO docs VALUES (1, NULL, NULL); INSERT INTO docs VALUES (2, '{}', ''); UPDATE docs SET doc = '{}' WHERE id = 1;",
    );
    let rows = python(&export(conn, &Filter::new(), ExportFormat::Csv));
    let cells = |column: &str| -> Vec<_> { rows.iter().map(|row| row[column].clone()).collect() };
    assert_eq!(cells("changed_from"), [r#"{"doc":null}"#, "", ""]);
    assert_eq!(
        cells("row_data"),
        [
            "",
            r#"{"body":"","doc":{},"id":2}"#,
            r#"{"body":null,"doc":null,"id":1}"#
        ]
    );
    let json = export(conn, &Filter::new(), ExportFormat::Json);
    assert_eq!(
        jq(
            ".changes[] | [.changed_from, .row_data.doc, .row_data.body] | tojson",
            &json
        ),
        [
            r#"[{"doc":null},null,null]"#,
            r#"[null,{},""]"#,
            "[null,null,null]"
        ]
    );
}
