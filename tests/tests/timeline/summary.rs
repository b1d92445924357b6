//! A summary counts the changes of the timeline.

use std::collections::BTreeMap;

use diesel::prelude::*;
use serde_json::json;
use threadline::{ActorRef, ActorType, ErrorKind, Filter, Operation, Summary, summary, timeline};
use threadline_tests::{Database, run};

use crate::dataset;

fn by<'a, K: Ord>(counts: impl Iterator<Item = (K, &'a u64)>) -> BTreeMap<K, u64> {
    counts.map(|(key, count)| (key, *count)).collect()
}

/// The same, change by change.
fn check(conn: &mut PgConnection, filter: &Filter) -> Summary {
    let counted = summary(conn, filter).unwrap();
    let page = timeline(filter.clone()).limit(100_000).page(conn).unwrap();
    let mut days = BTreeMap::new();
    let mut tables = BTreeMap::new();
    let mut operations = BTreeMap::new();
    let mut actors = BTreeMap::new();
    for entry in &page.entries {
        let change = &entry.change;
        *days.entry(change.captured_at.date_naive()).or_default() += 1;
        *tables
            .entry((change.schema.clone(), change.table.clone()))
            .or_default() += 1;
        *operations.entry(change.operation.to_string()).or_default() += 1;
        *actors.entry(format!("{:?}", change.actor())).or_default() += 1;
    }
    assert_eq!(counted.changes, page.entries.len() as u64, "{filter:?}");
    assert_eq!(by(counted.days.iter().map(|c| (c.day, &c.changes))), days);
    assert_eq!(
        by(counted
            .tables
            .iter()
            .map(|c| ((c.schema.clone(), c.table.clone()), &c.changes))),
        tables
    );
    assert_eq!(
        by(counted
            .operations
            .iter()
            .map(|c| (c.operation.to_string(), &c.changes))),
        operations
    );
    assert_eq!(
        by(counted
            .actors
            .iter()
            .map(|c| (format!("{:?}", c.actor.as_ref()), &c.changes))),
        actors
    );
    assert_eq!(counted.by_other_actors, 0);
    counted
}

#[test]
fn it_counts_what_the_timeline_of_the_filter_gives() {
    let (_, conn) = &mut dataset::loaded();
    let all = check(conn, &Filter::new());
    assert!(all.changes > 500 && all.tables.len() > 4 && all.actors.len() > 4);
    // The last changes wait in the journal.
    run(conn, "INSERT INTO members (id, name) VALUES (70, 'x')");
    assert_eq!(check(conn, &Filter::new()).changes, all.changes + 1);
    for filter in [
        Filter::new().table("members"),
        Filter::new().table("members").record(1),
        Filter::new().table("seats").key("tenant", "acme"),
        Filter::new().actor_type(ActorType::User),
        Filter::new().actor(&ActorRef::user("1").unwrap()),
        Filter::new().operation(Operation::Delete),
        Filter::new().request_id("a"),
        Filter::new().action("member.invited"),
        Filter::new().value("role", "treasurer"),
        Filter::new().request_id("nowhere"),
    ] {
        check(conn, &filter);
    }
}

#[test]
fn days_are_those_of_utc_and_the_other_actors_are_counted_together() {
    let (_, conn) = &mut Database::with(
        "SET timezone = 'Pacific/Auckland';
         CREATE TABLE notes (id int PRIMARY KEY); SELECT threadline.audit('notes');
         INSERT INTO threadline.ledger_transactions (id, xact_id, occurred_at, opened_at, actor_type, actor_id, actor_origin, session_user_name)
         SELECT n, n::text::xid8, at, at, 'user', n, 'explicit', 'app'
         FROM generate_series(1, 103) AS n, LATERAL (SELECT timestamptz '2026-03-01 23:30Z' + n % 2 * interval '1 hour' AS at) AS of;
         INSERT INTO threadline.ledger_changes (id, transaction_id, captured_at, table_id, op, record_key, row_data, position)
         SELECT x.id * 10 + n, x.id, x.opened_at, t.id, 'I', x.id, '{}', -(x.id * 10 + n)
         FROM threadline.ledger_transactions AS x, threadline.audited_tables AS t,
              LATERAL generate_series(1, CASE WHEN x.id = 7 THEN 5 ELSE 1 END) AS n",
    );
    let counted = summary(conn, &Filter::new()).unwrap();
    assert_eq!(
        serde_json::to_value(&counted.days).unwrap(),
        json!([{"day": "2026-03-01", "changes": 51}, {"day": "2026-03-02", "changes": 56}])
    );
    assert_eq!(counted.changes, 107);
    assert_eq!(counted.actors.len(), 100);
    assert_eq!(counted.actors[0].changes, 5);
    assert_eq!(counted.actors[0].actor, Some(ActorRef::user("7").unwrap()));
    assert_eq!(counted.by_other_actors, 3);
    assert_eq!(
        serde_json::to_value(&counted.operations).unwrap(),
        json!([{"operation": "insert", "changes": 107}])
    );
}

#[test]
fn an_invalid_question_is_refused() {
    let (_, conn) = &mut Database::new().connected();
    let error = summary(conn, &Filter::new().table("nowhere")).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Filter(_)), "{error}");
    let nothing = summary(conn, &Filter::new()).unwrap();
    assert_eq!(nothing, Summary::default());
}
