use chrono::{TimeDelta, Utc};
use diesel::prelude::*;
use threadline::{ActorRef, AuditContext, Finding, FindingCode, Models, post};
use threadline_tests::{Database, run, run_under, value};

const TABLES: &str = "
    CREATE TABLE members (id int PRIMARY KEY); CREATE TABLE \"Line items\" (id int PRIMARY KEY);
    SELECT threadline.audit('members'), threadline.audit('\"Line items\"');
";

fn unattributed(conn: &mut PgConnection) -> Option<Finding> {
    let of = |finding: &Finding| finding.code == FindingCode::Unattributed;
    let found = Models::new(vec![]).verify().run(conn).unwrap();
    found.findings.into_iter().find(of)
}

fn by(conn: &mut PgConnection, actor: ActorRef, sql: &str) {
    run_under(conn, &AuditContext::new(actor), sql);
}

#[test]
fn transactions_without_an_actor_are_counted_by_where_they_come_from() {
    let (_, conn) = &mut Database::with(TABLES);
    by(
        conn,
        ActorRef::user(7).unwrap(),
        "INSERT INTO members VALUES (1)",
    );
    // An actor that is not identified is still an actor.
    by(
        conn,
        ActorRef::anonymous(),
        "INSERT INTO members VALUES (2)",
    );
    post(conn).unwrap();
    assert_eq!(unattributed(conn), None);

    run(conn, "SET application_name = 'it''s psql'");
    for id in 3..6 {
        run(conn, &format!("INSERT INTO members VALUES ({id})"));
    }
    run(
        conn,
        "SET application_name = ''; BEGIN; INSERT INTO members VALUES (6); INSERT INTO \"Line items\" VALUES (6); COMMIT",
    );
    // An action without a change is no write without an actor.
    run(
        conn,
        "SELECT threadline.audit('members', require_actor => true)",
    );
    post(conn).unwrap();
    let finding = unattributed(conn).unwrap();
    let role = value(conn, "quote_ident(session_user)").unwrap();
    let (counted, sources) = finding.message.split_once(" UTC ").unwrap();
    assert!(
        counted.starts_with("4 of 6 posted transactions with changes since 20"),
        "{counted}"
    );
    assert_eq!(
        sources,
        format!(
            "have no actor: 3 by role {role}, application 'it''s psql' in public.members, \
             1 by role {role} in public.\"Line items\", 1 by role {role} in public.members \
             (a transaction counts for each of its tables)"
        )
    );
    assert_eq!(finding.records, 4);
    assert_eq!(finding.severity().to_string(), "info");
    assert_eq!(finding.fix, None);

    // Checked until then.
    let models = Models::new(vec![]);
    let later = models
        .verify()
        .since(Utc::now() + TimeDelta::hours(1))
        .run(conn)
        .unwrap();
    assert_eq!(later.findings, []);
    let of_table = models.verify().table("members").run(conn).unwrap();
    assert_eq!(of_table.findings, []);
}

#[test]
fn it_looks_at_a_bounded_number_of_transactions_and_of_their_changes() {
    let (_, conn) = &mut Database::with(TABLES);
    run(
        conn,
        "INSERT INTO threadline.ledger_transactions (id, xact_id, occurred_at, opened_at, actor_origin, session_user_name)
         SELECT k, '1', now(), now() + k * interval '1 ms', 'none', 'club' FROM generate_series(1, 12000) AS k;
         INSERT INTO threadline.ledger_changes (id, transaction_id, captured_at, table_id, op, position)
         SELECT k, k, now(), 1, 'I', k FROM generate_series(1, 12000) AS k;
         INSERT INTO threadline.ledger_changes (id, transaction_id, captured_at, table_id, op, position)
         SELECT 12000 + k, 12000, now(), CASE WHEN k <= 100 THEN 1 ELSE 2 END, 'I', 12000 + k FROM generate_series(1, 200) AS k",
    );
    let message = unattributed(conn).unwrap().message;
    assert!(
        message.starts_with("10000 of 10000 posted transactions with changes since "),
        "{message}"
    );
    assert!(
        message.ends_with(": 10000 by role club in public.members"),
        "{message}"
    );
}
