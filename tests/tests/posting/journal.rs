use diesel::prelude::*;
use threadline_tests::{Database, assert_rows, assert_value, rolled_back_with, rows, run, value};

const ITEMS: &str = "CREATE TABLE items (id int PRIMARY KEY, name text, at timestamptz, day date);
    SELECT threadline.audit('items');";

/// Neither appends an entry nor takes a transaction id.
#[test]
fn a_statement_that_touches_no_row_leaves_nothing() {
    let (_, conn) = &mut Database::with(&format!(
        "{ITEMS} INSERT INTO items VALUES (1, 'a'); SELECT threadline.post_all()"
    ));
    for statement in [
        "UPDATE items SET name = 'b' WHERE id = 99",
        "DELETE FROM items WHERE id = 99",
        "INSERT INTO items SELECT 2 WHERE false",
        "INSERT INTO items VALUES (1) ON CONFLICT DO NOTHING",
        "INSERT INTO items VALUES (1) ON CONFLICT (id) DO UPDATE SET name = 'c' WHERE false",
        "MERGE INTO items USING (VALUES (99)) AS v (id) ON items.id = v.id WHEN MATCHED THEN DELETE",
        "UPDATE items SET name = name",
    ] {
        run(conn, statement);
        assert_eq!(
            value(conn, "SELECT count(*) FROM threadline.journal").as_deref(),
            Some("0"),
            "{statement}"
        );
    }
}

#[test]
fn instants_are_recorded_in_utc_whatever_the_session_is_in() {
    let (_, conn) = &mut Database::with(ITEMS);
    for zone in ["UTC", "Asia/Kolkata", "America/St_Johns"] {
        run(
            conn,
            &format!(
                "SET TimeZone = '{zone}'; SET DateStyle = 'German';
                 INSERT INTO items VALUES (1, '2026-06-01T12:00:00+05:30', '2026-06-01 06:30:00+00', '2026-06-01');
                 UPDATE items SET at = '0044-03-15 12:00:00+00 BC'; UPDATE items SET at = 'infinity', name = NULL; DELETE FROM items"
            ),
        );
    }
    run(conn, "ALTER TABLE items ADD seen timestamptz");
    run(
        conn,
        "INSERT INTO items (id, seen) VALUES (2, '2026-06-01 06:30:00+00')",
    );
    let mut recorded = rows(
        conn,
        "SELECT op, row_data ->> 'at', changed_to ->> 'at', row_data ->> 'name', row_data ->> 'seen' FROM threadline.changes ORDER BY id",
    );
    assert_eq!(
        recorded.pop().as_deref(),
        Some("insert | NULL | NULL | NULL | 2026-06-01T06:30:00+00:00")
    );
    for of_zone in recorded.chunks(4) {
        assert_eq!(
            of_zone,
            [
                "insert | 2026-06-01T06:30:00+00:00 | NULL | 2026-06-01T12:00:00+05:30 | NULL",
                "update | NULL | 0044-03-15T12:00:00+00:00 BC | NULL | NULL",
                "update | NULL | infinity | NULL | NULL",
                "delete | infinity | NULL | NULL | NULL",
            ]
        );
    }
    assert_rows(conn, "SELECT code FROM threadline.chain_drift('items')", []);
}

#[test]
fn a_column_added_later_is_recorded_at_once_where_nothing_is_redacted() {
    let conn = &mut rolled_back_with(&format!(
            "{ITEMS} INSERT INTO items VALUES (1, 'a'); ALTER TABLE items ADD n int, ADD span interval, ADD j json;
             UPDATE items SET n = 5, span = '1 day 2 hours', j = '{{\"a\":1}}';
             ALTER TABLE items RENAME n TO number; UPDATE items SET number = 6"
        ));
    assert_rows(
        conn,
        "SELECT changed_to FROM threadline.changes WHERE op = 'update' ORDER BY id",
        [
            r#"{"j": "{\"a\":1}", "n": 5, "span": "1 day 02:00:00"}"#,
            r#"{"number": 6}"#,
        ],
    );
}

