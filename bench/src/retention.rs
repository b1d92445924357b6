//! Purges seven years of changes to two: the speed, what remains, and that each query
//! about the kept period returns the same as before.

use std::env;
use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::connection::SimpleConnection;
use diesel::{Connection, Identifiable, PgConnection, Queryable, Selectable};
use threadline::{
    ActorRef, Audited, Filter, Models, Unavailable, actor_history, timeline, transaction,
};

use crate::checks;
use crate::goals::{Bound, Goals};
use crate::latency;
use crate::numbers::thousands;
use crate::sql::{self, number};

const QUESTIONS: i64 = 1_000;
const YEAR: TimeDelta = TimeDelta::days(365);

/// A result as text; `None`: it is before the kept period.
type Answer = Option<String>;

pub(crate) fn run(quick: bool, goals: &mut Goals) {
    let loaded = env::var("THREADLINE_KEPT_DATABASE");
    let url = loaded.clone().unwrap_or_else(|_| {
        env::var("KEPT_DATABASE_URL").expect("`cargo xtask bench` gives a third database")
    });
    let mut conn = PgConnection::establish(&url).expect("the server takes connections");
    let conn = &mut conn;
    if loaded.is_err() {
        load(conn, changes(quick));
    }

    checks::chains(conn, goals);

    // The subject of each query does not depend on the day of the run.
    let kept_since = Utc::now() - YEAR * 2;
    let before = ask(conn, kept_since);
    let size = sizes(conn);
    println!("before the purge:    {size}");

    latency::create_table(conn);
    // On an idle machine each write would first wake the processor.
    let ((), alone) = latency::beside(&url, || {
        conn.batch_execute(
            "DO $$ BEGIN WHILE clock_timestamp() < now() + interval '10 seconds' LOOP END LOOP; END $$",
        )
        .expect("a loop");
    });

    let pid = number(conn, "SELECT pg_backend_pid()::bigint");
    let cpu_before = cpu_seconds(pid);
    let start = Instant::now();
    let (purged, beside) = latency::beside(&url, || threadline::purge(conn).expect("a purge"));
    let rate = purged as f64 / start.elapsed().as_secs_f64();
    println!(
        "a write by another client: {:.0} µs, 99 % {:.0} µs; beside a loop {:.0} µs, 99 % {:.0} µs",
        beside.median, beside.p99, alone.median, alone.p99
    );
    println!(
        "{} changes purged in {:.0} s, {} a second",
        thousands(purged as usize),
        start.elapsed().as_secs_f64(),
        thousands(rate as usize)
    );
    if let (Some(before), Some(after)) = (cpu_before, cpu_seconds(pid)) {
        println!(
            "of CPU time:         {:.0} s, {} a second",
            after - before,
            thousands((purged as f64 / (after - before)) as usize)
        );
    }
    println!("after the purge:     {}", sizes(conn));
    let start = Instant::now();
    conn.batch_execute("VACUUM ANALYZE").expect("a vacuum");
    println!(
        "after a vacuum:      {} ({:.0} s)",
        sizes(conn),
        start.elapsed().as_secs_f64()
    );

    let after = ask(conn, kept_since);
    let mut changed = 0;
    let mut outside = 0;
    for (number, (before, after)) in before.iter().zip(&after).enumerate() {
        if after.is_none() {
            outside += 1;
        } else if before != after {
            changed += 1;
            println!("question {number} was answered with {before:?}, now with {after:?}");
        }
    }
    println!("{QUESTIONS} questions: {outside} before the kept time, {changed} answered otherwise");
    goals.add(
        "purge by policy",
        "at least 200,000 changes a second",
        Bound::AtLeast(200_000.0),
        rate,
    );
    goals.add(
        "write by another client, beside a purge",
        "at most 1.1 times the median latency beside a loop",
        Bound::AtMost(1.1),
        beside.median / alone.median,
    );
    goals.add(
        "questions about the kept time, after a purge",
        "at most 0 answered otherwise than before",
        Bound::AtMost(0.0),
        f64::from(changed),
    );
}

/// Returns the CPU time of a process of this machine; `None` where it cannot be seen.
fn cpu_seconds(pid: i64) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // User and system time in hundredths, after the name in parentheses.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    Some(ticks / 100.0)
}

