//! Reads a whole table as of an instant, compared with reading it as it is.

use std::time::Instant;

use chrono::DateTime;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use threadline::Audited;

use crate::goals::{Bound, Goals};
use crate::sql::number;

/// The number of reads of each, in turn; the median counts.
const RUNS: usize = 5;

/// Half of the changes are from before the instant.
const INSTANT: &str = "2025-01-25T00:00:00Z";

const NOW: &str = "SELECT count(to_jsonb(p)) AS n FROM past AS p";
const THEN: &str =
    "SELECT count(image) AS n FROM threadline.rows_as_of('past', '2025-01-25 00:00+00')";

diesel::table! {
    past (id) {
        id -> BigInt,
        name -> Nullable<Text>,
        status -> Nullable<Text>,
        version -> Nullable<Integer>,
    }
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
    let there = number(
        conn,
        "SELECT count(*) AS n FROM pg_tables WHERE tablename = 'past'",
    );
    if there > 0 {
        return;
    }
    conn.batch_execute(&format!("SET bench.scale = {scale}"))
        .expect("a setting");
    conn.batch_execute(include_str!("../sql/load_past.sql"))
        .expect("the past loads");
    conn.batch_execute("VACUUM ANALYZE").expect("a vacuum");
}

pub(crate) fn run(conn: &mut PgConnection, goals: &mut Goals) {
    let instant = DateTime::parse_from_rfc3339(INSTANT)
        .expect("a time")
        .to_utc();
    let rows = number(conn, "SELECT count(*) AS n FROM past");
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
    goals.add(
        "a whole table as it was, as JSON",
        "at most 6 times the time of reading it as it is",
        Bound::AtMost(6.0),
        ratio,
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
    let [live, then] = times.map(|mut times| {
        times.sort_by(f64::total_cmp);
        times[RUNS / 2]
    });
    println!(
        "{form:12} as it is {live:>10.1}   as it was {then:>10.1}   ratio {:>6.1}",
        then / live
    );
    then / live
}
