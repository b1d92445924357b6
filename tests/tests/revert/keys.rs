//! Keys that changed, keys of several columns, tables with unusual names.

use diesel::PgConnection;
use threadline_tests::{Database, run};

use super::common::{refusal, state, there_and_back, transaction};

#[test]
fn keys_go_back_one_by_one_and_in_bulk() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE seats (no int PRIMARY KEY, who text); SELECT threadline.audit('seats');
         INSERT INTO seats SELECT i, 'who ' || i FROM generate_series(9, 1, -1) AS i",
    );
    for sql in [
        "UPDATE seats SET no = 100 WHERE no = 1",
        "UPDATE seats SET no = 100, who = 'moved' WHERE no = 1",
        "UPDATE seats SET no = no + 100",
        "UPDATE seats SET no = -no; UPDATE seats SET no = 10 + no",
        "UPDATE seats SET no = 0 WHERE no = 1; UPDATE seats SET no = 1 WHERE no = 2; UPDATE seats SET no = 2 WHERE no = 0",
        "DELETE FROM seats WHERE no = 5; UPDATE seats SET no = 5 WHERE no = 6; INSERT INTO seats VALUES (6, 'new')",
    ] {
        there_and_back(conn, &["seats"], sql);
    }
}

/// Creates seats whose key is checked at the end of a statement or of the transaction.
fn deferrable(initially: &str, rows: &str) -> (Database, PgConnection) {
    Database::with(&format!(
        "CREATE TABLE seats (no int PRIMARY KEY DEFERRABLE INITIALLY {initially}, who text);
         SELECT threadline.audit('seats'); INSERT INTO seats {rows}"
    ))
}

#[test]
fn keys_shifted_in_one_statement_go_back() {
    for initially in ["IMMEDIATE", "DEFERRED"] {
        let (_, conn) = &mut deferrable(
            initially,
            "SELECT i, 'who ' || i FROM generate_series(1, 300) AS i",
        );
        there_and_back(conn, &["seats"], "UPDATE seats SET no = no + 1");
        there_and_back(
            conn,
            &["seats"],
            "UPDATE seats SET no = no - 1, who = who || '!'",
        );
    }
}

#[test]
fn keys_exchanged_in_one_statement_go_back_or_are_refused() {
    for initially in ["IMMEDIATE", "DEFERRED"] {
        let (_, conn) = &mut deferrable(initially, "VALUES (1, 'a'), (2, 'b'), (3, 'c')");
        let mistake = transaction(conn, "UPDATE seats SET no = 3 - no WHERE no < 3");
        assert_eq!(state(conn, &["seats"]), "seats\n(1,b)\n(2,a)\n(3,c)\n");
        insta::allow_duplicates! {
            insta::assert_snapshot!("exchanged", refusal(conn, &["seats"], mistake));
        }
    }
}

#[test]
fn keys_of_several_columns_of_every_type() {
    let (_, conn) = &mut Database::with(
        r#"CREATE TYPE mood AS ENUM ('sad', 'it''s "ok"');
        CREATE TABLE many (tenant text, day date, at timestamptz, no bigint, amount numeric, raw bytea, mood mood, body text,
            PRIMARY KEY (no, tenant, at, day, amount, raw, mood));
        SELECT threadline.audit('many');
        INSERT INTO many VALUES
            ('a", "b', '2026-01-02', '2026-01-02 03:04:05.000006+01', 9007199254740993, 1.10, '\x00ff', 'sad', 'one'),
            ('', '0001-01-01 BC', 'infinity', -1, 'NaN', '', 'it''s "ok"', 'two')"#,
    );
    run(
        conn,
        "SET timezone = 'Asia/Kathmandu'; SET datestyle = 'German'; SET intervalstyle = 'sql_standard'; SET bytea_output = 'escape'",
    );
    for sql in [
        "UPDATE many SET body = 'x'",
        "DELETE FROM many",
        "TRUNCATE many",
        "UPDATE many SET tenant = tenant || '!', no = no + 1, body = body || '?'",
        "INSERT INTO many SELECT tenant || '2', day, at, no, amount, raw, mood FROM many",
    ] {
        there_and_back(conn, &["many"], sql);
    }
}

#[test]
fn keys_of_one_column_of_every_type() {
    let (_, conn) = &mut Database::new().connected();
    for (n, (kind, one, two)) in [
        ("char(4)", "'ab'", "'a'"),
        ("varchar(10)", "'ab'", "'a'"),
        ("text", "' '", "''"),
        ("bit(4)", "B'1010'", "B'1000'"),
        ("varbit", "B'1010'", "B'10'"),
        ("numeric(10,3)", "1.5", "-0.001"),
        ("interval", "'-1 day +02:03'", "'1 mon -1 day'"),
        ("inet", "'10.0.0.1/8'", "'::1'"),
        ("float8", "0.1", "'NaN'"),
        ("bool", "true", "false"),
        ("\"char\"", "'a'", "'b'"),
        ("name", "'ab'", "'a'"),
        ("time", "'23:59:59.999999'", "'00:00'"),
        ("int4range", "'[1,5)'", "'empty'"),
        (
            "uuid",
            "'00000000-0000-0000-0000-00000000000a'",
            "'00000000-0000-0000-0000-00000000000b'",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let table = format!("by_{n}");
        run(
            conn,
            &format!(
                "CREATE TABLE {table} (id {kind} PRIMARY KEY, body text); SELECT threadline.audit('{table}');
                 INSERT INTO {table} VALUES ({one}, 'one'), ({two}, 'two')"
            ),
        );
        for sql in [
            format!("UPDATE {table} SET body = 'x' WHERE body = 'one'"),
            format!("DELETE FROM {table} WHERE body = 'one'"),
            format!("DELETE FROM {table}"),
        ] {
            there_and_back(conn, &[&table], &sql);
        }
    }
}

#[test]
fn records_with_unusual_names_are_reverted() {
    let (_, conn) = &mut Database::with(r#"CREATE SCHEMA "My ""App"" it's""#);
    for table in [
        r#""Order""#,
        r#""order""#,
        r#""a ""b"" 表 it's %I $1 {x}""#,
        r#""My ""App"" it's"."notes""#,
        "notes",
        r#""tl_row""#,
        r#""tl_image""#,
    ] {
        run(
            conn,
            &format!(
                r#"CREATE TABLE {table} ("Id" int PRIMARY KEY, "new" text, "a ""b"" it's %L" text, "target" int, "image" int, "began" int, "select" int);
                INSERT INTO {table} VALUES (1, 'n', 'a', 1, 2, 3, 4), (2, 'm', 'b', 1, 2, 3, 4);"#
            ),
        );
        diesel::RunQueryDsl::execute(
            diesel::sql_query("SELECT threadline.audit($1::regclass)")
                .bind::<diesel::sql_types::Text, _>(table),
            conn,
        )
        .unwrap();
        for sql in [
            format!(
                r#"UPDATE {table} SET "new" = 'x', "a ""b"" it's %L" = 'y', "target" = 9, "image" = 9, "began" = 9, "select" = 9"#
            ),
            format!("DELETE FROM {table}"),
            format!("TRUNCATE {table}"),
            format!(r#"INSERT INTO {table} ("Id") VALUES (7); UPDATE {table} SET "Id" = -"Id""#),
        ] {
            there_and_back(conn, &[table], &sql);
        }
    }
}
