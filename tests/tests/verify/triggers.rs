use threadline_tests::{Database, changes, run, value};

use super::{drift, findings, found};

const ITEMS: &str = "
    CREATE TABLE items (id int PRIMARY KEY, name text);
    SELECT threadline.audit('items');
    INSERT INTO items VALUES (1, 'a');
";
const TRIGGERS: [&str; 6] = [
    "capture_1",
    "insert",
    "update",
    "delete",
    "truncate_1",
    "attached",
];

#[test]
fn a_missing_trigger_is_found_and_comes_back_to_the_same_history() {
    for name in TRIGGERS {
        let database = Database::new();
        let conn = &mut database.connect();
        run(conn, ITEMS);
        drift(
            conn,
            &format!("DROP TRIGGER \"!threadline_{name}\" ON items"),
            &["trigger-missing public.items"],
        );
        run(conn, "UPDATE items SET name = 'b'; TRUNCATE items");
        assert_eq!(
            value(
                conn,
                "SELECT count(DISTINCT table_id) FROM threadline.audit_changes"
            )
            .as_deref(),
            Some("1")
        );
        assert_eq!(changes(conn).len(), 3);
    }
}

#[test]
fn all_triggers_missing_and_no_function_either() {
    let database = Database::new();
    let conn = &mut database.connect();
    run(conn, ITEMS);
    drift(
        conn,
        "DROP FUNCTION threadline.capture_1(), threadline.capture_1_insert(), threadline.capture_1_update(), threadline.capture_1_delete() CASCADE",
        &[
            "trigger-missing public.items",
            "trigger-missing public.items",
            "trigger-missing public.items",
            "trigger-missing public.items",
            "trigger-missing public.items",
            "trigger-missing public.items",
            "function-altered public.items",
            "function-altered public.items",
            "function-altered public.items",
            "function-altered public.items",
        ],
    );
    run(conn, "UPDATE items SET name = 'b'");
    assert_eq!(changes(conn).len(), 2);
}

#[test]
fn a_disabled_trigger_is_no_coverage() {
    let database = Database::new();
    let conn = &mut database.connect();
    run(conn, ITEMS);
    drift(
        conn,
        "ALTER TABLE items DISABLE TRIGGER ALL",
        &["trigger-disabled public.items"; 6],
    );
    for name in TRIGGERS {
        let of_replicas = name == "capture_1";
        for how in &["DISABLE", "ENABLE REPLICA"][..if of_replicas { 1 } else { 2 }] {
            let findings = drift(
                conn,
                &format!("ALTER TABLE items {how} TRIGGER \"!threadline_{name}\""),
                &["trigger-disabled public.items"],
            );
            assert_eq!(findings[0].severity().to_string(), "error");
            assert_eq!(
                findings[0].mend.as_deref(),
                Some("SELECT threadline.refresh('public.items');")
            );
        }
    }
}

#[test]
fn triggers_that_were_all_enabled_alike_miss_what_is_replicated() {
    let database = Database::new();
    let conn = &mut database.connect();
    run(conn, ITEMS);
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
         ALTER TABLE items ENABLE ALWAYS TRIGGER \"!threadline_update\"",
    );
    let findings = findings(conn);
    assert_eq!(
        findings[0].message,
        "trigger \"!threadline_update\" fires for replicated changes, too, which another records"
    );
}

#[test]
fn a_trigger_that_records_twice_is_found() {
    let database = Database::new();
    let conn = &mut database.connect();
    run(conn, ITEMS);
    for function in ["capture_1", "capture_1_insert"] {
        let findings = drift(
            conn,
            &format!(
                "CREATE TRIGGER again AFTER INSERT ON items REFERENCING NEW TABLE AS tl_new
                 FOR EACH STATEMENT EXECUTE FUNCTION threadline.{function}()"
            ),
            &["trigger-duplicated public.items"],
        );
        assert_eq!(
            findings[0].mend.as_deref(),
            Some("DROP TRIGGER again ON public.items;")
        );
    }
}

#[test]
fn a_trigger_altered_by_hand_is_found() {
    let database = Database::new();
    let conn = &mut database.connect();
    run(conn, ITEMS);
    run(
        conn,
        "CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    );
    for by_hand in [
        // Of some columns only.
        "\"!threadline_insert\" AFTER INSERT ON items REFERENCING NEW TABLE AS tl_new
         FOR EACH STATEMENT WHEN (current_user <> 'eve') EXECUTE FUNCTION threadline.capture_1_insert()",
        "\"!threadline_delete\" AFTER DELETE ON items FOR EACH STATEMENT EXECUTE FUNCTION nothing()",
        "\"!threadline_capture_1\" AFTER INSERT OR UPDATE ON items FOR EACH ROW EXECUTE FUNCTION threadline.capture_1('replicated')",
        "\"!threadline_capture_1\" AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH ROW WHEN (false) EXECUTE FUNCTION threadline.capture_1('replicated')",
        "\"!threadline_capture_1\" AFTER INSERT OR UPDATE OR DELETE ON items FOR EACH ROW EXECUTE FUNCTION nothing()",
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
    let database = Database::new();
    let conn = &mut database.connect();
    run(conn, ITEMS);
    for by_hand in [
        "CREATE OR REPLACE FUNCTION threadline.capture_1() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NULL; END'",
        "CREATE OR REPLACE FUNCTION threadline.capture_1_update() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS 'BEGIN RETURN NULL; END'",
        "ALTER FUNCTION threadline.capture_1_insert() SECURITY INVOKER",
        "ALTER FUNCTION threadline.capture_1() SET search_path = public",
        "ALTER FUNCTION threadline.capture_1() SET timezone = 'Asia/Tokyo'",
        "GRANT EXECUTE ON FUNCTION threadline.capture_1_delete() TO PUBLIC",
    ] {
        drift(conn, by_hand, &["function-altered public.items"]);
    }
}

#[test]
fn a_trigger_that_records_one_table_as_another_is_found() {
    let database = Database::new();
    let conn = &mut database.connect();
    run(conn, ITEMS);
    run(
        conn,
        "CREATE TABLE other (id int PRIMARY KEY, name text);
         CREATE TRIGGER copied AFTER INSERT ON other FOR EACH ROW EXECUTE FUNCTION threadline.capture_1()",
    );
    let findings = findings(conn);
    assert_eq!(
        found(conn),
        ["trigger-stray public.other", "table-unaudited public.other"]
    );
    assert_eq!(
        findings[0].message,
        "trigger copied records its changes as those of public.items"
    );
    run(conn, findings[0].mend.as_deref().unwrap());
    assert_eq!(found(conn), ["table-unaudited public.other"]);
}