/// Returns the number of changes before the purge; THREADLINE_KEPT_CHANGES overrides it.
fn changes(quick: bool) -> u64 {
    match env::var("THREADLINE_KEPT_CHANGES") {
        Ok(changes) => changes
            .parse()
            .expect("THREADLINE_KEPT_CHANGES is a number"),
        Err(_) if quick => 1_000_000,
        Err(_) => 10_000_000,
    }
}

fn load(conn: &mut PgConnection, changes: u64) {
    println!(
        "\nloading {} changes of seven years ...",
        thousands(changes as usize)
    );
    Models::new(vec![])
        .install(conn)
        .expect("the schema installs");
    sql::load(
        conn,
        &format!("changes = {changes}"),
        &[
            include_str!("../sql/roll.sql"),
            include_str!("../sql/load_kept.sql"),
        ],
    );
}

fn sizes(conn: &mut PgConnection) -> String {
    let of = |conn: &mut PgConnection, relation: &str| {
        let size = format!("SELECT pg_total_relation_size('threadline.{relation}')");
        number(conn, &size) / 1_000_000
    };
    let changes = number(conn, "SELECT count(*) FROM threadline.ledger_changes");
    format!(
        "{} changes, {} MB; transactions {} MB; kept images {} MB",
        thousands(changes as usize),
        of(conn, "ledger_changes"),
        of(conn, "ledger_transactions"),
        of(conn, "kept_images"),
    )
}

fn ask(conn: &mut PgConnection, kept_since: DateTime<Utc>) -> Vec<Answer> {
    let keys = number(conn, "SELECT count(*) FROM kept_1");
    (0..QUESTIONS)
        .map(|number| {
            // Spread evenly, in a different order for keys than for times.
            let key = number * 7_919 % keys + 1;
            let ago = YEAR * 7 * ((number * 613 % QUESTIONS) as i32) / QUESTIONS as i32;
            let instant = kept_since + YEAR * 2 - ago;
            match number % 5 {
                0 | 1 => as_of(conn, key, instant),
                2 => Some(history(conn, key, kept_since)),
                // A page reaches back by a day at most.
                3 => Some(around(conn, instant.max(kept_since + TimeDelta::days(1)))),
                _ => Some(by_somebody(conn, number, kept_since)),
            }
        })
        .collect()
}

fn as_of(conn: &mut PgConnection, key: i64, instant: DateTime<Utc>) -> Answer {
    match Kept::as_of(conn, key, instant).expect("an answer") {
        Err(Unavailable::NoLongerKept { .. }) => None,
        answer => Some(format!("{answer:?}")),
    }
}

fn history(conn: &mut PgConnection, key: i64, since: DateTime<Utc>) -> String {
    let mut changes = Kept::history_of(conn, key).expect("an answer");
    changes.retain(|change| change.captured_at >= since);
    format!("{changes:?}")
}

/// Reads a page of the changes until an instant, and the whole transaction of its newest
/// change.
fn around(conn: &mut PgConnection, until: DateTime<Utc>) -> String {
    let filter = Filter::new()
        .table("kept_2")
        .from(until - TimeDelta::days(1))
        .to(until);
    let page = timeline(filter).page(conn).expect("a page");
    let newest = page
        .entries
        .first()
        .map(|entry| entry.change.transaction.id);
    let whole = newest.map(|id| transaction(conn, id).expect("an answer"));
    format!("{:?} {whole:?}", page.entries)
}

fn by_somebody(conn: &mut PgConnection, number: i64, since: DateTime<Utc>) -> String {
    let actor = ActorRef::user((number % 50 + 1).to_string()).expect("an actor");
    let page = actor_history(&actor).limit(10).page(conn).expect("a page");
    let mut entries = page.entries;
    entries.retain(|entry| entry.transaction.occurred_at >= Some(since));
    format!("{entries:?}")
}

diesel::table! {
    kept_1 (id) {
        id -> BigInt,
        name -> Nullable<Text>,
        status -> Nullable<Text>,
        version -> Nullable<Integer>,
    }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = kept_1)]
#[allow(dead_code)]
struct Kept {
    id: i64,
    name: Option<String>,
    status: Option<String>,
    version: Option<i32>,
}
