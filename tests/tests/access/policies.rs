//! The application's own migrations still decide how its tables are audited, and those of
//! no other role do.

use threadline_tests::{assert_rows, assert_value, rows, run, value};

use super::{ITEMS, Protected, forbidden, refused};

#[test]
fn the_migrations_of_the_application_audit_refresh_and_unaudit_its_tables() {
    let (_, protected) = &mut Protected::with(
        r#"CREATE SCHEMA shop;
           CREATE TABLE shop."Order" (id int PRIMARY KEY, email text, sum numeric);
           SELECT threadline.audit('shop."Order"');
           INSERT INTO shop."Order" VALUES (1, 'a@x', 1);
           SELECT threadline.audit('shop."Order"', mask => ARRAY['email']);
           ALTER TABLE shop."Order" RENAME email TO mail;
           ALTER TABLE shop."Order" ADD note text;
           SELECT threadline.refresh('shop."Order"');
           UPDATE shop."Order" SET mail = 'b@x', note = 'n';
           SELECT threadline.audit_as_before('shop."Order"', mask => ARRAY['email'], known => '{id,email,sum}');
           UPDATE shop."Order" SET mail = 'c@x', note = 'm';
           TRUNCATE shop."Order";
           SELECT threadline.unaudit('shop."Order"');
           INSERT INTO shop."Order" VALUES (2);
           DROP SCHEMA shop CASCADE"#,
    );
    assert_rows(
        &mut protected.admin,
        "SELECT op, coalesce(changed_to, row_data) FROM threadline.changes ORDER BY id",
        [
            r#"insert | {"id": 1, "sum": 1, "email": "***"}"#,
            r#"update | {"mail": "***", "note": "n"}"#,
            r#"update | {"mail": "***"}"#,
            r#"truncate | {"id": 1, "sum": 1, "mail": "***"}"#,
        ],
    );
}

#[test]
fn no_right_to_make_triggers_outlives_the_call() {
    let (app, protected) = &mut Protected::with(ITEMS);
    let owner = protected.role("owner");
    let given = format!(
        "SELECT string_agg(privilege_type, ',') FROM pg_class, aclexplode(relacl) WHERE relname = 'items' AND grantee = '{owner}'::regrole"
    );
    assert_value(app, &given, "SELECT");
    run(app, "SELECT threadline.unaudit('items')");
    assert_eq!(value(app, &given), None);
}

