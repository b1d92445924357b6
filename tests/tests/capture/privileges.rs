//! Capture runs as the owner of the audit schema, for every writer.

use diesel::prelude::*;
use threadline_tests::{Database, Role, assert_rows, assert_value, run};

/// Runs a test with a role of the application.
fn with_role(test: impl FnOnce(&Database, &mut PgConnection, &Role<'_>)) {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY, name text); SELECT threadline.audit('items')",
    );
    let role = &database.role("app");
    let right = "GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON items TO";
    run(conn, &format!("{right} {role}"));
    test(database, conn, role);
}

#[test]
fn the_application_needs_no_right_on_the_audit_and_has_none() {
    with_role(|_, conn, role| {
        role.enter(conn);
        run(
            conn,
            "INSERT INTO items VALUES (1, 'a'); UPDATE items SET name = 'b'; DELETE FROM items;
             INSERT INTO items VALUES (2, 'b'); TRUNCATE items",
        );
        for forbidden in [
            "SELECT * FROM threadline.audit_changes",
            "DELETE FROM threadline.ledger_changes",
            "DELETE FROM threadline.journal",
            "UPDATE threadline.journal SET context = ''",
            "UPDATE threadline.ledger_transactions SET actor_id = 'x'",
            "INSERT INTO threadline.ledger_transactions (id, xact_id, occurred_at, opened_at, actor_origin, session_user_name) VALUES (1, '1', now(), now(), '', '')",
            "TRUNCATE threadline.ledger_changes",
            "DROP TABLE threadline.audit_changes",
            "DROP TRIGGER \"!threadline_capture_1\" ON items",
            "ALTER TABLE items DISABLE TRIGGER ALL",
            "SELECT threadline.unaudit('items')",
            "SELECT threadline.post_all()",
            "SET session_replication_role = replica",
        ] {
            let refused = diesel::sql_query(forbidden)
                .execute(conn)
                .expect_err(forbidden)
                .to_string();
            assert!(
                refused.contains("permission denied") || refused.contains("must be owner"),
                "{forbidden}: {refused}"
            );
        }
        run(conn, "RESET SESSION AUTHORIZATION");
        assert_rows(
            conn,
            "SELECT DISTINCT session_user_name FROM threadline.audit_transactions",
            [&role.to_string()],
        );
        assert_value(conn, "SELECT count(*) FROM threadline.audit_changes", "5");
    });
}

#[test]
fn neither_temporary_tables_nor_a_search_path_divert_capture() {
    with_role(|_, conn, role| {
        run(
            conn,
            &format!(
                "CREATE SCHEMA tenant AUTHORIZATION {role};
                 CREATE TABLE tenant.audit_changes (x int);
                 SET SESSION AUTHORIZATION {role};
                 CREATE TEMP TABLE audit_changes (x int);
                 CREATE TEMP TABLE audit_transactions (x int);
                 CREATE TEMP TABLE audited_tables (x int);
                 CREATE FUNCTION pg_temp.to_jsonb(anyelement) RETURNS jsonb LANGUAGE sql AS $$ SELECT '{{}}'::jsonb $$;
                 CREATE FUNCTION tenant.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '-infinity'::timestamptz $$;
                 SET search_path = pg_temp, tenant;
                 INSERT INTO public.items VALUES (1, 'a');
                 SET search_path = '';
                 UPDATE public.items SET name = 'b';
                 RESET SESSION AUTHORIZATION; RESET search_path; DISCARD TEMP; DROP SCHEMA tenant CASCADE"
            ),
        );
        assert_rows(
            conn,
            "SELECT op, coalesce(row_data, changed_to), isfinite(occurred_at) FROM threadline.changes ORDER BY id",
            [
                r#"insert | {"id": 1, "name": "a"} | true"#,
                r#"update | {"name": "b"} | true"#,
            ],
        );
    });
}

#[test]
fn a_deleted_transaction_row_takes_no_change_with_it_and_reads_go_on() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY); SELECT threadline.audit('items'); INSERT INTO items VALUES (1)",
    );
    run(
        conn,
        "SELECT threadline.post(); DELETE FROM threadline.ledger_transactions",
    );
    assert_rows(
        conn,
        "SELECT op, key, actor_origin FROM threadline.changes",
        [r#"insert | {"id": 1} | NULL"#],
    );
}

#[test]
fn replica_sessions_are_recorded_too() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY); SELECT threadline.audit('items');
         SET session_replication_role = replica;
         INSERT INTO items VALUES (1); TRUNCATE items",
    );
    assert_rows(
        conn,
        "SELECT op FROM threadline.changes ORDER BY id",
        ["insert", "truncate"],
    );
}
