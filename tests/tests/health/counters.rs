use chrono::{TimeDelta, Utc};
use diesel::prelude::*;
use threadline::{ActorRef, AuditContext, Counters, Protection, models, post};
use threadline_tests::{Database, assert_value, run, run_under};

use super::{USERS, User, found, health};

fn counters(conn: &mut PgConnection) -> Counters {
    health(conn).counters.unwrap()
}

#[test]
fn an_empty_audit_counts_nothing() {
    let database = Database::new();
    let counters = counters(&mut database.connect());
    assert_eq!(counters.entries_waiting, 0);
    assert_eq!(counters.oldest_waiting, None);
    assert_eq!(counters.last_posting, None);
    assert_eq!(counters.changes_last_day, 0);
    assert_eq!(counters.bytes_last_day, 0);
    assert_eq!(counters.oldest_change, None);
    assert_eq!(counters.recent_transactions, 0);
    assert_eq!(counters.unattributed_share(), 0.0);
}

#[test]
fn waiting_posted_and_unattributed_changes_are_counted() {
    let (_, conn) = &mut Database::with(USERS);
    run(conn, "SELECT threadline.audit('users')");
    let begun = Utc::now() - TimeDelta::seconds(1);
    for id in 1..=3 {
        run(conn, &format!("INSERT INTO users VALUES ({id}, 'x')"));
    }
    let context = AuditContext::new(ActorRef::user(7).unwrap());
    run_under(conn, &context, "UPDATE users SET email = 'y'");
    let waiting = counters(conn);
    assert_eq!(waiting.entries_waiting, 6);
    assert!(waiting.oldest_waiting.unwrap() > begun);
    assert_eq!(waiting.oldest_change, waiting.oldest_waiting);
    assert_eq!(waiting.changes_last_day, 6);
    assert_eq!(waiting.recent_transactions, 0);

    post(conn).unwrap();
    let posted = counters(conn);
    assert_eq!(posted.entries_waiting, 0);
    assert_eq!(posted.oldest_waiting, None);
    assert!(posted.last_posting.unwrap() > begun);
    assert_eq!(posted.oldest_change, waiting.oldest_change);
    assert_eq!(posted.changes_last_day, 6);
    assert_eq!(posted.bytes_last_day, posted.ledger_bytes);
    assert_eq!(posted.recent_transactions, 4);
    assert_eq!(posted.unattributed_transactions, 3);
    assert_eq!(posted.unattributed_share(), 0.75);
}

#[test]
fn growth_is_that_of_the_last_day_also_after_old_changes_were_deleted() {
    let (_, conn) = &mut Database::with(USERS);
    run(
        conn,
        "SELECT threadline.audit('users'); INSERT INTO users SELECT k, 'x' FROM generate_series(1, 100) AS k",
    );
    post(conn).unwrap();
    run(
        conn,
        "UPDATE threadline.ledger_changes SET captured_at = captured_at - interval '1 hour' * (100 - position);
         DELETE FROM threadline.ledger_changes WHERE position < 20 OR position = 80",
    );
    let counters = counters(conn);
    // Those of position 76, just under a day old, are at the limit.
    assert!(
        (24..=25).contains(&counters.changes_last_day),
        "{counters:?}"
    );
    let share = counters.bytes_last_day as f64 / counters.ledger_bytes as f64;
    assert!((0.29..0.32).contains(&share), "{counters:?}");
    let oldest = Utc::now() - counters.oldest_change.unwrap();
    assert_eq!(oldest.num_hours(), 80);
}

/// More than 10,000 are estimated from their ids.
#[test]
fn many_waiting_entries_are_estimated() {
    let (_, conn) = &mut Database::with(USERS);
    run(
        conn,
        "SELECT threadline.audit('users'); INSERT INTO users SELECT k, 'x' FROM generate_series(1, 12345) AS k",
    );
    assert_eq!(counters(conn).entries_waiting, 12345);
}

#[test]
fn a_journal_that_nobody_posts_is_a_warning_and_no_alarm() {
    let (_, conn) = &mut Database::with(USERS);
    run(
        conn,
        "SELECT threadline.audit('users'); INSERT INTO users VALUES (1, 'x');
         UPDATE threadline.journal SET captured_at = captured_at - interval '2 hours'",
    );
    let health = health(conn);
    assert_eq!(
        found(&health),
        ["warning journal-waiting threadline.journal"]
    );
    assert!(health.healthy);
}

/// Monitoring runs as the application or as a reader.
#[test]
fn the_application_and_readers_of_a_protected_audit_may_ask() {
    let (database, admin) = &mut Database::new().connected();
    let [owner, app, reader] =
        ["owner", "app", "reader"].map(|role| format!("{}_{role}", database.name()));
    run(admin, USERS);
    run(
        admin,
        &format!(
            "CREATE ROLE {app}; CREATE ROLE {reader}; ALTER TABLE users OWNER TO {app}; SELECT threadline.audit('users'); INSERT INTO users VALUES (1, 'x')"
        ),
    );
    Protection::of_owner(&owner)
        .application(&app)
        .reader(&reader)
        .apply(admin)
        .unwrap();
    let models = models![User];
    for role in [&app, &reader] {
        let conn = &mut database.connect();
        run(conn, &format!("SET ROLE {role}"));
        let health = models.health(conn).unwrap();
        assert_eq!(found(&health), [""; 0]);
        assert!(health.counters.unwrap().entries_waiting > 0);
        run(
            admin,
            "SELECT threadline.audit('users', require_actor => true)",
        );
        assert_eq!(
            found(&models.health(conn).unwrap()),
            ["info policy-replaced public.users"]
        );
        run(admin, "SELECT threadline.audit('users')");
    }
    assert_value(admin, "SELECT count(*) FROM users", "1");
    run(
        admin,
        &format!("DROP OWNED BY {app} CASCADE; DROP OWNED BY {reader}"),
    );
}

#[test]
fn health_is_serialized_as_json() {
    let database = Database::new();
    let json = serde_json::to_value(health(&mut database.connect())).unwrap();
    assert_eq!(json["healthy"], true);
    assert_eq!(json["counters"]["entries_waiting"], 0);
    assert_eq!(json["findings"], serde_json::json!([]));
}
