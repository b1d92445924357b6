use threadline::{ErrorKind, Models};
use threadline_tests::{Database, changes, run};

use super::{drift, findings, fix, found, quoted, trigger};

#[test]
fn a_dropped_table_is_reported_until_its_audit_ends() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY); SELECT threadline.audit('items')",
    );
    let findings = drift(conn, "DROP TABLE items", &["table-dropped public.items"]);
    assert_eq!(findings[0].severity().to_string(), "info");
}

#[test]
fn a_table_created_again_is_audited_again_under_its_old_policy() {
    let (_, conn) = &mut Database::new().connected();
    let create = "CREATE TABLE items (id int PRIMARY KEY, name text, pin text, hash text)";
    run(
        conn,
        &format!(
            "{create}; SELECT threadline.audit('items', mask => ARRAY['pin'], exclude => ARRAY['hash']);
             INSERT INTO items VALUES (1, 'a', '1234', 'x')"
        ),
    );
    let findings = drift(
        conn,
        &format!("DROP TABLE items; {create}"),
        &["table-recreated public.items"],
    );
    assert_eq!(
        findings[0].fix.as_deref(),
        Some(
            "SELECT threadline.audit_as_decided('public.items', mask => ARRAY['pin'], exclude => ARRAY['hash']);"
        )
    );
    run(conn, "INSERT INTO items VALUES (1, 'b', '1234', 'x')");
    assert!(changes(conn)[1].contains(r#""pin": "***""#));
    assert_eq!(found(conn), ["audit-interrupted public.items"]);
}

/// Nobody decided about the columns that came with it.
#[test]
fn a_table_created_again_with_more_columns_is_audited_without_them_if_they_may_be_secret() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY, name text, pin text);
         SELECT threadline.audit('items', mask => ARRAY['pin']);
         CREATE TABLE plain_items (id int PRIMARY KEY, name text);
         SELECT threadline.audit('plain_items')",
    );
    let findings = drift(
        conn,
        "DROP TABLE items; CREATE TABLE items (id int PRIMARY KEY, name text, pin text, note text, token text);
         DROP TABLE plain_items; CREATE TABLE plain_items (id int PRIMARY KEY, name text, note text, token text)",
        &[
            "table-recreated public.items",
            "table-recreated public.plain_items",
        ],
    );
    let fixes: Vec<_> = findings
        .iter()
        .filter_map(|found| found.fix.as_deref())
        .collect();
    assert_eq!(
        fixes,
        [
            "SELECT threadline.audit_as_decided('public.items', mask => ARRAY['pin'], exclude => ARRAY['note', 'token']);",
            "SELECT threadline.audit_as_decided('public.plain_items', exclude => ARRAY['token']);",
        ]
    );
}

#[test]
fn a_capture_without_its_policy_is_found() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY); SELECT threadline.audit('items'); DELETE FROM threadline.audited_tables",
    );
    assert_eq!(found(conn), ["policy-missing public.items"]);
    run(conn, "SELECT threadline.audit('items')");
    assert_eq!(found(conn), [""; 0]);
}

/// Names are not patterns, and a table of the same name elsewhere is another one.
#[test]
fn a_namesake_or_a_similar_name_is_another_table() {
    let (_, conn) = &mut Database::with(r#"CREATE SCHEMA one; CREATE SCHEMA two;"#);
    let tables = [
        "one.line_items",
        "one.lineXitems",
        "one.\"line%\"",
        "two.line_items",
        r#"two."a'b""c\d""#,
    ];
    for table in tables {
        run(conn, &format!("CREATE TABLE {table} (id int PRIMARY KEY)"));
    }
    assert_eq!(found(conn).len(), 5);
    let unaudited = findings(conn);
    fix(conn, &unaudited[3..]);
    for (position, table) in tables.iter().enumerate() {
        run(conn, &format!("SELECT threadline.audit({})", quoted(table)));
        assert_eq!(
            found(conn).len(),
            if position < 3 { 2 - position } else { 0 },
            "{table}"
        );
    }
    for table in ["one.line_items", r#"two."a'b""c\d""#] {
        for kind in ["capture", "truncate"] {
            let name = trigger(conn, table, kind);
            drift(
                conn,
                &format!("ALTER TABLE {table} DISABLE TRIGGER {name}"),
                &[&format!("trigger-disabled {table}")],
            );
        }
    }
    let name = trigger(conn, "two.line_items", "capture");
    drift(
        conn,
        &format!("DROP TRIGGER {name} ON two.line_items"),
        &["trigger-missing two.line_items"],
    );
}

#[test]
fn the_applications_unaudited_tables_are_reported_unless_allowed() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE sessions (id int PRIMARY KEY); CREATE TABLE app_log (line text);
         CREATE TABLE __diesel_schema_migrations (version text PRIMARY KEY);
         CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE part PARTITION OF parts DEFAULT;
         CREATE VIEW shown AS SELECT * FROM sessions; CREATE TEMPORARY TABLE temp (id int PRIMARY KEY);",
    );
    assert_eq!(
        found(conn),
        [
            "table-unaudited public.app_log",
            "table-unaudited public.parts",
            "table-unaudited public.sessions"
        ]
    );
    assert_eq!(
        findings(conn)[0].fix.as_deref(),
        Some("SELECT threadline.audit('public.app_log', keyless => true);")
    );
    let models = Models::new(vec![]);
    let verification = models
        .verify()
        .allow_unaudited(["sessions", "public.app_log", "gone"])
        .run(conn)
        .unwrap();
    assert_eq!(verification.findings.len(), 1);
    assert!(verification.is_sound());
    fix(conn, &verification.findings);
    run(
        conn,
        "SELECT threadline.audit('sessions'), threadline.unaudit('sessions')",
    );
    assert_eq!(
        found(conn),
        [
            "table-unaudited public.app_log",
            "table-unaudited public.sessions"
        ]
    );
}

