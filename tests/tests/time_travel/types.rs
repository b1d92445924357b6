//! A row of many column types is, as of an instant, equal to the live row at that time.

use bigdecimal::BigDecimal;
use chrono::{DateTime, NaiveDate, Utc};
use diesel::data_types::PgInterval;
use diesel::prelude::*;
use std::collections::Bound;
use threadline::Audited;
use threadline_tests::now;
use uuid::Uuid;

use crate::{Copy, after_each, each};

diesel::table! {
    zoo (id) {
        id -> Uuid,
        flag -> Nullable<Bool>,
        big -> Int8,
        amount -> Numeric,
        double -> Float8,
        note -> Nullable<Text>,
        bytes -> Bytea,
        day -> Date,
        at_zone -> Timestamptz,
        span -> Interval,
        doc -> Json,
        docb -> Jsonb,
        numbers -> Array<Nullable<Int4>>,
        texts -> Array<Nullable<Text>>,
        range -> Int4range,
    }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = zoo)]
struct Animal {
    range: (Bound<i32>, Bound<i32>),
    amount: BigDecimal,
    double: f64,
    id: Uuid,
    flag: Option<bool>,
    big: i64,
    note: Option<String>,
    bytes: Vec<u8>,
    day: NaiveDate,
    at_zone: DateTime<Utc>,
    span: PgInterval,
    doc: serde_json::Value,
    docb: serde_json::Value,
    numbers: Vec<Option<i32>>,
    texts: Vec<Option<String>>,
}

const ZOO: &str = r#"CREATE TABLE zoo (gone int, docb jsonb NOT NULL, doc json NOT NULL,
    id uuid PRIMARY KEY, flag bool, big int8 NOT NULL, amount numeric(38, 20) NOT NULL,
    double float8 NOT NULL, note text, bytes bytea NOT NULL, day date NOT NULL,
    at_zone timestamptz NOT NULL, span interval NOT NULL, numbers int[] NOT NULL,
    texts text[] NOT NULL, range int4range NOT NULL, kind kind, price money, email mail,
    doubled numeric GENERATED ALWAYS AS (amount * 2) STORED)"#;

const VALUES: &str = r#"INSERT INTO zoo (docb, doc, id, flag, big, amount, double, note, bytes, day, at_zone, span,
        numbers, texts, range, kind, price, email)
    VALUES ('{"n": 1.50, "x": [null]}', '{"a": "é", "b": 1.0}', '6a2f41a3-c54c-4f4c-9f8e-1b2c3d4e5f60', true,
    9007199254740993, 123456789012345678.12345678901234567890, 1e-300, NULL, '\x00ff5c', '2024-02-29',
    '2026-02-28 01:02:03.5+05', '1 year 2 days 03:04:05', '{1,NULL,3}', '{"a,b",NULL,"c\"d",""}', '[1,5)',
    'it''s', 12.34, 'a@b')"#;

fn load(conn: &mut PgConnection) -> Animal {
    zoo::table.select(Animal::as_select()).first(conn).unwrap()
}

#[test]
fn a_row_equals_the_live_row_of_then() {
    let (_, conn) = &mut after_each(&[
        "CREATE TYPE kind AS ENUM ('it''s', 'b'); CREATE DOMAIN mail AS text CHECK (VALUE LIKE '%@%')",
        ZOO,
        "ALTER TABLE zoo DROP gone",
        VALUES,
        "SELECT threadline.audit('zoo')",
        "SET timezone = 'Asia/Kathmandu'",
    ]);
    let mut expected = vec![];
    for change in [
        "UPDATE zoo SET note = 'noted', flag = NULL",
        "UPDATE zoo SET amount = 0.00000000000000000001, big = -1",
        "UPDATE zoo SET amount = 1.10",
        "UPDATE zoo SET docb = '[1.0]', doc = '{\"b\":  null}', numbers = '{}', texts = '{NULL}'",
        "UPDATE zoo SET docb = 'null', doc = 'null'",
        "UPDATE zoo SET bytes = '', span = '-1 month', range = '(,7)', flag = false, kind = 'b'",
        "UPDATE zoo SET at_zone = '2026-03-28 01:02:03.25-08', day = '0001-01-01', double = 1.7976931348623157e308,
             kind = NULL, price = NULL, email = NULL",
        "UPDATE zoo SET double = '-0', note = E'tab\\t\"quote\"\\\\'",
        "DELETE FROM zoo",
    ] {
        expected.push((load(conn), now(conn)));
        each(conn, &[change]);
    }
    each(
        conn,
        &[
            "SET timezone = 'America/Lima'; SET intervalstyle = 'iso_8601'; SET bytea_output = 'escape'; SET extra_float_digits = -5",
        ],
    );
    for (animal, at) in &expected {
        assert_eq!(
            Animal::as_of(conn, animal.id, *at).unwrap().unwrap(),
            *animal
        );
        let all: Vec<_> = Animal::all_as_of(conn, *at)
            .unwrap()
            .map(|past| past.unwrap().record.unwrap())
            .collect();
        assert_eq!(all, std::slice::from_ref(animal));
    }
}

#[test]
fn every_digit_is_what_it_was() {
    let (_, conn) = &mut after_each(&[
        "CREATE TABLE amounts (id int PRIMARY KEY, n numeric, p numeric(38, 20), f float8, s float4, j jsonb, a numeric[])",
        "INSERT INTO amounts VALUES (1, 1.0, 1, 0.1, 0.1, '{\"n\": 1.00}', '{1.0,NULL,NaN}')",
        "SELECT threadline.audit('amounts')",
        "SET timezone = 'UTC'",
    ]);
    Copy::around_each(
        conn,
        "amounts",
        &[
            "UPDATE amounts SET n = 1.00",
            "UPDATE amounts SET n = 'NaN', f = 'Infinity', s = '-Infinity'",
            "UPDATE amounts SET n = 123456789012345678901234567890.123456789, p = 0.12345678901234567891, j = '{\"n\": 1.0}'",
            "UPDATE amounts SET f = 0.1 + 0.2, s = 1e-7, a = '{1.00}', j = NULL",
            "UPDATE amounts SET j = 'null', f = NULL",
            "TRUNCATE amounts",
        ],
    );
}
