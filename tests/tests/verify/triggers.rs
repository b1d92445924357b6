use diesel::prelude::*;
use threadline_tests::{Database, changes, run, value};

use super::{drift, findings, found};

const ITEMS: &str = "
    CREATE TABLE items (id int PRIMARY KEY, name text);
    SELECT threadline.audit('items');
    INSERT INTO items VALUES (1, 'a');
";
const TRIGGERS: [&str; 2] = ["capture_1", "truncate_1"];

/// Returns the number of tables with changes.
fn histories(conn: &mut PgConnection) -> Option<String> {
    value(
        conn,
        "SELECT count(DISTINCT table_id) FROM threadline.audit_changes",
    )
}

#[test]
fn a_missing_trigger_is_found_and_comes_back_to_the_same_history() {
    for name in TRIGGERS {
        let (_, conn) = &mut Database::with(ITEMS);
        drift(
            conn,
            &format!("DROP TRIGGER \"!threadline_{name}\" ON items"),
            &["trigger-missing public.items"],
        );
        run(conn, "UPDATE items SET name = 'b'; TRUNCATE items");
        assert_eq!(histories(conn).as_deref(), Some("1"));
        assert_eq!(changes(conn).len(), 3);
    }
}

#[test]
fn missing_triggers_and_functions_are_found() {
    let (_, conn) = &mut Database::with(ITEMS);
    drift(
        conn,
        "DROP FUNCTION threadline.capture_1() CASCADE",
        &[
            "trigger-missing public.items",
            "trigger-missing public.items",
            "function-altered public.items",
        ],
    );
    run(conn, "UPDATE items SET name = 'b'");
    assert_eq!(changes(conn).len(), 2);
    assert_eq!(histories(conn).as_deref(), Some("1"));
}

#[test]
fn a_disabled_trigger_is_no_coverage() {
    let (_, conn) = &mut Database::with(ITEMS);
    drift(
        conn,
        "ALTER TABLE items DISABLE TRIGGER ALL",
        &["trigger-disabled public.items"; 2],
    );
    for name in TRIGGERS {
        for how in ["DISABLE", "ENABLE REPLICA"] {
            let findings = drift(
                conn,
                &format!("ALTER TABLE items {how} TRIGGER \"!threadline_{name}\""),
                &["trigger-disabled public.items"],
            );
            assert_eq!(findings[0].severity().to_string(), "error");
            assert_eq!(
                findings[0].fix.as_deref(),
                Some("SELECT threadline.refresh('public.items');")
            );
        }
    }
}

#[test]
fn triggers_that_were_all_enabled_alike_miss_what_is_replicated() {
    let (_, conn) = &mut Database::with(ITEMS);
    run(
        conn,
        "ALTER TABLE items DISABLE TRIGGER ALL; ALTER TABLE items ENABLE TRIGGER ALL",
    );
    assert_eq!(found(conn), ["trigger-altered public.items"; 2]);
    run(conn, "INSERT INTO items VALUES (2, 'b')");
    assert_eq!(changes(conn).len(), 2);
    run(
        conn,
        "SET session_replication_role = replica; UPDATE items SET name = 'b'; RESET session_replication_role",
    );
    let found: Vec<_> = findings(conn)
        .into_iter()
        .map(|f| (f.code.to_string(), f.message))
        .collect();
    let of = |code: &str, message: &str| (code.to_owned(), message.to_owned());
    assert_eq!(
        found,
        [
            of(
                "trigger-altered",
                "trigger \"!threadline_capture_1\" does not fire for replicated changes"
            ),
            of(
                "trigger-altered",
                "trigger \"!threadline_truncate_1\" does not fire for replicated changes"
            ),
            of(
                "row-altered",
                "1 row is not what its last recorded change left"
            ),
        ]
    );
    run(
        conn,
        "UPDATE items SET name = 'a'; SELECT threadline.refresh('items');
         SET session_replication_role = replica; UPDATE items SET name = 'c'; TRUNCATE items; RESET session_replication_role",
    );
    assert_eq!(histories(conn).as_deref(), Some("1"));
    assert_eq!(changes(conn).len(), 8);
}

