use threadline::{Action, ActorRef, AuditContext, AuditExt, record_action};
use threadline_tests::{assert_rows, assert_value, rows, run, value};

use super::{ITEMS, Protected, forbidden};

/// Returns every table of the audit, including later ones.
fn tables(protected: &mut Protected) -> Vec<String> {
    let tables = rows(
        &mut protected.admin,
        "SELECT relname FROM pg_class WHERE relnamespace = 'threadline'::regnamespace AND relkind IN ('r', 'p')",
    );
    assert!(tables.contains(&"ledger_changes".to_owned()) && tables.len() > 8);
    tables
}

#[test]
fn the_application_writes_and_is_recorded_and_can_change_nothing_of_it() {
    let (app, protected) = &mut Protected::with(ITEMS);
    let context = AuditContext::new(ActorRef::user(1).unwrap());
    app.audited_transaction(&context, |conn| {
        run(
            conn,
            "INSERT INTO items VALUES (1, 'a'), (2, 'b'); UPDATE items SET name = 'c' WHERE id = 1;
             DELETE FROM items WHERE id = 1; TRUNCATE items; INSERT INTO items VALUES (3, 'c')",
        );
        record_action(conn, Action::new("items.renewed")).map(|_| ())
    })
    .unwrap();

    let read =
        "SELECT op, record_key, changed_to, row_data FROM threadline.audit_changes ORDER BY id";
    let recorded = rows(&mut protected.admin, read);
    assert_eq!(
        recorded,
        [
            r#"I | 1 | NULL | {"id": 1, "name": "a"}"#,
            r#"I | 2 | NULL | {"id": 2, "name": "b"}"#,
            r#"U | 1 | {"name": "c"} | NULL"#,
            r#"D | 1 | NULL | {"id": 1, "name": "c"}"#,
            r#"T | 2 | NULL | {"id": 2, "name": "b"}"#,
            r#"I | 3 | NULL | {"id": 3, "name": "c"}"#,
        ]
    );

    let other = protected.role("other");
    let app_role = protected.role("app");
    for table in tables(protected) {
        for attempt in [
            "DELETE FROM threadline.{}",
            "TRUNCATE threadline.{}",
            "DROP TABLE threadline.{} CASCADE",
            "ALTER TABLE threadline.{} RENAME TO gone",
            "ALTER TABLE threadline.{} ADD COLUMN x int",
            "ALTER TABLE threadline.{} DISABLE TRIGGER ALL",
            "ALTER TABLE threadline.{} ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE threadline.{} SET SCHEMA public",
            "INSERT INTO threadline.{} DEFAULT VALUES",
            "CREATE TRIGGER t BEFORE INSERT ON threadline.{} FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "CREATE RULE r AS ON INSERT TO threadline.{} DO INSTEAD NOTHING",
            "CREATE INDEX ON threadline.{} ((1))",
            "LOCK TABLE threadline.{} IN ACCESS EXCLUSIVE MODE",
            "CREATE TABLE child () INHERITS (threadline.{})",
        ] {
            forbidden(app, &attempt.replace("{}", &table));
        }
        let column = value(
            &mut protected.admin,
            &format!("SELECT attname FROM pg_attribute WHERE attrelid = 'threadline.{table}'::regclass AND attnum = 1"),
        )
        .unwrap();
        forbidden(
            app,
            &format!("UPDATE threadline.{table} SET {column} = DEFAULT"),
        );
        forbidden(
            app,
            &format!("GRANT ALL ON threadline.{table} TO {other}; DELETE FROM threadline.{table}"),
        );
    }
    let sequences = rows(
        &mut protected.admin,
        "SELECT oid::regclass FROM pg_class WHERE relnamespace = 'threadline'::regnamespace AND relkind = 'S'",
    );
    assert_eq!(sequences.len(), 7);
    for sequence in sequences {
        forbidden(app, &format!("SELECT setval('{sequence}', 1)"));
        forbidden(app, &format!("SELECT nextval('{sequence}')"));
        forbidden(app, &format!("ALTER SEQUENCE {sequence} RESTART"));
    }
    let functions = rows(
        &mut protected.admin,
        "SELECT oid::regprocedure, CASE prokind WHEN 'a' THEN 'AGGREGATE' ELSE 'FUNCTION' END FROM pg_proc WHERE pronamespace = 'threadline'::regnamespace",
    );
    assert!(
        functions
            .iter()
            .any(|f| f.starts_with("threadline.capture_1()"))
    );
    for function in functions {
        let (function, kind) = function.split_once(" | ").unwrap();
        forbidden(app, &format!("DROP {kind} {function} CASCADE"));
        forbidden(app, &format!("ALTER {kind} {function} RENAME TO gone"));
        forbidden(
            app,
            &format!("ALTER ROUTINE {function} OWNER TO {app_role}"),
        );
    }
    for attempt in [
        "CREATE OR REPLACE FUNCTION threadline.capture_1() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE FUNCTION threadline.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT '-infinity'::timestamptz $$",
        "CREATE TABLE threadline.mine (x int)",
        "ALTER FUNCTION threadline.capture_1() SECURITY INVOKER",
        "ALTER FUNCTION threadline.record_key(integer, record) SET search_path = public",
        "DROP SCHEMA threadline CASCADE",
        "ALTER SCHEMA threadline RENAME TO gone",
        "DROP VIEW threadline.changes",
        "DROP TYPE threadline.finding CASCADE",
        "SET session_replication_role = replica",
        "SELECT threadline.append_truncated(1, 0::oid, '{}')",
        "SELECT threadline.note_tampering(1, 'items', 'x', 'y')",
        "SELECT threadline.note_installed_code()",
        "SELECT threadline.current_transaction()",
        "SELECT threadline.suspend('I would rather not')",
        "SELECT threadline.build_function(1, 'items')",
    ] {
        forbidden(app, attempt);
    }
    for role in ["owner", "auditor"].map(|name| protected.role(name)) {
        forbidden(app, &format!("SET ROLE {role}"));
        let error = super::refused(app, &format!("GRANT {role} TO {app_role}"));
        assert!(
            error.contains("must have admin option") || error.contains("permission denied"),
            "{error}"
        );
    }
    assert_eq!(rows(&mut protected.admin, read), recorded);
}