#[test]
fn a_table_that_is_not_audited_any_more_records_nothing_also_when_its_triggers_are_enabled() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY); SELECT threadline.audit('items');
         INSERT INTO items VALUES (1); SELECT threadline.unaudit('items');
         INSERT INTO items VALUES (2);
         ALTER TABLE items DISABLE TRIGGER ALL; ALTER TABLE items ENABLE TRIGGER ALL;
         INSERT INTO items VALUES (3); UPDATE items SET id = id + 10; DELETE FROM items WHERE id = 11; TRUNCATE items",
    );
    assert_eq!(changes(conn).len(), 1);
    assert_eq!(found(conn), ["table-unaudited public.items"]);
    drift(conn, "", &["table-unaudited public.items"]);
    run(conn, "INSERT INTO items VALUES (4); TRUNCATE items");
    assert_eq!(changes(conn).len(), 3);
}

#[test]
fn a_table_that_cannot_be_verified_is_an_error() {
    let (_, conn) = &mut Database::new().connected();
    let models = Models::new(vec![]);
    let error = models.verify().table("nowhere").run(conn).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotAudited { table } if table == "nowhere"));
    let empty = Database::empty();
    let error = models.verify().run(&mut empty.connect()).unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::SchemaMissing { installed: None }
    ));
    run(conn, "UPDATE threadline.schema_versions SET version = -1");
    let error = models.verify().run(conn).unwrap_err();
    assert!(matches!(
        error.kind(),
        ErrorKind::SchemaMissing {
            installed: Some(-1)
        }
    ));
}

/// If not every change is recorded, or records have no key, there is no history that
/// could disagree.
#[test]
fn a_policy_that_records_a_part_is_followed() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE a (id int PRIMARY KEY, n int, m int); CREATE TABLE b (LIKE a INCLUDING ALL);
         CREATE TABLE c (LIKE a INCLUDING ALL); CREATE TABLE lines (line text);
         SELECT threadline.audit('a', operations => ARRAY['insert', 'update']),
                threadline.audit('b', condition => 'NEW.n > 5', operations => ARRAY['insert', 'update']),
                threadline.audit('c', columns => ARRAY['n']),
                threadline.audit('lines', keyless => true);
         INSERT INTO a VALUES (1, 1, 1), (2, 2, 2); DELETE FROM a WHERE id = 1;
         INSERT INTO b SELECT k, k, k FROM generate_series(1, 10) AS k; UPDATE b SET n = 10 - n;
         INSERT INTO c VALUES (1, 1, 1); UPDATE c SET n = 2, m = 2; UPDATE c SET m = 3;
         INSERT INTO lines VALUES ('x'); UPDATE lines SET line = 'y';",
    );
    assert_eq!(found(conn), [""; 0]);
    drift(
        conn,
        "CREATE OR REPLACE TRIGGER \"!threadline_capture_2\" AFTER INSERT OR UPDATE ON b FOR EACH ROW
             WHEN (NEW.n > 500) EXECUTE FUNCTION threadline.capture_2();
         ALTER TABLE b ENABLE ALWAYS TRIGGER \"!threadline_capture_2\"",
        &["trigger-altered public.b"],
    );
    drift(
        conn,
        "ALTER TABLE a DISABLE TRIGGER \"!threadline_capture_1\"; DROP TRIGGER \"!threadline_capture_2\" ON b;
         ALTER TABLE c DISABLE TRIGGER \"!threadline_truncate_3\"; ALTER TABLE lines DISABLE TRIGGER \"!threadline_capture_4\"",
        &[
            "trigger-disabled public.a",
            "trigger-missing public.b",
            "trigger-disabled public.c",
            "trigger-disabled public.lines",
        ],
    );
    // From then on all of it.
    run(
        conn,
        "SELECT threadline.audit('a'), threadline.audit('b');
         UPDATE a SET n = 7; UPDATE b SET n = n + 1; DELETE FROM b WHERE id = 1;
         ALTER TABLE lines ADD id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    );
    drift(
        conn,
        "",
        &["key-changed public.lines", "columns-added public.lines"],
    );
    run(conn, "UPDATE lines SET line = 'z'");
    assert_eq!(found(conn), [""; 0]);
    for (create, table) in [("a", "a"), ("b", "b"), ("c", "c")] {
        run(
            conn,
            &format!(
                "CREATE TABLE again (LIKE {create} INCLUDING ALL); DROP TABLE {table}; ALTER TABLE again RENAME TO {table}"
            ),
        );
    }
    let findings = drift(
        conn,
        "",
        &[
            "table-recreated public.a",
            "table-recreated public.b",
            "table-recreated public.c",
        ],
    );
    assert_eq!(
        findings[2].fix.as_deref(),
        Some("SELECT threadline.audit_as_decided('public.c', columns => ARRAY['n']);")
    );
}