#[test]
fn nobody_decides_about_the_table_of_another() {
    let mut protected = Protected::new();
    let other_role = protected.role("other");
    let app = &mut protected.application();
    run(app, &format!("GRANT ALL ON items TO {other_role}"));
    // Another application on the same audit.
    let protection = protected.protection().application(other_role);
    protection.apply(&mut protected.admin).unwrap();
    let other = &mut protected.session("other");
    for attempt in [
        "SELECT threadline.audit('items', exclude => ARRAY['name'])",
        "SELECT threadline.unaudit('items')",
    ] {
        let error = refused(other, attempt);
        assert!(
            error.contains("permission denied")
                || error.contains("must be owner of table items")
                || error.contains("only the owner of table public.items"),
            "{error}"
        );
    }
    // Nor through functions that these call.
    for attempt in [
        r#"SELECT threadline.write_policy('items', '{"mask": [], "exclude": ["name"], "require_actor": false}', false)"#,
        "SELECT threadline.note_condition('items')",
        "SELECT threadline.end_audit('items')",
        "SELECT threadline.withhold_columns('items', '{2}')",
    ] {
        assert_eq!(
            refused(other, attempt),
            "threadline: only the owner of table public.items decides how it is audited, with threadline.audit() or threadline.unaudit()"
        );
    }
    run(other, "INSERT INTO items VALUES (1, 'seen')");
    assert_rows(
        &mut protected.admin,
        "SELECT row_data FROM threadline.changes",
        [r#"{"id": 1, "name": "seen"}"#],
    );
}

#[test]
fn a_capture_function_records_its_own_table_alone() {
    let (app, protected) = &mut Protected::with(ITEMS);
    for (table, kind) in [("copies", ""), ("pg_temp.copies", "TEMPORARY ")] {
        run(
            app,
            &format!("CREATE {kind}TABLE {table} (id int PRIMARY KEY, name text)"),
        );
        for trigger in [
            "\"!threadline_capture_1\" AFTER INSERT ON {} FOR EACH ROW",
            "\"!threadline_capture_1\" BEFORE INSERT ON {} FOR EACH ROW",
            "t AFTER INSERT ON {} REFERENCING NEW TABLE AS tl_new FOR EACH STATEMENT",
        ] {
            run(
                app,
                &format!(
                    "CREATE OR REPLACE TRIGGER {} EXECUTE FUNCTION threadline.capture_1(); INSERT INTO {table} VALUES (9, 'forged')",
                    trigger.replace("{}", table)
                ),
            );
            run(app, &format!("DELETE FROM {table}"));
        }
        run(app, &format!("DROP TABLE {table}"));
    }
    let other = &mut protected.session("other");
    run(other, "CREATE TABLE theirs (id int PRIMARY KEY, name text)");
    forbidden(
        other,
        "CREATE TRIGGER t AFTER INSERT ON theirs FOR EACH ROW EXECUTE FUNCTION threadline.capture_1()",
    );
    assert_value(
        &mut protected.admin,
        "SELECT count(*) FROM threadline.audit_changes",
        "0",
    );
}

#[test]
fn partitions_that_the_application_adds_are_recorded_and_truncated() {
    let (_, protected) = &mut Protected::with(
        "CREATE TABLE events (id int, day date, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
         CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
         SELECT threadline.audit('events');
         CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
         INSERT INTO events VALUES (1, '2026-01-05'), (2, '2026-02-05');
         UPDATE events_2 SET id = 3;
         TRUNCATE events",
    );
    assert_rows(
        &mut protected.admin,
        "SELECT op, record_key FROM threadline.audit_changes ORDER BY CASE op WHEN 'T' THEN 1 ELSE 0 END, CASE WHEN op <> 'T' THEN id END, record_key",
        [
            r#"I | ["1", "2026-01-05"]"#,
            r#"I | ["2", "2026-02-05"]"#,
            r#"U | ["3", "2026-02-05"]"#,
            r#"T | ["1", "2026-01-05"]"#,
            r#"T | ["3", "2026-02-05"]"#,
        ],
    );
}

#[test]
fn row_level_policies_neither_hide_rows_from_the_audit_nor_run_as_its_owner() {
    let (app, protected) = &mut Protected::with_items(
        "CREATE FUNCTION spoil() RETURNS boolean LANGUAGE plpgsql AS $$
         BEGIN DELETE FROM threadline.journal; RETURN true; END $$;
         INSERT INTO items VALUES (1, 'a');
         CREATE POLICY p ON items USING (spoil());
         ALTER TABLE items ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
         TRUNCATE items",
    );
    let read = "SELECT op, row_data FROM threadline.changes ORDER BY id";
    let insert = r#"insert | {"id": 1, "name": "a"}"#;
    assert_rows(
        &mut protected.admin,
        read,
        [insert, r#"truncate | {"id": 1, "name": "a"}"#],
    );
    // An owner of the audit that is subject to policies: rows are then missing, which is
    // reported.
    let owner = protected.role("owner");
    run(
        &mut protected.admin,
        &format!("ALTER ROLE {owner} NOBYPASSRLS"),
    );
    run(app, "TRUNCATE items");
    assert_rows(
        &mut protected.admin,
        read,
        [
            insert,
            r#"truncate | {"id": 1, "name": "a"}"#,
            "truncate | NULL",
        ],
    );
}

#[test]
fn tables_that_were_audited_before_stay_so() {
    let database = threadline_tests::Database::new();
    let name = database.name().to_owned();
    let admin = &mut database.connect();
    run(
        admin,
        &format!(
            "CREATE ROLE {name}_app;
             GRANT ALL ON SCHEMA public TO {name}_app;
             CREATE TABLE items (id int PRIMARY KEY); ALTER TABLE items OWNER TO {name}_app;
             SELECT threadline.audit('items')"
        ),
    );
    threadline::Protection::of_owner(format!("{name}_owner"))
        .application(format!("{name}_app"))
        .apply(admin)
        .unwrap();
    run(
        admin,
        &format!(
            "SET SESSION AUTHORIZATION {name}_app;
             INSERT INTO items VALUES (1); TRUNCATE items; SELECT threadline.refresh('items'); INSERT INTO items VALUES (2);
             RESET SESSION AUTHORIZATION"
        ),
    );
    assert_rows(
        admin,
        "SELECT op FROM threadline.changes ORDER BY id",
        ["insert", "truncate", "insert"],
    );
    run(
        admin,
        &format!(
            "DROP OWNED BY {name}_app, {name}_owner CASCADE; DROP ROLE {name}_app, {name}_owner"
        ),
    );
}

/// A schema for each test or tenant, made by copying one: its writes succeed, and it is
/// audited as a table of its own once its owner decides so.
#[test]
fn a_table_with_the_trigger_of_another_decides_nothing_for_it() {
    let (app, protected) = &mut Protected::with_items(
        "CREATE TABLE copies (id int PRIMARY KEY, name text);
         CREATE TRIGGER \"!threadline_capture_1\" AFTER INSERT ON copies FOR EACH ROW EXECUTE FUNCTION threadline.capture_1();
         INSERT INTO copies VALUES (1, 'a')",
    );
    let mut policy = || {
        rows(
            &mut protected.admin,
            "SELECT relation::regclass, policy, unaudited_at FROM threadline.audited_tables WHERE id = 1",
        )
    };
    let before = policy();
    assert_eq!(
        refused(app, "SELECT threadline.refresh('copies')"),
        "threadline: table public.copies is not audited; start with SELECT threadline.audit('public.copies')"
    );
    run(app, "SELECT threadline.unaudit('copies')");
    assert_rows(
        &mut protected.admin,
        "SELECT code, fix FROM threadline.table_drift()",
        [r#"trigger-stray | DROP TRIGGER "!threadline_capture_1" ON public.copies;"#],
    );
    run(
        app,
        "SELECT threadline.audit('copies', mask => ARRAY['name']); INSERT INTO copies VALUES (2, 'b')",
    );
    assert_rows(
        &mut protected.admin,
        "SELECT table_name, row_data FROM threadline.changes",
        [r#"copies | {"id": 2, "name": "***"}"#],
    );
    let mut policy = || {
        rows(
            &mut protected.admin,
            "SELECT relation::regclass, policy, unaudited_at FROM threadline.audited_tables WHERE id = 1",
        )
    };
    assert_eq!(policy(), before);
}

#[test]
fn a_new_owner_of_a_table_can_create_its_partitions() {
    let (_, protected) = &mut Protected::with(
        "CREATE TABLE log (id int PRIMARY KEY) PARTITION BY RANGE (id); SELECT threadline.audit('log')",
    );
    let other = protected.role("other");
    run(
        &mut protected.admin,
        &format!("ALTER TABLE log OWNER TO {other}"),
    );
    run(
        &mut protected.session("other"),
        "CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10); INSERT INTO log VALUES (1)",
    );
    assert_rows(
        &mut protected.admin,
        "SELECT table_name, row_data FROM threadline.changes",
        [r#"log | {"id": 1}"#],
    );
}

/// The role that decides what is recorded is recorded, too.
#[test]
fn changes_of_the_audit_of_a_table_leave_an_action() {
    let (app, protected) = &mut Protected::with_items(
        r#"SELECT threadline.audit('items');
           BEGIN;
           SELECT threadline.set_context('{"actor": {"type": "user", "id": "mallory"}}');
           SELECT threadline.audit('items', exclude => ARRAY['name']);
           SELECT threadline.unaudit('items');
           COMMIT"#,
    );
    run(
        app,
        r#"BEGIN; SELECT threadline.set_context('{"actor": {"type": "user", "id": "mallory"}}');
           SELECT threadline.audit('items'); COMMIT"#,
    );
    let error = refused(
        app,
        "SELECT threadline.record_action('audit.stopped', 'user', 'somebody else')",
    );
    assert_eq!(
        error,
        "threadline: the action 'audit.stopped' is recorded by threadline.unaudit() alone"
    );
    let role = protected.role("app");
    assert_rows(
        &mut protected.admin,
        &format!(
            "SELECT name, actor_id, meta ->> 'session_user' = '{role}', meta ->> 'table', meta #>> '{{policy,exclude}}',
                    meta ? 'stopped_at', meta #>> '{{former_policy,exclude}}'
             FROM threadline.actions ORDER BY id"
        ),
        [
            r#"audit.policy_changed | mallory | true | public.items | ["name"] | false | []"#,
            "audit.stopped | mallory | true | public.items | NULL | false | NULL",
            r#"audit.restarted | mallory | true | public.items | [] | true | ["name"]"#,
        ],
    );
}
