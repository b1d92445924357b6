use diesel::prelude::*;
use diesel::result::Error as DieselError;
use threadline::{
    ActionError, ActorRef, AuditContext, AuditExt, ErrorKind, Filter, FindingCode, Models,
    Severity, record_action, suspend, timeline,
};
use threadline_tests::{assert_rows, assert_value, rows, run};

use super::{ITEMS, Protected, forbidden, refused};

/// Opens a session of an application with the right to suspend.
pub(super) fn suspending() -> (Protected, PgConnection) {
    let mut protected = Protected::new();
    let app = protected.application();
    let protection = protected.protection().suspender(protected.role("app"));
    protection.apply(&mut protected.admin).unwrap();
    (protected, app)
}

fn admin() -> AuditContext {
    AuditContext::builder(ActorRef::admin("grace").unwrap())
        .request_id("r-1")
        .build()
        .unwrap()
}

pub(super) fn keys(protected: &mut Protected) -> Vec<String> {
    rows(
        &mut protected.admin,
        "SELECT op, coalesce(record_key, '-') FROM threadline.audit_changes ORDER BY id",
    )
}

#[test]
fn a_suspended_transaction_is_not_recorded_but_its_suspension_is() {
    let (mut protected, mut app) = suspending();
    let app = &mut app;
    app.audited_transaction(&admin(), |conn| {
        run(conn, "INSERT INTO items VALUES (1)");
        let action = suspend(conn, "reload, ticket 4711")?;
        assert_eq!(action.reason.as_deref(), Some("reload, ticket 4711"));
        run(
            conn,
            "INSERT INTO items VALUES (2); UPDATE items SET name = 'x'; INSERT INTO items SELECT generate_series(3, 300);
             UPDATE items SET name = 'y'; DELETE FROM items WHERE id = 1; TRUNCATE items",
        );
        // Neither a context of its own nor the end of one resumes it.
        conn.audited_transaction(&AuditContext::new(ActorRef::user(2).unwrap()), |conn| {
            run(conn, "INSERT INTO items VALUES (7)");
            Ok::<_, threadline::Error>(())
        })?;
        run(conn, "INSERT INTO items VALUES (8)");
        // Its actions are recorded as before.
        record_action(conn, "items.reloaded")?;
        Ok::<_, threadline::Error>(())
    })
    .unwrap();
    run(app, "INSERT INTO items VALUES (9)");
    assert_eq!(keys(&mut protected), ["I | 1", "I | 9"]);
    let session = protected.role("app");
    assert_eq!(
        rows(
            &mut protected.admin,
            "SELECT name, actor_type, actor_id, reason, request_id, meta, transaction_id FROM threadline.actions ORDER BY id"
        ),
        [
            format!(
                r#"audit.suspended | admin | grace | reload, ticket 4711 | r-1 | {{"session_user": "{session}"}} | 1"#
            ),
            "items.reloaded | admin | grace | NULL | r-1 | NULL | 1".to_owned(),
        ]
    );
    // The suspension is visible in the timeline.
    let page = timeline(Filter::new().action("audit.suspended"))
        .page(&mut protected.session("auditor"))
        .unwrap();
    assert_eq!(page.entries.len(), 1);
    assert_eq!(page.entries[0].actions[0].name, "audit.suspended");
}

#[test]
fn a_transaction_that_only_writes_unrecorded_leaves_the_action() {
    let (mut protected, mut app) = suspending();
    run(
        &mut app,
        "BEGIN; SELECT threadline.suspend('bulk'); INSERT INTO items VALUES (1); COMMIT",
    );
    assert!(keys(&mut protected).is_empty());
    assert_eq!(
        rows(
            &mut protected.admin,
            "SELECT a.name, a.actor_type, x.session_user_name FROM threadline.actions AS a JOIN threadline.transactions AS x ON x.id = a.transaction_id"
        ),
        [format!(
            "audit.suspended | anonymous | {}",
            protected.role("app")
        )]
    );
}

#[test]
fn verify_says_that_something_was_written_unrecorded() {
    let (mut protected, mut app) = suspending();
    run(&mut app, "INSERT INTO items VALUES (1)");
    let models = Models::new(vec![]);
    let mut found = |since| {
        let mut verify = models.verify();
        if let Some(since) = since {
            verify = verify.since(since);
        }
        let verification = verify.run(&mut protected.admin).unwrap();
        assert!(verification.is_sound());
        verification.findings
    };
    assert_eq!(found(None), []);
    let began = chrono::Utc::now();
    run(
        &mut app,
        "BEGIN; SELECT threadline.suspend('first'); INSERT INTO items VALUES (2); COMMIT",
    );
    app.audited_transaction(&admin(), |conn| {
        suspend(conn, "reload")?;
        suspend(conn, "reload, ticket 4711")?;
        run(conn, "INSERT INTO items VALUES (3)");
        Ok::<_, threadline::Error>(())
    })
    .unwrap();
    let findings = found(Some(began));
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].code, FindingCode::CaptureSuspended);
    assert_eq!(findings[0].severity(), Severity::Info);
    assert_eq!(findings[0].table, None);
    let message = &findings[0].message;
    assert!(
        message.starts_with("capture was suspended in 2 transactions, and their later writes are not recorded; the last began 20"),
        "{message}"
    );
    assert!(
        message.ends_with(" UTC, by admin:grace: reload, ticket 4711; see `audit timeline --action audit.suspended`"),
        "{message}"
    );
    assert_eq!(found(Some(chrono::Utc::now())), []);
}

