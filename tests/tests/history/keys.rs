//! Keys and tables of every kind: each record finds its own history, under the key's own
//! Rust type, and no other record's.

use bigdecimal::BigDecimal;
use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde_json::json;
use threadline::{Audited, Operation};
use threadline_tests::{rolled_back, rolled_back_with, run};
use uuid::Uuid;

diesel::table! {
    by_bigint (id) { id -> Int8, body -> Text, }
}
diesel::table! {
    by_uuid (id) { id -> Uuid, body -> Text, }
}
diesel::table! {
    by_text (code) { code -> Text, body -> Text, }
}
diesel::table! {
    by_instant (at) { at -> Timestamptz, body -> Text, }
}
diesel::table! {
    by_numeric (amount) { amount -> Numeric, body -> Text, }
}
diesel::table! {
    by_bytes (hash) { hash -> Bytea, body -> Text, }
}
diesel::table! {
    by_three (tenant, day, no) { tenant -> Text, no -> Int4, day -> Date, body -> Text, }
}
diesel::table! {
    #[sql_name = "Order"]
    big_order (n) { n -> Int4, new -> Text, body -> Text, }
}
diesel::table! {
    #[sql_name = "order"]
    small_order (id) { id -> Int4, body -> Text, }
}
diesel::table! {
    #[sql_name = "a \"b\" 表 it's"]
    odd (id) { id -> Int4, body -> Text, }
}
diesel::table! {
    #[sql_name = "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt1"]
    long_1 (id) { id -> Int4, body -> Text, }
}
diesel::table! {
    #[sql_name = "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt2"]
    long_2 (id) { id -> Int4, body -> Text, }
}
mod other {
    diesel::table! {
        other.by_bigint (id) { id -> Int8, body -> Text, }
    }
}