/// Without the right to read a table, a TRUNCATE leaves none of its rows on record.
#[test]
fn a_table_that_the_owner_of_the_audit_cannot_read_is_found() {
    let (database, conn) = &mut Database::with(
        "CREATE SCHEMA app;
         CREATE TABLE app.items (id int PRIMARY KEY); CREATE TABLE app.kept (id int PRIMARY KEY);
         CREATE TABLE app.parts (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE app.part PARTITION OF app.parts DEFAULT;
         SELECT threadline.audit('app.items'), threadline.audit('app.parts'), threadline.audit('app.kept', operations => '{insert}')",
    );
    let owner = database.role("owner");
    threadline::Protection::of_owner(owner.to_string())
        .apply(conn)
        .unwrap();
    assert_eq!(found(conn), [""; 0]);
    // A partition is read through its parent.
    run(conn, &format!("REVOKE ALL ON app.part FROM {owner}"));
    assert_eq!(found(conn), [""; 0]);
    for (sql, expected) in [
        (
            format!("REVOKE ALL ON app.items, app.parts, app.kept FROM {owner}"),
            &["table-unreadable app.items", "table-unreadable app.parts"][..],
        ),
        (
            format!("REVOKE ALL ON SCHEMA app FROM {owner}"),
            &["table-unreadable app.items", "table-unreadable app.parts"][..],
        ),
        (
            format!(
                "ALTER ROLE {owner} NOBYPASSRLS; ALTER TABLE app.items ENABLE ROW LEVEL SECURITY"
            ),
            &["table-unreadable app.items"][..],
        ),
    ] {
        drift(conn, &sql, expected);
    }
    assert_eq!(found(conn), [""; 0]);
    run(
        conn,
        &format!(
            "REVOKE ALL ON app.items, app.parts FROM {owner}; INSERT INTO app.items VALUES (1); INSERT INTO app.parts VALUES (1);
             TRUNCATE app.items; TRUNCATE app.parts; GRANT SELECT ON app.items, app.parts TO {owner}"
        ),
    );
    assert_eq!(
        found(conn),
        ["truncate-unseen app.items", "truncate-unseen app.parts"]
    );
}

/// Its rows are gone after a crash, and their record stays.
#[test]
fn an_unlogged_table_is_audited_with_a_warning() {
    let (database, conn) = &mut Database::with(
        "CREATE UNLOGGED TABLE cached (id int PRIMARY KEY); CREATE TABLE kept (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE UNLOGGED TABLE kept_1 PARTITION OF kept FOR VALUES FROM (1) TO (9)",
    );
    let warned = |sql: &str| {
        let mut psql = database.server().command("psql");
        let output = psql.args(["--dbname", &database.url(), "-c", sql]).output();
        String::from_utf8_lossy(&output.expect("psql is there").stderr).contains("is unlogged")
    };
    for table in ["cached", "kept"] {
        let audit = format!("SELECT threadline.audit('{table}')");
        assert!(warned(&audit), "{table}");
        assert!(!warned(&audit), "{table} a second time");
    }
    run(conn, "ALTER TABLE kept_1 SET LOGGED");
    assert!(!warned(
        "SELECT threadline.audit('kept', require_actor => true)"
    ));
}