#[test]
fn a_further_trigger_records_nothing_and_is_found() {
    let (_, conn) = &mut Database::with(ITEMS);
    for (id, further) in [
        "AFTER INSERT ON items FOR EACH ROW",
        "BEFORE TRUNCATE ON items FOR EACH STATEMENT",
        "AFTER INSERT ON items REFERENCING NEW TABLE AS tl_new FOR EACH STATEMENT",
    ]
    .iter()
    .enumerate()
    {
        let findings = drift(
            conn,
            &format!(
                "TRUNCATE items; CREATE TRIGGER again {further} EXECUTE FUNCTION threadline.capture_1();
                 INSERT INTO items VALUES ({id}, 'b')"
            ),
            &["trigger-duplicated public.items"],
        );
        assert_eq!(
            findings[0].fix.as_deref(),
            Some("DROP TRIGGER again ON public.items;")
        );
        assert_eq!(findings[0].severity().to_string(), "warning");
        assert_eq!(
            findings[0].message,
            "trigger again calls the capture function and records nothing"
        );
        // One of the deleted row, and one of the inserted row.
        assert_eq!(changes(conn).len(), 3 + 2 * id);
    }
}

#[test]
fn a_trigger_altered_by_hand_is_found() {
    let (_, conn) = &mut Database::with(ITEMS);
    run(
        conn,
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    );
    for by_hand in [
        "\"!threadline_capture_1\" AFTER INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION threadline.capture_1()",
        // Of some columns only.
        "\"!threadline_capture_1\" AFTER INSERT OR UPDATE OF id OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION threadline.capture_1()",
        "\"!threadline_capture_1\" AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH ROW WHEN (current_user <> 'eve') EXECUTE FUNCTION threadline.capture_1()",
        "\"!threadline_capture_1\" AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH ROW WHEN (false) EXECUTE FUNCTION threadline.capture_1()",
        "\"!threadline_capture_1\" BEFORE INSERT OR UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION threadline.capture_1()",
        "\"!threadline_capture_1\" AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH STATEMENT EXECUTE FUNCTION threadline.capture_1()",
        "\"!threadline_capture_1\" AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION threadline.capture_1('argument')",
        "\"!threadline_capture_1\" AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION nothing()",
        "\"!threadline_truncate_1\" AFTER TRUNCATE ON items FOR EACH STATEMENT EXECUTE FUNCTION threadline.capture_1()",
        "\"!threadline_truncate_1\" BEFORE TRUNCATE ON items FOR EACH STATEMENT WHEN (false) EXECUTE FUNCTION threadline.capture_1()",
        "\"!threadline_truncate_1\" BEFORE TRUNCATE ON items FOR EACH STATEMENT EXECUTE FUNCTION nothing()",
    ] {
        drift(
            conn,
            &format!("CREATE OR REPLACE TRIGGER {by_hand}"),
            &["trigger-altered public.items"],
        );
    }
}

#[test]
fn a_function_altered_by_hand_is_found() {
    let (_, conn) = &mut Database::with(ITEMS);
    for by_hand in [
        "CREATE OR REPLACE FUNCTION threadline.capture_1() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NULL; END'",
        "ALTER FUNCTION threadline.capture_1() SECURITY INVOKER",
        "ALTER FUNCTION threadline.capture_1() SET search_path = public",
        "ALTER FUNCTION threadline.capture_1() SET timezone = 'Asia/Tokyo'",
    ] {
        drift(conn, by_hand, &["function-altered public.items"]);
    }
    run(conn, "UPDATE items SET name = 'b'");
    assert_eq!(changes(conn).len(), 2);
    // One that pins settings.
    run(
        conn,
        "CREATE TABLE stays (id int PRIMARY KEY, during tstzrange); SELECT threadline.audit('stays')",
    );
    drift(
        conn,
        "ALTER FUNCTION threadline.capture_2() RESET ALL",
        &["function-altered public.stays"],
    );
}

#[test]
fn a_trigger_of_another_table_records_nothing_and_is_found() {
    let (_, conn) = &mut Database::with(ITEMS);
    run(
        conn,
        "CREATE TABLE other (id int PRIMARY KEY, name text);
         CREATE TRIGGER copied AFTER INSERT ON other FOR EACH ROW EXECUTE FUNCTION threadline.capture_1();
         INSERT INTO other VALUES (1, 'b')",
    );
    assert_eq!(changes(conn).len(), 1);
    let findings = findings(conn);
    assert_eq!(
        found(conn),
        ["trigger-stray public.other", "table-unaudited public.other"]
    );
    assert_eq!(
        findings[0].message,
        "trigger copied is that of public.items, and records nothing here"
    );
    run(conn, findings[0].fix.as_deref().unwrap());
    assert_eq!(found(conn), ["table-unaudited public.other"]);
}