/// A model of a table, its key and body, and the tests that all tables get.
macro_rules! keyed {
    ($test:ident, $Model:ident, $table:path, [$($key:ident: $Key:ty),+], $name:literal, $columns:literal, $one:expr, $two:expr) => {
        #[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
        #[diesel(table_name = $table, primary_key($($key),+))]
        struct $Model {
            $($key: $Key,)+
            body: String,
        }

        #[test]
        fn $test() {
            let conn = &mut rolled_back_with("CREATE SCHEMA other");
            run(conn, &format!("CREATE TABLE {} ({})", $name, $columns));
            threadline::models![$Model].install(conn).unwrap();
            let table = $name;
            for (key, number) in [($one.1, 1), ($two.1, 2)] {
                let names = stringify!($($key),+);
                run(conn, &format!("INSERT INTO {table} ({names}, body) VALUES ({key}, 'first {number}')"));
                run(conn, &format!("UPDATE {table} SET body = 'second {number}' WHERE ({names}) = ({key})"));
            }
            for (key, number) in [($one.0, 1), ($two.0, 2)] {
                let history = $Model::history_of(conn, key.clone()).unwrap();
                let ops: Vec<_> = history.iter().map(|change| &change.operation).collect();
                assert_eq!(ops, [&Operation::Update, &Operation::Insert]);
                assert_eq!(history[0].changed_to, Some(json!({"body": format!("second {number}")})));
                let versions = $Model::versions_of(conn, key).unwrap();
                let loaded = versions[0].record.as_ref().unwrap();
                assert_eq!(loaded.body, format!("second {number}"));
                assert_eq!(versions[1].record.as_ref().unwrap().body, format!("first {number}"));
                assert_eq!(loaded.history(conn).unwrap(), history);
            }
            run(conn, &format!("DELETE FROM {table}"));
            let history = $Model::history_of(conn, $one.0).unwrap();
            assert_eq!(history.len(), 3);
            assert_eq!(history[0].operation, Operation::Delete);
        }
    };
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

keyed!(a_bigint_key, ByBigint, by_bigint, [id: i64], "by_bigint", "id bigint PRIMARY KEY, body text",
    (9_007_199_254_740_993_i64, "9007199254740993"), (-1_i64, "-1"));
keyed!(a_uuid_key, ByUuid, by_uuid, [id: Uuid], "by_uuid", "id uuid PRIMARY KEY, body text",
    (Uuid::from_u128(1), "'00000000-0000-0000-0000-000000000001'::uuid"), (Uuid::from_u128(2), "'00000000-0000-0000-0000-000000000002'::uuid"));
keyed!(a_text_key, ByText, by_text, [code: String], "by_text", "code text PRIMARY KEY, body text",
    ("it's \\ \"ü\" [\"1\"]".to_owned(), "'it''s \\ \"ü\" [\"1\"]'"), (" ".to_owned(), "' '"));
keyed!(a_varchar_key, ByVarchar, by_text, [code: String], "by_text", "code varchar(40) PRIMARY KEY, body text",
    ("1".to_owned(), "'1'"), ("01".to_owned(), "'01'"));
keyed!(an_instant_as_key, ByInstant, by_instant, [at: DateTime<Utc>], "by_instant", "at timestamptz PRIMARY KEY, body text",
    (instant("2026-01-02T03:04:05.000006Z"), "'2026-01-02 05:04:05.000006+02'::timestamptz"), (instant("2026-01-02T03:04:05Z"), "'2026-01-02 03:04:05+00'::timestamptz"));
keyed!(a_numeric_key, ByNumeric, by_numeric, [amount: BigDecimal], "by_numeric", "amount numeric PRIMARY KEY, body text",
    ("1.1".parse::<BigDecimal>().unwrap(), "1.10"), ("12345678901234567890.5".parse::<BigDecimal>().unwrap(), "12345678901234567890.500"));
keyed!(a_bytea_key, ByBytes, by_bytes, [hash: Vec<u8>], "by_bytes", "hash bytea PRIMARY KEY, body text",
    (vec![0_u8, 255], "'\\x00ff'::bytea"), (vec![1_u8], "'\\x01'::bytea"));
keyed!(a_composite_key, ByThree, by_three, [tenant: String, day: chrono::NaiveDate, no: i32], "by_three",
    "tenant text, no int, day date, body text, PRIMARY KEY (tenant, day, no)",
    (("a\", \"b".to_owned(), chrono::NaiveDate::from_ymd_opt(2026, 1, 2).unwrap(), 1), "'a\", \"b', '2026-01-02'::date, 1"),
    (("a".to_owned(), chrono::NaiveDate::from_ymd_opt(2026, 1, 2).unwrap(), 1), "'a', '2026-01-02'::date, 1"));
keyed!(a_capital_name, BigOrder, big_order, [n: i32], "\"Order\"", "n int PRIMARY KEY, new text, body text",
    (1, "1"), (2, "2"));
keyed!(a_reserved_word, SmallOrder, small_order, [id: i32], "\"order\"", "id int PRIMARY KEY, body text",
    (1, "1"), (2, "2"));
keyed!(a_name_of_quotes_and_unicode, Odd, odd, [id: i32], "\"a \"\"b\"\" 表 it's\"", "id int PRIMARY KEY, body text",
    (1, "1"), (2, "2"));
keyed!(a_name_of_63_bytes, Long1, long_1, [id: i32], "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt1", "id int PRIMARY KEY, body text",
    (1, "1"), (2, "2"));
keyed!(its_neighbour, Long2, long_2, [id: i32], "tttttttttttttttttttttttttttttttttttttttttttttttttttttttttttttt2", "id int PRIMARY KEY, body text",
    (1, "1"), (2, "2"));
keyed!(another_schema, OtherBigint, other::by_bigint, [id: i64], "other.by_bigint", "id bigint PRIMARY KEY, body text",
    (1_i64, "1"), (2_i64, "2"));

#[test]
fn names_that_differ_in_their_63rd_byte_have_two_histories() {
    let conn = &mut rolled_back();
    let t = "t".repeat(62);
    run(
        conn,
        &format!(
            "CREATE TABLE {t}1 (id int PRIMARY KEY, body text); CREATE TABLE {t}2 (id int PRIMARY KEY, body text)"
        ),
    );
    threadline::models![Long1, Long2].install(conn).unwrap();
    run(conn, &format!("INSERT INTO {t}1 VALUES (1, 'one')"));
    assert_eq!(Long1::history_of(conn, 1).unwrap().len(), 1);
    assert!(Long2::history_of(conn, 1).unwrap().is_empty());
}

#[test]
fn one_table_name_in_two_schemas_has_two_histories() {
    let conn = &mut rolled_back_with(
        "CREATE SCHEMA other;
         CREATE TABLE by_bigint (id bigint PRIMARY KEY, body text);
         CREATE TABLE other.by_bigint (id bigint PRIMARY KEY, body text);",
    );
    threadline::models![ByBigint, OtherBigint]
        .install(conn)
        .unwrap();
    run(
        conn,
        "INSERT INTO by_bigint VALUES (1, 'public'); INSERT INTO other.by_bigint VALUES (1, 'other')",
    );
    let bodies = |changes: Vec<threadline::AuditChange>| -> Vec<_> {
        changes
            .into_iter()
            .map(|change| change.row_data.unwrap()["body"].clone())
            .collect()
    };
    assert_eq!(
        bodies(ByBigint::history_of(conn, 1_i64).unwrap()),
        [json!("public")]
    );
    assert_eq!(
        bodies(OtherBigint::history_of(conn, 1_i64).unwrap()),
        [json!("other")]
    );
}

#[test]
fn a_history_outlives_its_table() {
    let conn = &mut rolled_back_with("CREATE TABLE by_bigint (id bigint PRIMARY KEY, body text)");
    threadline::models![ByBigint].install(conn).unwrap();
    run(
        conn,
        "INSERT INTO by_bigint VALUES (1, 'x'); DROP TABLE by_bigint",
    );
    assert_eq!(ByBigint::history_of(conn, 1_i64).unwrap().len(), 1);
}
