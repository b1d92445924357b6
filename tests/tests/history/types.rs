//! Versions of a row of many column types are equal to the live row.

use bigdecimal::BigDecimal;
use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use diesel::data_types::PgInterval;
use diesel::prelude::*;
use std::collections::Bound;
use threadline::Audited;
use threadline_tests::{rolled_back_with, run};
use uuid::Uuid;

diesel::table! {
    zoo (id) {
        id -> Uuid,
        flag -> Bool,
        small -> Int2,
        big -> Int8,
        amount -> Numeric,
        single -> Float4,
        double -> Float8,
        text -> Text,
        note -> Nullable<Text>,
        bytes -> Bytea,
        day -> Date,
        at -> Timestamp,
        at_zone -> Timestamptz,
        time -> Time,
        span -> Interval,
        doc -> Json,
        docb -> Jsonb,
        numbers -> Array<Nullable<Int4>>,
        texts -> Array<Nullable<Text>>,
        range -> Int4range,
        extra -> Int4,
    }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable)]
#[diesel(table_name = zoo)]
struct Times {
    day: NaiveDate,
    at: NaiveDateTime,
    at_zone: DateTime<Utc>,
    #[diesel(column_name = time)]
    of_day: NaiveTime,
    span: PgInterval,
}

/// Not all columns, in a different order, with an embedded part.
#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = zoo)]
struct Animal {
    range: (Bound<i32>, Bound<i32>),
    #[diesel(embed)]
    times: Times,
    amount: BigDecimal,
    single: f32,
    double: f64,
    id: Uuid,
    flag: bool,
    small: i16,
    big: i64,
    #[diesel(column_name = text)]
    body: String,
    note: Option<String>,
    bytes: Vec<u8>,
    doc: serde_json::Value,
    docb: serde_json::Value,
    numbers: Vec<Option<i32>>,
    texts: Vec<Option<String>>,
}

#[test]
fn a_version_equals_the_row_as_diesel_loads_it() {
    let conn = &mut rolled_back_with(
        r#"CREATE TABLE zoo (extra int NOT NULL DEFAULT 0, gone int, docb jsonb NOT NULL, doc json NOT NULL,
            id uuid PRIMARY KEY, flag bool NOT NULL, small int2 NOT NULL, big int8 NOT NULL,
            amount numeric(38, 20) NOT NULL, single float4 NOT NULL, double float8 NOT NULL,
            text varchar(50) NOT NULL, note text, bytes bytea NOT NULL, day date NOT NULL, at timestamp NOT NULL,
            at_zone timestamptz NOT NULL, time time NOT NULL, span interval NOT NULL,
            numbers int[] NOT NULL, texts text[] NOT NULL, range int4range NOT NULL);
        ALTER TABLE zoo DROP gone;
        SELECT threadline.audit('zoo');
        SET timezone = 'Asia/Kathmandu';
        INSERT INTO zoo VALUES (1, '{"n": 1.5, "x": [null]}', '{"a": "é"}', '6a2f41a3-c54c-4f4c-9f8e-1b2c3d4e5f60', true, -7,
            9007199254740993, 123456789012345678.12345678901234567890, 0.1, 1e-300, E'q\n"\\', NULL, '\x00ff5c',
            '2024-02-29', '2026-02-28 01:02:03.000004', '2026-02-28 01:02:03.5+05', '23:59:59.999999', '1 year 2 days 03:04:05',
            '{1,NULL,3}', '{"a,b",NULL,"c\"d",""}', '[1,5)');"#,
    );
    let mut expected = vec![];
    let changes = [
        "note = 'noted'",
        "amount = 0.00000000000000000001, big = -1",
        "docb = '[]', doc = '{\"b\": null}', numbers = '{}', texts = '{NULL}'",
        "bytes = '', span = '-1 month', range = '(,7)', flag = false",
        "at_zone = '2026-03-28 01:02:03.25-08', day = '0001-01-01', double = 1.7976931348623157e308",
    ];
    let load = |conn: &mut PgConnection| -> Animal {
        zoo::table.select(Animal::as_select()).first(conn).unwrap()
    };
    expected.push(load(conn));
    for change in changes {
        run(conn, &format!("UPDATE zoo SET {change}"));
        expected.push(load(conn));
    }
    expected.reverse();
    run(
        conn,
        "SET timezone = 'America/Lima'; SET intervalstyle = 'iso_8601'; SET bytea_output = 'escape'",
    );
    let animal = load(conn);
    let versions: Vec<Animal> = animal
        .versions(conn)
        .unwrap()
        .into_iter()
        .map(|version| version.record.unwrap())
        .collect();
    assert_eq!(versions, expected);

    run(conn, "DELETE FROM zoo");
    let after: Vec<Animal> = Animal::versions_of(conn, animal.id)
        .unwrap()
        .into_iter()
        .map(|version| version.record.unwrap())
        .collect();
    assert_eq!(after[0], expected[0]);
    assert_eq!(after[1..], expected);
}
