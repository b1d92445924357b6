//! A table's owner changes its triggers and restores them.

use threadline::{FindingCode, Models, Severity};
use threadline_tests::{assert_value, rows, run, value};

use super::{ITEMS, Protected, refused};

/// Returns the recorded trigger changes, and deletes them.
fn noted(protected: &mut Protected) -> Vec<String> {
    let noted = rows(
        &mut protected.admin,
        "SELECT meta ->> 'table', meta ->> 'what' FROM threadline.actions WHERE name = 'audit.triggers_changed' ORDER BY id",
    );
    run(&mut protected.admin, "DELETE FROM threadline.audit_actions");
    noted
}

#[test]
fn triggers_that_were_off_for_a_moment_leave_an_action() {
    let (app, protected) = &mut Protected::with(ITEMS);
    for (off, on, expected) in [
        (
            "ALTER TABLE items DISABLE TRIGGER ALL",
            "ALTER TABLE items ENABLE TRIGGER ALL",
            "trigger \"!threadline_capture_1\" was disabled, trigger \"!threadline_truncate_1\" was disabled",
        ),
        (
            "ALTER TABLE items DISABLE TRIGGER \"!threadline_truncate_1\"",
            "ALTER TABLE items ENABLE TRIGGER \"!threadline_truncate_1\"",
            "trigger \"!threadline_truncate_1\" was disabled",
        ),
        (
            "ALTER TABLE items ENABLE REPLICA TRIGGER \"!threadline_capture_1\"",
            "SELECT 1",
            "trigger \"!threadline_capture_1\" was made to fire for replicated changes only",
        ),
        (
            "ALTER TRIGGER \"!threadline_capture_1\" ON items RENAME TO x",
            "ALTER TRIGGER x ON items RENAME TO \"!threadline_capture_1\"",
            "trigger \"!threadline_capture_1\" is not there under its name",
        ),
        (
            "DROP TRIGGER \"!threadline_capture_1\" ON items",
            "SELECT threadline.audit('items')",
            "trigger \"!threadline_capture_1\" was dropped",
        ),
        (
            "CREATE OR REPLACE TRIGGER \"!threadline_capture_1\" AFTER INSERT ON items FOR EACH ROW WHEN (false) EXECUTE FUNCTION threadline.capture_1()",
            "SELECT threadline.audit('items')",
            "trigger \"!threadline_capture_1\" was replaced by another one",
        ),
    ] {
        run(
            app,
            &format!(
                "BEGIN; {off}; INSERT INTO items VALUES (1); {on}; SELECT threadline.refresh('items'); DELETE FROM items; COMMIT"
            ),
        );
        assert_eq!(
            noted(protected),
            [format!("public.items | {expected}")],
            "{off}"
        );
    }
    run(app, "DROP TABLE items");
    assert_eq!(noted(protected), ["public.items | the table was dropped"]);
}

#[test]
fn partitions_that_left_for_a_moment_leave_an_action() {
    let (app, protected) = &mut Protected::with(
        "CREATE TABLE events (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
         SELECT threadline.audit('events');
         CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM (10) TO (20)",
    );
    // Also one from before the audit was protected.
    run(
        &mut protected.admin,
        "DELETE FROM threadline.watched_partitions",
    );
    protected.protect();
    assert_eq!(noted(protected), [""; 0]);
    for part in [1, 2] {
        run(
            app,
            &format!(
                "BEGIN; ALTER TABLE events DETACH PARTITION events_{part}; INSERT INTO events_{part} VALUES ({part}5 - 10);
                 ALTER TABLE events ATTACH PARTITION events_{part} FOR VALUES FROM ({part}0 - 10) TO ({part}0); COMMIT"
            ),
        );
        assert_eq!(
            noted(protected),
            [format!("public.events_{part} | the partition was detached")]
        );
    }
    run(
        app,
        "ALTER TABLE events_2 DISABLE TRIGGER \"!threadline_capture_1\"; ALTER TABLE events_2 ENABLE ALWAYS TRIGGER \"!threadline_capture_1\"",
    );
    assert_eq!(
        noted(protected),
        ["public.events_2 | trigger \"!threadline_capture_1\" was disabled"]
    );
    run(app, "DROP TABLE events_2");
    assert_eq!(
        noted(protected),
        ["public.events_2 | the table was dropped"]
    );
    run(app, "DROP TABLE events");
    assert_eq!(noted(protected), ["public.events | the table was dropped"]);
}

