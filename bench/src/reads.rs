//! The queries of an incident, on three years and five million changes.

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta};
use diesel::{Identifiable, PgConnection, Queryable, Selectable};
use threadline::{
    ActionStatus, ActorRef, ActorType, Audited, Cursor, Filter, Models, Operation, actor_history,
    correlated, timeline, transaction,
};

use crate::goals::{Bound, Goals};
use crate::sql::{self, number, text};

/// The number of runs of each query; the median counts.
const RUNS: usize = 15;

type Question = (&'static str, Box<dyn FnMut(&mut PgConnection) -> usize>);

/// Fills the database, unless it is filled.
pub(crate) fn load(conn: &mut PgConnection, scale: u32) {
    if sql::has_table(conn, "ledger_1") {
        return;
    }
    println!("loading three years of history ...");
    Models::new(vec![])
        .install(conn)
        .expect("the schema installs");
    sql::load(
        conn,
        &format!("scale = {scale}"),
        &[
            include_str!("../sql/roll.sql"),
            include_str!("../sql/load_history.sql"),
        ],
    );
}

pub(crate) fn run(conn: &mut PgConnection, goals: &mut Goals) {
    let changes = number(conn, "SELECT count(*) FROM threadline.ledger_changes");
    let bytes = number(
        conn,
        "SELECT (pg_total_relation_size('threadline.ledger_changes') + pg_total_relation_size('threadline.ledger_transactions'))",
    );
    println!(
        "{} bytes a change on disk, with indexes and headers",
        bytes / changes
    );
    println!("{changes} changes of 20 tables in 3 years; median of {RUNS}, warm\n");
    println!("{:44} {:>6} {:>10}", "question", "rows", "ms");
    let mut medians = vec![];
    for (name, mut question) in questions(conn) {
        let mut rows = 0;
        let mut times: Vec<Duration> = (0..RUNS + 2)
            .map(|_| {
                let start = Instant::now();
                rows = question(conn);
                start.elapsed()
            })
            .skip(2)
            .collect();
        times.sort();
        let median = times[times.len() / 2].as_secs_f64() * 1000.0;
        println!("{name:44} {rows:>6} {median:>10.2}");
        medians.push((name, median));
    }
    let of = |name: &str| {
        let found = medians.iter().find(|(known, _)| *known == name);
        found.expect("a question of this name").1
    };
    goals.add(
        "timeline: everything, page 1,000",
        "at most 1.25 times the time of page 1",
        Bound::AtMost(1.25),
        of("timeline: everything, page 1,000") / of("timeline: everything"),
    );
}

fn questions(conn: &mut PgConnection) -> Vec<Question> {
    let user = ActorRef::user("3").expect("an actor");
    let rare = ActorRef::admin("a7").expect("an actor");
    let middle = DateTime::parse_from_rfc3339("2024-06-15T12:00:00Z")
        .expect("a time")
        .to_utc();
    let day = TimeDelta::days(1);
    // The rows of the load are inserted and deleted at random.
    let busy_at = (0..300)
        .map(|ago| middle + day * (560 - ago))
        .find(|at| Ledger::as_of(conn, 7, *at).expect("an answer").is_ok())
        .expect("a day on which the row was there");
    let last = number(conn, "SELECT max(id) FROM threadline.audit_transactions");
    let id = last / 2 + 3;
    let correlation = text(
        conn,
        &format!("SELECT correlation_id FROM threadline.audit_transactions WHERE id = {id}"),
    );
    let request = text(
        conn,
        "SELECT request_id FROM threadline.audit_transactions WHERE request_id IS NOT NULL LIMIT 1",
    );
    let job = text(
        conn,
        "SELECT job_id FROM threadline.audit_transactions WHERE job_id IS NOT NULL LIMIT 1",
    );
    let page = |filter: Filter| {
        Box::new(move |conn: &mut PgConnection| {
            timeline(filter.clone())
                .page(conn)
                .expect("a page")
                .entries
                .len()
        }) as Box<dyn FnMut(&mut PgConnection) -> usize>
    };
    let f = Filter::new;
    let far = cursor_after(conn, 1000);
    let far_actor = user.clone();
    vec![
        ("timeline: everything", page(f())),
        (
            "timeline: everything, page 1,000",
            Box::new(move |conn| {
                timeline(Filter::new())
                    .after(far)
                    .page(conn)
                    .expect("a page")
                    .entries
                    .len()
            }),
        ),
        ("timeline: record", page(f().table("ledger_1").record(7))),
        ("timeline: table", page(f().table("ledger_1"))),
        ("timeline: rare table", page(f().table("ledger_20"))),
        (
            "timeline: operation delete",
            page(f().operation(Operation::Delete)),
        ),
        (
            "timeline: operation insert",
            page(f().operation(Operation::Insert)),
        ),
        ("timeline: busy actor", page(f().actor(&user))),
        ("timeline: quiet actor", page(f().actor(&rare))),
        (
            "timeline: actor type",
            page(f().actor_type(ActorType::Admin)),
        ),
        (
            "timeline: from and to",
            page(f().from(middle).to(middle + day)),
        ),
        ("timeline: to", page(f().to(middle))),
        (
            "timeline: correlation",
            page(f().correlation_id(&correlation)),
        ),
        ("timeline: request", page(f().request_id(&request))),
        ("timeline: job", page(f().job_id(&job))),
        ("timeline: action", page(f().action("order.refunded"))),
        ("timeline: category", page(f().category("stock"))),
        (
            "timeline: status error",
            page(f().status(ActionStatus::Error)),
        ),
        ("timeline: status ok", page(f().status(ActionStatus::Ok))),
        ("timeline: changed column", page(f().changed("status"))),
        (
            "timeline: changed to",
            page(f().changed_to("status", "status-3")),
        ),
        (
            "timeline: changed from, never",
            page(f().changed_from("status", "lost")),
        ),
        ("timeline: source", page(f().source("console"))),
        (
            "timeline: metadata",
            page(f().metadata("tenant", "tenant-30")),
        ),
        (
            "timeline: metadata, never",
            page(f().metadata("tenant", "none")),
        ),
        (
            "timeline: table + time",
            page(f().table("ledger_2").from(middle).to(middle + day)),
        ),
        (
            "timeline: table + to",
            page(f().table("ledger_20").to(middle)),
        ),
        (
            "timeline: busy actor + time",
            page(f().actor(&user).from(middle).to(middle + day)),
        ),
        (
            "timeline: busy actor + rare table",
            page(f().actor(&user).table("ledger_20")),
        ),
        (
            "timeline: quiet actor + table",
            page(f().actor(&rare).table("ledger_1")),
        ),
        (
            "timeline: table + changed to",
            page(f().table("ledger_2").changed_to("status", "status-3")),
        ),
        (
            "timeline: table + source",
            page(f().table("ledger_2").source("console")),
        ),
        (
            "timeline: actor + action",
            page(f().actor(&user).action("order.refunded")),
        ),
        (
            "as of: a record, years ago",
            Box::new(move |conn| {
                let past = Ledger::as_of(conn, 4711, middle - day * 365).expect("an answer");
                usize::from(past.is_ok())
            }),
        ),
        (
            "as of: a busy record, days ago",
            Box::new(move |conn| {
                let past = Ledger::as_of(conn, 7, busy_at).expect("an answer");
                usize::from(past.is_ok())
            }),
        ),
        (
            "actor history, busy",
            Box::new(move |conn| {
                actor_history(&far_actor)
                    .page(conn)
                    .expect("a page")
                    .entries
                    .len()
            }),
        ),
        (
            "actor history, quiet",
            Box::new(move |conn| {
                actor_history(&rare)
                    .page(conn)
                    .expect("a page")
                    .entries
                    .len()
            }),
        ),
        (
            "one transaction",
            Box::new(move |conn| {
                transaction(conn, id)
                    .expect("an answer")
                    .map_or(0, |t| t.changes.len())
            }),
        ),
        (
            "by correlation",
            Box::new(move |conn| {
                correlated(conn, &correlation)
                    .expect("an answer")
                    .transactions
                    .len()
            }),
        ),
    ]
}

/// Returns the cursor after a number of pages.
fn cursor_after(conn: &mut PgConnection, pages: usize) -> Option<Cursor> {
    timeline(Filter::new())
        .limit(pages * 50)
        .page(conn)
        .expect("a page")
        .next
}

diesel::table! {
    ledger_1 (id) {
        id -> BigInt,
        name -> Nullable<Text>,
    }
}

/// A row of the largest table.
#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = ledger_1)]
struct Ledger {
    id: i64,
    #[allow(dead_code)]
    name: Option<String>,
}