#[test]
fn only_a_role_that_was_let_can_suspend() {
    let (app, protected) = &mut Protected::with(ITEMS);
    forbidden(app, "SELECT threadline.suspend('no')");
    forbidden(
        &mut protected.session("auditor"),
        "SELECT threadline.suspend('no')",
    );
    forbidden(
        &mut protected.session("other"),
        "SELECT threadline.suspend('no')",
    );
    let error = app
        .transaction(|conn| suspend(conn, "no").map(|_| ()))
        .unwrap_err();
    assert_eq!(error.to_string(), "permission denied for function suspend");
}

#[test]
fn no_setting_suspends_by_itself() {
    let (app, protected) = &mut Protected::with_items(
        "SET threadline.suspended = 'yes';
         INSERT INTO items VALUES (1); INSERT INTO items VALUES (2), (3); TRUNCATE items;
         BEGIN; SELECT set_config('threadline.suspended', 'yes', true); INSERT INTO items VALUES (4); COMMIT",
    );
    assert_eq!(keys(protected).len(), 7);
    // Nor anything that resembles it.
    assert_eq!(
        refused(
            app,
            "SELECT threadline.record_action('audit.suspended', 'user', '1')"
        ),
        "threadline: the action 'audit.suspended' is recorded by threadline.suspend() alone"
    );
}

#[test]
fn nothing_but_the_transaction_that_suspended_is_suspended() {
    let (mut protected, mut app) = suspending();
    let app = &mut app;
    let meanwhile = &mut protected.session("app");
    run(
        app,
        "BEGIN; SELECT threadline.suspend('bulk'); INSERT INTO items VALUES (1)",
    );
    run(
        meanwhile,
        "SET threadline.suspended = 'yes'; INSERT INTO items VALUES (2)",
    );
    run(
        app,
        "COMMIT; SET threadline.suspended = 'yes'; INSERT INTO items VALUES (3)",
    );
    assert_eq!(keys(&mut protected), ["I | 2", "I | 3"]);
}

#[test]
fn a_rolled_back_savepoint_takes_suspension_and_action_together() {
    let (mut protected, mut app) = suspending();
    run(
        &mut app,
        "BEGIN; INSERT INTO items VALUES (1);
         SAVEPOINT s; SELECT threadline.suspend('bulk'); INSERT INTO items VALUES (2); ROLLBACK TO s;
         INSERT INTO items VALUES (3); COMMIT",
    );
    assert_eq!(keys(&mut protected), ["I | 1", "I | 3"]);
    assert_value(
        &mut protected.admin,
        "SELECT count(*) FROM threadline.audit_actions",
        "0",
    );
    run(
        &mut app,
        "BEGIN; SAVEPOINT s; SELECT threadline.suspend('bulk'); RELEASE s; INSERT INTO items VALUES (4); COMMIT",
    );
    assert_eq!(keys(&mut protected).len(), 2);
}

#[test]
fn a_reason_and_a_transaction_are_required() {
    let (_protected, mut app) = suspending();
    let error = suspend(&mut app, "bulk").unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::Action(ActionError::NoTransaction)),
        "{error:?}"
    );
    assert_eq!(
        refused(&mut app, "SELECT threadline.suspend(' ')"),
        "threadline: suspending capture needs a reason: SELECT threadline.suspend('why')"
    );
}

#[test]
fn partitions_and_tables_that_require_an_actor_are_suspended_too() {
    let (mut protected, mut app) = suspending();
    run(
        &mut app,
        "CREATE TABLE events (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM (0) TO (9);
         SELECT threadline.audit('events', require_actor => true);
         BEGIN; SELECT threadline.suspend('bulk', 'job', 'reload');
         INSERT INTO events VALUES (1); UPDATE events_1 SET id = 2; DELETE FROM events; TRUNCATE events; COMMIT",
    );
    assert!(keys(&mut protected).is_empty());
    assert_rows(
        &mut protected.admin,
        "SELECT actor_type, actor_id FROM threadline.actions",
        ["job | reload"],
    );
    let error: Result<usize, DieselError> =
        diesel::sql_query("INSERT INTO events VALUES (3)").execute(&mut app);
    assert!(threadline::is_actor_required(&error.unwrap_err()));
}