#[test]
fn an_auditor_reads_everything_and_writes_nothing() {
    let mut protected = Protected::new();
    run(
        &mut protected.application(),
        "INSERT INTO items VALUES (1, 'a'); SELECT threadline.record_action('items.made', 'user', '1')",
    );
    let auditor = &mut protected.session("auditor");
    for table in tables(&mut protected) {
        // With a key, values can be guessed until one gives the hash.
        if table == "hash_keys" {
            forbidden(auditor, "SELECT * FROM threadline.hash_keys");
        } else {
            rows(auditor, &format!("SELECT * FROM threadline.{table}"));
        }
        forbidden(auditor, &format!("DELETE FROM threadline.{table}"));
        forbidden(
            auditor,
            &format!("INSERT INTO threadline.{table} DEFAULT VALUES"),
        );
    }
    assert_rows(
        auditor,
        "SELECT op, key FROM threadline.changes",
        [r#"insert | {"id": 1}"#],
    );
    assert_rows(
        auditor,
        "SELECT name FROM threadline.actions",
        ["items.made"],
    );
    let page = threadline::timeline(threadline::Filter::new())
        .page(auditor)
        .unwrap();
    assert_eq!(page.entries.len(), 1);
    for attempt in [
        "SELECT threadline.record_action('a.b', 'user', '1')",
        "SELECT threadline.audit('items')",
        "SELECT threadline.unaudit('items')",
        "SELECT threadline.suspend('no')",
        "SELECT * FROM items",
    ] {
        forbidden(auditor, attempt);
    }
    // The past of a table that the role may not read.
    forbidden(
        auditor,
        "SELECT * FROM threadline.rows_as_of('items', now())",
    );
}

#[test]
fn a_role_with_no_part_in_it_sees_nothing_and_is_recorded_all_the_same() {
    let mut protected = Protected::new();
    let other_role = protected.role("other");
    let app = &mut protected.application();
    run(app, &format!("GRANT ALL ON items TO {other_role}"));
    let other = &mut protected.session("other");
    run(other, "INSERT INTO items VALUES (1, 'a'); TRUNCATE items");
    for table in tables(&mut protected) {
        forbidden(other, &format!("SELECT * FROM threadline.{table}"));
    }
    forbidden(other, "SELECT * FROM threadline.changes");
    // Neither can an application that was not made a reader.
    forbidden(app, "SELECT * FROM threadline.changes");
    assert_eq!(
        rows(
            &mut protected.admin,
            "SELECT op, session_user_name FROM threadline.changes ORDER BY id"
        ),
        [
            format!("insert | {other_role}"),
            format!("truncate | {other_role}")
        ]
    );
}

#[test]
fn an_application_that_is_a_reader_too_can_look_back_and_revert() {
    let (app, protected) = &mut Protected::with(ITEMS);
    let protection = protected.protection().reader(protected.role("app"));
    protection.apply(&mut protected.admin).unwrap();
    run(app, "INSERT INTO items VALUES (1, 'a')");
    run(app, "UPDATE items SET name = 'b'");
    assert_rows(
        app,
        "SELECT image FROM threadline.rows_as_of('items', now())",
        [r#"{"id": 1, "name": "b"}"#],
    );
    threadline::revert_transaction(app, 2).unwrap();
    assert_value(app, "SELECT name FROM items", "a");
}