/// Counters and ranks of a web application.
#[test]
fn a_change_of_ignored_columns_alone_leaves_no_record() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE posts (id int PRIMARY KEY, title text, score int NOT NULL DEFAULT 0, hot_rank float8);
         SELECT threadline.audit('posts', ignore => ARRAY['score', 'hot_rank']);
         INSERT INTO posts VALUES (1, 'a'); UPDATE posts SET score = score + 1, hot_rank = 0.5;
         UPDATE posts SET title = 'b', score = score + 1; UPDATE posts SET score = 9; DELETE FROM posts",
    );
    assert_rows(
        conn,
        "SELECT op, changed_from, changed_to, row_data FROM threadline.changes ORDER BY id",
        [
            r#"insert | NULL | NULL | {"id": 1, "score": 0, "title": "a", "hot_rank": null}"#,
            r#"update | {"score": 1, "title": "a"} | {"score": 2, "title": "b"} | NULL"#,
            r#"delete | NULL | NULL | {"id": 1, "score": 9, "title": "b", "hot_rank": 0.5}"#,
        ],
    );
    assert_rows(conn, "SELECT code FROM threadline.table_drift('posts')", []);
    for (wrong, said) in [
        ("ARRAY['id']", "cannot be ignored"),
        ("ARRAY['clicks']", "has no column clicks"),
    ] {
        let error = diesel::sql_query(format!(
            "SAVEPOINT s; SELECT threadline.audit('posts', ignore => {wrong})"
        ));
        let error = diesel::connection::SimpleConnection::batch_execute(
            conn,
            &diesel::debug_query::<diesel::pg::Pg, _>(&error)
                .to_string()
                .replace(" -- binds: []", ""),
        )
        .unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        run(conn, "ROLLBACK TO s");
    }
}

/// As with a row trigger, and without one: no transition tables are kept.
#[test]
fn a_bulk_write_needs_no_temporary_files() {
    let (_, conn) = &mut Database::with(&format!(
        "{ITEMS} SET temp_file_limit = '1MB'; SET work_mem = '64kB'"
    ));
    run(
        conn,
        "INSERT INTO items SELECT k, repeat('x', 200) FROM generate_series(1, 30000) AS k; UPDATE items SET name = 'y'; DELETE FROM items",
    );
    assert_value(conn, "SELECT count(*) FROM threadline.journal", "90000");
}

#[test]
fn time_outs_and_conflicts_are_the_applications_to_see() {
    let (database, conn) =
        &mut Database::with(&format!("{ITEMS} INSERT INTO items VALUES (1, 'a')"));
    let other = &mut database.connect();
    run(
        other,
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM items",
    );
    run(conn, "UPDATE items SET name = 'b'");
    let error = diesel::sql_query("UPDATE items SET name = 'c'")
        .execute(other)
        .unwrap_err();
    assert!(
        matches!(
            error,
            diesel::result::Error::DatabaseError(
                diesel::result::DatabaseErrorKind::SerializationFailure,
                _
            )
        ),
        "{error:?}"
    );
    run(other, "ROLLBACK");
    run(conn, "BEGIN; LOCK TABLE threadline.journal");
    run(other, "SET statement_timeout = '50ms'");
    let error = diesel::sql_query("UPDATE items SET name = 'd'")
        .execute(other)
        .unwrap_err();
    assert!(error.to_string().contains("statement timeout"), "{error}");
}

/// Deadlocks, full disks and cancelled statements are caught by no handler. One for any
/// other error, which a cast of the application may raise, lets them pass first.
#[test]
fn no_function_hides_an_error_of_the_server() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE secrets (id int PRIMARY KEY, name text, pin int); SELECT threadline.audit('secrets', mask => '{pin}')",
    );
    assert_rows(
        conn,
        r"SELECT proname FROM pg_proc
          WHERE pronamespace = 'threadline'::regnamespace AND prosrc ~* 'when\s+others'
            AND prosrc !~ 'WHEN transaction_rollback OR insufficient_resources OR object_not_in_prerequisite_state OR operator_intervention OR system_error THEN\s+RAISE;(\s+--[^\n]*)?\s+WHEN OTHERS'",
        [],
    );
}