/// Also one that was attached after the last refresh, for every query about the past.
#[test]
fn a_detached_partition_is_noted_at_once_with_the_role_and_the_time() {
    let (app, protected) = &mut Protected::with(
        "CREATE TABLE log (id int PRIMARY KEY, line text) PARTITION BY RANGE (id);
         CREATE TABLE log_1 PARTITION OF log FOR VALUES FROM (0) TO (10);
         SELECT threadline.audit('log');
         CREATE TABLE log_2 PARTITION OF log FOR VALUES FROM (10) TO (20);
         CREATE TABLE log_3 PARTITION OF log FOR VALUES FROM (20) TO (30);
         INSERT INTO log VALUES (1, 'a'), (11, 'b'), (21, 'c')",
    );
    let models = Models::new(vec![]);
    let left = |protected: &mut Protected| {
        let verification = models.verify().run(&mut protected.admin).unwrap();
        assert!(verification.is_sound());
        let of_partitions = |code: &FindingCode| {
            matches!(
                code,
                FindingCode::PartitionLeft | FindingCode::TriggersChanged
            )
        };
        let messages = verification
            .findings
            .into_iter()
            .filter(|finding| of_partitions(&finding.code));
        messages.map(|finding| finding.message).collect::<Vec<_>>()
    };
    let role = protected.role("app");
    for (part, leaves) in [
        (1, "ALTER TABLE log DETACH PARTITION log_1"),
        (2, "ALTER TABLE log DETACH PARTITION log_2 CONCURRENTLY"),
        (3, "DROP TABLE log_3"),
    ] {
        run(app, "BEGIN; DROP TABLE log_3; ROLLBACK");
        let before = value(app, "SELECT clock_timestamp()").unwrap();
        run(app, leaves);
        let after = value(app, "SELECT clock_timestamp()").unwrap();
        assert_eq!(
            rows(
                &mut protected.admin,
                &format!(
                    "SELECT name, rows_of, left_by FROM threadline.known_partitions
                     WHERE left_at BETWEEN '{before}' AND '{after}' AND noted_at IS NULL"
                )
            ),
            [format!(
                "public.log_{part} | ((id IS NOT NULL) AND (id >= {part}0 - 10) AND (id < {part}0)) | {role}"
            )
            .replace("10 - 10", "0").replace("20 - 10", "10").replace("30 - 10", "20")]
        );
        let found = left(protected);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(
            found[0].starts_with(&format!(
                "public.log_{part} is no partition of it any more, since 20"
            )) && found[0].contains(&format!(" UTC, by role {role}; ")),
            "{}",
            found[0]
        );
        // At an instant between detaching and the refresh, the rows are not there.
        for (at, there) in [(&before, 4 - part), (&after, 3 - part)] {
            assert_eq!(
                rows(
                    &mut protected.admin,
                    &format!("SELECT record_key FROM threadline.rows_as_of('log', '{at}')")
                )
                .len(),
                there,
                "{leaves}"
            );
        }
        run(app, "SELECT threadline.refresh('log')");
        assert_eq!(left(protected), [""; 0]);
        assert_eq!(
            rows(
                &mut protected.admin,
                "SELECT meta ->> 'partition', meta ->> 'left_by' FROM threadline.audit_actions WHERE name = 'audit.partition_left' ORDER BY id DESC LIMIT 1"
            ),
            [format!("public.log_{part} | {role}")]
        );
    }
    // A partition that comes back was away, and others could write to it.
    run(
        app,
        "ALTER TABLE log ATTACH PARTITION log_1 FOR VALUES FROM (0) TO (10)",
    );
    let found = left(protected);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("the partition was detached at 20"),
        "{}",
        found[0]
    );
    assert_eq!(
        refused(
            app,
            "SELECT threadline.record_action('audit.partition_left', 'user', 'me')"
        ),
        "threadline: the action 'audit.partition_left' is recorded by threadline.refresh() alone"
    );
}

