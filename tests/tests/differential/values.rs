//! SQL for values of any type.

use threadline_tests::Dice;

/// The contents of a secret, as text and as PostgreSQL writes bytes, and the beginning of
/// a numeric one.
pub const MARKERS: [&str; 3] = ["s3cr3t", "733363723374", "7773199"];

/// Types for columns; the enum and the others are named with their schema.
pub const TYPES: [&str; 26] = [
    "text",
    "text",
    "text",
    "varchar(40)",
    "char(20)",
    "integer",
    "integer",
    "bigint",
    "numeric",
    "numeric(14,2)",
    "double precision",
    "boolean",
    "date",
    "timestamp",
    "timestamptz",
    "interval",
    "uuid",
    "bytea",
    "json",
    "jsonb",
    "text[]",
    "integer[]",
    "app.mood",
    "app.short",
    "app.place",
    "int4range",
];

pub const KEY_TYPES: [&str; 9] = [
    "integer",
    "bigint",
    "text",
    "uuid",
    "varchar(20)",
    "char(6)",
    "date",
    "numeric",
    "timestamptz",
];

/// Returns one of a few keys, so that statements affect each other's rows.
pub fn key(of_type: &str, number: usize) -> String {
    match of_type.split(['(', ' ']).next().unwrap_or_default() {
        "integer" | "bigint" | "smallint" => format!("{number}"),
        "numeric" => format!("{number}.50"),
        "uuid" => format!("'00000000-0000-4000-8000-0000000{number:05}'"),
        "date" => format!("date '2024-01-01' + {number}"),
        "timestamp" | "timestamptz" => {
            format!("timestamptz '2024-03-31 00:30:00+00' + interval '1 hour' * {number}")
        }
        _ if number == 3 => "'a \"3\"'".to_owned(),
        _ if number == 5 => "'[5]'".to_owned(),
        _ => format!("'k{number}'"),
    }
}

/// Returns a value; a secret one if the type can hold it.
pub fn value(of_type: &str, secret: bool, dice: &mut Dice) -> String {
    if dice.one_in(7) {
        return "NULL".to_owned();
    }
    let n = dice.roll(100);
    if secret {
        return secret_value(of_type, n);
    }
    match of_type.trim_end_matches(|c: char| c.is_ascii_digit() || "(),".contains(c)) {
        "integer" | "bigint" | "smallint" => format!("{n}"),
        "numeric" => (*dice.pick(&["1.0", "1.00", "0.10", "12345.67", "'NaN'", "-3"])).to_owned(),
        "double precision" => {
            (*dice.pick(&["0.1 + 0.2", "'Infinity'", "1e300", "0", "2.5"])).to_owned()
        }
        "boolean" => (*dice.pick(&["true", "false"])).to_owned(),
        "date" => format!("date '2023-12-25' + {n}"),
        "timestamp without time zone" | "timestamp" => {
            format!("timestamp '2024-02-29 23:59:59.123456' + interval '1 day' * {n}")
        }
        "timestamp with time zone" | "timestamptz" => {
            format!("timestamptz '2026-03-29 00:30:00+01' + interval '1 hour' * {n}")
        }
        "interval" => {
            (*dice.pick(&["'1 mon'", "'30 days'", "'36:00:00'", "'-1 day 2 hours'"])).to_owned()
        }
        "uuid" => format!("'12345678-9abc-4def-8012-3456789abc{n:02}'"),
        "bytea" => format!("convert_to('bytes {n}', 'utf8')"),
        // As jsonb writes it: other json is recorded as text, unlike the plain one.
        "json" => format!("'{{\"d\": 1.50, \"n\": {n}, \"s\": \"a\\\"b\"}}'"),
        "jsonb" => format!("'{{\"n\": {n}, \"s\": \"a\\\"b\", \"d\": 1.50}}'"),
        "text[]" => format!("ARRAY['a {n}', NULL, 'b\"c']"),
        "integer[]" => format!("ARRAY[{n}, NULL, 3]"),
        "app.mood" => (*dice.pick(&["'sad'", "'so so'", "'happy'"])).to_owned(),
        "app.place" => format!("ROW('High \"Street\"', {n})"),
        "int4range" => format!("'[{n},{})'", n + 3),
        _ => (*dice.pick(&[
            "''",
            "'a'",
            "'zwei'",
            "'- \"3\" ''4'''",
            "U&'\\000A'",
            "'😀'",
            "'NULL'",
            "'{}'",
            "'trailing  '",
        ]))
        .to_owned(),
    }
}

fn secret_value(of_type: &str, n: usize) -> String {
    match of_type.trim_end_matches(|c: char| c.is_ascii_digit() || "(),".contains(c)) {
        "integer" | "bigint" | "numeric" => format!("7773199{n:02}"),
        "double precision" => format!("7773199{n:02}.5"),
        "boolean" => "true".to_owned(),
        "date" => format!("date '2023-12-25' + {n}"),
        "timestamp without time zone"
        | "timestamp"
        | "timestamp with time zone"
        | "timestamptz" => format!("timestamptz '2024-02-29 23:59:59+00' + interval '1 day' * {n}"),
        "interval" => format!("interval '1 day' * {n}"),
        "uuid" => format!("'7773199a-9abc-4def-8012-3456789abc{n:02}'"),
        "bytea" => format!("convert_to('s3cr3t{n}', 'utf8')"),
        "json" | "jsonb" => format!("'{{\"s3cr3t\": \"s3cr3t{n}\"}}'"),
        "text[]" => format!("ARRAY['s3cr3t{n}', NULL]"),
        "integer[]" => format!("ARRAY[7773199{n:02}]"),
        "app.mood" => "'sad'".to_owned(),
        "app.place" => format!("ROW('s3cr3t{n}', 7773199{n:02})"),
        "int4range" => format!("'[7773199{n:02},)'"),
        _ => format!("'s3cr3t{n}'"),
    }
}
