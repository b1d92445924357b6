//! The number of entries that one worker posts a second, and its lag behind writers.

use std::thread;
use std::time::{Duration, Instant};

use diesel::PgConnection;
use threadline::{Worker, waiting};

use crate::capture::bench::Bench;
use crate::capture::bulk::MANY;
use crate::capture::clients;
use crate::capture::connection::connect;
use crate::capture::single::Writes;
use crate::capture::variant::Variant;
use crate::numbers::thousands;

pub(super) const LAG: &str = "largest lag of posting, 8 clients";
const CLIENTS: usize = 8;
const WIDTH: u32 = 8;
const OURS: &str = Variant::Ours.name();

/// Changes in transactions of their own, and those of one statement.
pub(super) fn rates() -> [String; 2] {
    [
        "posting of transactions of one change, changes a second".to_owned(),
        format!(
            "posting of one statement of {} rows, changes a second",
            thousands(MANY)
        ),
    ]
}

pub(super) fn run(bench: &mut Bench<'_>) {
    println!("\nposting, one worker");
    let [of_one, of_many] = rates();
    let changes = bench.pick(5000, 20_000);
    let writes = Writes {
        variant: Variant::Ours,
        width: WIDTH,
    };
    for _ in 0..bench.pick(3, 7) {
        bench.empty_tables("8");
        for row in 1..=changes {
            bench.execute(&writes.insert(row));
        }
        post(bench, &of_one);

        bench.empty_tables("8");
        bench.execute(&Variant::Ours.transaction(&format!(
            "INSERT INTO bench.ours_8 SELECT * FROM bench.source_8 WHERE id <= {MANY};"
        )));
        post(bench, &of_many);
    }
    for _ in 0..bench.pick(1, 3) {
        lag(bench);
    }
    bench.empty_tables("8");
    for name in [&of_one, &of_many, LAG] {
        if let Some(spread) = bench.samples.spread(name, OURS) {
            println!(
                "{name:62}{:>10.2} ({:.2}..{:.2})",
                spread.median, spread.min, spread.max
            );
        }
    }
}

/// Adds the number of waiting changes that are posted in a second.
fn post(bench: &mut Bench<'_>, workload: &str) {
    let start = Instant::now();
    let moved = threadline::post(bench.conn).expect("posting");
    let rate = moved as f64 / start.elapsed().as_secs_f64();
    bench.samples.add(workload, OURS, "changes a second", rate);
}

/// Adds the age of the oldest entry of the journal while a worker posts and clients
/// write.
fn lag(bench: &mut Bench<'_>) {
    let span = bench.pick(Duration::from_secs(2), Duration::from_secs(20));
    bench.empty_tables("8");
    clients::fill(bench, Variant::Ours, CLIENTS);
    let url = bench.url.to_owned();
    let worker = Worker::new()
        .spawn(move || Ok(connect(&url)))
        .expect("a thread");

    let url = bench.url;
    let writers = thread::scope(|scope| {
        let writers = scope.spawn(|| clients::rate(url, CLIENTS, Variant::Ours, span));
        let mut largest: f64 = 0.0;
        while !writers.is_finished() {
            largest = largest.max(oldest(bench.conn));
            thread::sleep(Duration::from_millis(50));
        }
        bench.samples.add(LAG, OURS, "s", largest);
        writers.join().expect("the clients")
    });
    worker.stop();
    let name = format!("updates of one row while a worker posts, {CLIENTS} clients");
    bench
        .samples
        .add(&name, OURS, "transactions a second", writers);
}

/// Returns the seconds since the oldest entry of the journal was captured.
fn oldest(conn: &mut PgConnection) -> f64 {
    let since = waiting(conn).expect("an answer").since;
    since.map_or(0.0, |since| (chrono::Utc::now() - since).as_seconds_f64())
}