#[test]
fn migrations_leave_no_note() {
    let (_, protected) = &mut Protected::with_items(
        "SELECT threadline.audit('items', condition => 'NEW.id > 0', operations => '{insert,update,truncate}');
         SELECT threadline.audit('items', condition => 'NEW.id > 1', operations => '{insert,update}');
         ALTER TABLE items RENAME name TO title; ALTER TABLE items ADD n int, ADD CHECK (n > 0); CREATE INDEX ON items (n);
         SELECT threadline.refresh('items');
         SELECT threadline.unaudit('items'); SELECT threadline.audit('items');
         ALTER TABLE items RENAME id TO number; SELECT threadline.refresh('items');
         ALTER TABLE items DROP n CASCADE; ALTER TABLE items RENAME TO goods; SELECT threadline.refresh('goods');
         CREATE SCHEMA shop; ALTER TABLE goods SET SCHEMA shop;
         CREATE TRIGGER mine AFTER INSERT ON shop.goods FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
         ALTER TABLE shop.goods DISABLE TRIGGER mine; DROP TRIGGER mine ON shop.goods;
         CREATE TABLE events (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (10);
         SELECT threadline.audit('events');
         CREATE TABLE events_2 (id int PRIMARY KEY); SELECT threadline.audit('events_2');
         SELECT threadline.unaudit('events_2'); ALTER TABLE events ATTACH PARTITION events_2 FOR VALUES FROM (10) TO (20);
         ALTER TABLE events_1 ADD CHECK (id >= 0); SELECT threadline.refresh('events');
         SELECT threadline.unaudit('events'); SELECT threadline.audit('events');
         CREATE TABLE copies (LIKE shop.goods INCLUDING ALL);
         CREATE TRIGGER \"!threadline_capture_1\" AFTER INSERT ON copies FOR EACH ROW EXECUTE FUNCTION threadline.capture_1();
         ALTER TABLE copies DISABLE TRIGGER ALL; DROP TABLE copies;
         SELECT threadline.unaudit('shop.goods'); DROP TABLE shop.goods;
         SELECT threadline.unaudit('events'); DROP TABLE events",
    );
    assert_eq!(noted(protected), [""; 0]);
}

#[test]
fn verify_says_who_did_it_and_when() {
    let (app, protected) = &mut Protected::with(ITEMS);
    let models = Models::new(vec![]);
    let before = chrono::Utc::now();
    let auditor = protected.role("auditor");
    run(app, &format!("GRANT SELECT ON items TO {auditor}"));
    run(
        app,
        r#"BEGIN; SELECT threadline.set_context('{"actor": {"type": "user", "id": "mallory"}}');
           ALTER TABLE items DISABLE TRIGGER ALL; INSERT INTO items VALUES (1);
           ALTER TABLE items ENABLE ALWAYS TRIGGER "!threadline_capture_1", ENABLE ALWAYS TRIGGER "!threadline_truncate_1"; COMMIT"#,
    );
    let verify = |protected: &mut Protected, since| {
        models
            .verify()
            .since(since)
            .run(&mut protected.session("auditor"))
            .unwrap()
    };
    let verification = verify(protected, before);
    assert!(verification.is_sound());
    assert_eq!(verification.findings.len(), 1);
    let finding = &verification.findings[0];
    assert_eq!(finding.code, FindingCode::TriggersChanged);
    assert_eq!(finding.severity(), Severity::Warning);
    assert_eq!(finding.table.as_deref(), Some("public.items"));
    assert!(
        finding.message.starts_with("trigger \"!threadline_capture_1\" was disabled, trigger \"!threadline_truncate_1\" was disabled at 20")
            && finding.message.contains(&format!(" UTC by user:mallory, who was logged in as {}; writes until", protected.role("app"))),
        "{}",
        finding.message
    );
    assert!(
        models
            .verify()
            .table("items")
            .run(&mut protected.admin)
            .unwrap()
            .findings
            .len()
            == 1
    );
    assert!(verify(protected, chrono::Utc::now()).findings.is_empty());
    assert_eq!(
        refused(
            app,
            "SELECT threadline.record_action('audit.triggers_changed', 'user', 'somebody else')"
        ),
        "threadline: the action 'audit.triggers_changed' is recorded by threadline.watch() alone"
    );
    assert!(models.status(&mut protected.admin).unwrap().watched);
}

/// The command succeeds despite any obstacle, and no setting prevents the record.
#[test]
fn nobodys_command_fails_and_no_setting_keeps_it_from_being_noted() {
    let (app, protected) = &mut Protected::with(ITEMS);
    let off_and_on = "ALTER TABLE items DISABLE TRIGGER ALL; ALTER TABLE items ENABLE ALWAYS TRIGGER \"!threadline_capture_1\", ENABLE ALWAYS TRIGGER \"!threadline_truncate_1\"";
    for setting in [
        "SET threadline.context = 'not json'",
        "SET threadline.transaction = '1'",
        "SET threadline.transaction = '999999999999999999999999'",
        "SET threadline.suspended = 'yes'",
        "SELECT set_config('threadline.context', extract(epoch FROM now()) || ' {\"actor\": {\"type\": \"' || repeat('x', 5000) || '\", \"id\": \"1\"}}', true)",
        "SELECT set_config('threadline.context', extract(epoch FROM now()) || ' {\"request_id\": \"' || repeat('x', 100000) || '\"}', true)",
        "SET search_path = pg_temp; SET standard_conforming_strings = off; SET quote_all_identifiers = on",
        "SET plpgsql.extra_errors = 'all'",
        "SET lock_timeout = '1ms'",
        "SET row_security = off",
        "SET LOCAL TRANSACTION ISOLATION LEVEL SERIALIZABLE",
    ] {
        run(
            app,
            &format!(
                "BEGIN; {setting}; {}; COMMIT; RESET ALL",
                off_and_on.replace("items", "public.items")
            ),
        );
        assert_eq!(noted(protected).len(), 1, "{setting}");
    }
    // A broken object in the audit itself.
    run(
        &mut protected.admin,
        "ALTER TABLE threadline.audited_tables RENAME TO gone",
    );
    run(
        app,
        "ALTER TABLE items DISABLE TRIGGER ALL; CREATE TABLE free (id int); DROP TABLE free",
    );
    run(
        &mut protected.admin,
        "ALTER TABLE threadline.gone RENAME TO audited_tables",
    );
    // Disabled by a superuser, or dropped: verify reports a disabled one.
    run(
        &mut protected.admin,
        "ALTER EVENT TRIGGER threadline_watch DISABLE",
    );
    assert!(
        rows(
            &mut protected.admin,
            "SELECT code, message FROM threadline.audit_drift()"
        )
        .contains(&"audit-altered | event trigger threadline_watch does not fire".to_owned())
    );
    protected.protect();
    assert_value(
        &mut protected.admin,
        "SELECT evtenabled FROM pg_event_trigger WHERE evtname = 'threadline_watch'",
        "A",
    );
}
