//! Reads a whole table as of an instant, compared with reading it as it is, and the last
//! changes of a record with many.

use std::time::Instant;

use chrono::DateTime;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use threadline::{Audited, History};

use crate::goals::{Bound, Goals};
use crate::samples::{median, warm_median};
use crate::sql::{self, number};

/// The number of reads of each, in turn; the median counts.
const RUNS: usize = 5;

/// The number of times that a history is read; the median counts.
const HISTORIES: usize = 15;

/// Half of the changes are from before the instant.
const INSTANT: &str = "2025-01-25T00:00:00Z";

const NOW: &str = "SELECT count(to_jsonb(p)) FROM past AS p";
const THEN: &str = "SELECT count(image) FROM threadline.rows_as_of('past', '2025-01-25 00:00+00')";

diesel::table! {
    past (id) {
        id -> BigInt,
        name -> Nullable<Text>,
        status -> Nullable<Text>,
        version -> Nullable<Integer>,
    }
}

diesel::table! {
    counter (id) {
        id -> BigInt,
        version -> Nullable<Integer>,
    }
}

#[derive(Debug, Identifiable, Audited)]
#[diesel(table_name = counter)]
#[allow(dead_code, reason = "its history is read")]
struct Counter {
    id: i64,
    version: Option<i32>,
}

#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = past)]
#[allow(dead_code, reason = "they are read")]
struct Past {
    id: i64,
    name: Option<String>,
    status: Option<String>,
    version: Option<i32>,
}

pub(crate) fn load(conn: &mut PgConnection, scale: u32) {
    if sql::has_table(conn, "past") {
        return;
    }
    sql::load(
        conn,
        &format!("scale = {scale}"),
        &[
            include_str!("../sql/load_past.sql"),
            include_str!("../sql/load_counter.sql"),
        ],
    );
}

pub(crate) fn run(conn: &mut PgConnection, goals: &mut Goals) {
    let instant = DateTime::parse_from_rfc3339(INSTANT)
        .expect("a time")
        .to_utc();
    let rows = number(conn, "SELECT count(*) FROM past");
    // Of a large table, the live rows are read by several processes, and the past ones by one.
    conn.batch_execute("SET max_parallel_workers_per_gather = 0")
        .expect("a setting");
    println!(
        "\na table of {rows} rows, each inserted and updated four times; median of {RUNS}, ms\n"
    );
    let live = |conn: &mut PgConnection| number(conn, NOW);
    let then = |conn: &mut PgConnection| number(conn, THEN);
    let ratio = beside("as JSON", conn, live, then);
    let live = |conn: &mut PgConnection| {
        let all = past::table.select(Past::as_select()).load(conn);
        all.expect("rows").len() as i64
    };
    let then = |conn: &mut PgConnection| {
        let all = Past::all_as_of(conn, instant).expect("an answer");
        all.filter(Result::is_ok).count() as i64
    };
    beside("as models", conn, live, then);
    conn.batch_execute("RESET max_parallel_workers_per_gather")
        .expect("a setting");
    goals.add(
        "a whole table as it was, as JSON",
        "at most 6 times the time of reading it as it is",
        Bound::AtMost(6.0),
        ratio,
    );
    counter(conn, goals);
}

/// Reads the last changes of a record that was updated again and again.
fn counter(conn: &mut PgConnection, goals: &mut Goals) {
    let changes = number(conn, "SELECT max(version)::bigint FROM counter");
    let median = warm_median(HISTORIES, || {
        let last = History::<Counter, _>::of_key(1).limit(50).load(conn);
        assert_eq!(last.expect("an answer").len(), 50);
    });
    println!("the last 50 of {changes} changes of a record: {median:.2} ms");
    goals.add(
        "the last 50 changes of a record with a million",
        "at most 5 ms",
        Bound::AtMost(5.0),
        median,
    );
}

/// Returns the medians of both, and the ratio of the second to the first.
fn beside(
    form: &str,
    conn: &mut PgConnection,
    live: impl Fn(&mut PgConnection) -> i64,
    then: impl Fn(&mut PgConnection) -> i64,
) -> f64 {
    let mut times = [vec![], vec![]];
    for _ in 0..RUNS {
        let mut rows = vec![];
        for (at, read) in [&live as &dyn Fn(&mut PgConnection) -> i64, &then]
            .into_iter()
            .enumerate()
        {
            let start = Instant::now();
            rows.push(read(conn));
            times[at].push(start.elapsed().as_secs_f64() * 1000.0);
        }
        assert_eq!(rows[0], rows[1], "all rows were there");
    }
    let [live, then] = times.map(|times| median(&times).expect("a run"));
    println!(
        "{form:12} as it is {live:>10.1}   as it was {then:>10.1}   ratio {:>6.1}",
        then / live
    );
    then / live
}
