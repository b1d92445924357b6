//! The same writes with a full ledger. Two databases take turns, one with a full ledger
//! and one with an empty one, so that a slow minute of the machine affects both.

use std::env;

use diesel::PgConnection;
use diesel::connection::SimpleConnection;

use crate::capture::bench::Bench;
use crate::capture::bulk::{self, MANY, OPERATIONS};
use crate::capture::connection::connect;
use crate::capture::context::scatter;
use crate::capture::names::posting;
use crate::capture::set_up;
use crate::capture::single::{self, Writes};
use crate::capture::variant::Variant;
use crate::numbers::thousands;
use crate::samples::Spread;

const WIDTH: u32 = 8;
const EMPTY: &str = ", no audit rows before";
const OURS: Variant = Variant::Ours;

/// Databases for a workload with no audit rows, and with many.
pub(super) struct Pair {
    pub(super) empty: String,
    pub(super) full: String,
}

pub(super) fn pairs(quick: bool) -> Vec<Pair> {
    let (empty, full) = (workloads(EMPTY), workloads(&full_state(quick)));
    let pairs = empty.into_iter().zip(full);
    pairs.map(|(empty, full)| Pair { empty, full }).collect()
}

fn changes(quick: bool) -> usize {
    if quick { 1_000_000 } else { 10_000_000 }
}

fn full_state(quick: bool) -> String {
    format!(", {} million audit rows before", changes(quick) / 1_000_000)
}

pub(super) fn run(bench: &mut Bench<'_>) {
    let url = env::var("FULL_DATABASE_URL").expect("`cargo xtask bench` gives a second database");
    let mut conn = connect(&url);
    set_up(&mut conn);
    load(&mut conn, changes(bench.quick));
    let state = full_state(bench.quick);
    for _ in 0..bench.pick(3, 9) {
        let mut full = Bench {
            conn: &mut conn,
            url: &url,
            quick: bench.quick,
            meter: bench.meter,
            samples: &mut *bench.samples,
            keep_ledger: true,
        };
        measure(&mut full, &state);
        measure(bench, EMPTY);
    }

    println!("\n{:56}{:>12}{:>12}   ratio", "ours, us", "empty", "full");
    for Pair { empty, full } in pairs(bench.quick) {
        print(bench, &empty, &full);
        print(bench, &posting(&empty), &posting(&full));
    }
}

fn load(conn: &mut PgConnection, changes: usize) {
    println!("\nloading {} audit rows ...", thousands(changes));
    let load = include_str!("../../sql/capture/load_audit_rows.sql");
    conn.batch_execute(&load.replace("{changes}", &changes.to_string()))
        .expect("the audit rows load");
    conn.batch_execute("VACUUM ANALYZE").expect("a vacuum");
}

fn workloads(state: &str) -> Vec<String> {
    let single = single::Names::new(WIDTH, state);
    let mut workloads = vec![
        single.insert,
        single.update,
        random_update(state),
        single.delete,
    ];
    for operation in OPERATIONS {
        workloads.push(operation.workload(MANY, WIDTH, state));
    }
    workloads
}

fn random_update(state: &str) -> String {
    format!("update of one random row, {WIDTH} columns{state}")
}

fn measure(bench: &mut Bench<'_>, state: &str) {
    bench.execute("CHECKPOINT");
    let names = single::Names::new(WIDTH, state);
    single::repetition(bench, &names, WIDTH, OURS);
    update_random_rows(bench, &random_update(state));
    bulk::repetition(bench, MANY, WIDTH, state, OURS);
}

/// Records are unsorted, so that each needs another page of the index by record.
fn update_random_rows(bench: &mut Bench<'_>, workload: &str) {
    let writes = Writes {
        variant: OURS,
        width: WIDTH,
    };
    bench.empty_tables(&WIDTH.to_string());
    bench.fill(OURS, WIDTH, MANY);
    bench.vacuum(OURS, &WIDTH.to_string());
    let updates: Vec<String> = (0..bench.pick(500, 2000))
        .map(|turn| {
            let row = scatter(turn) % MANY as u64 + 1;
            writes.updates(&[(row as usize, turn as usize)])
        })
        .collect();
    let cost = bench.measure(&updates, updates.len());
    bench.add(workload, OURS, cost);
    bench.post(workload, OURS, updates.len());
}

fn print(bench: &Bench<'_>, empty: &str, full: &str) {
    let of = |workload| bench.samples.values(workload, OURS.name());
    let (empty_values, full_values) = (of(empty), of(full));
    let pairs = full_values.iter().zip(empty_values);
    let ratios: Vec<f64> = pairs.map(|(full, empty)| full / empty).collect();
    let spreads = [empty_values, full_values, &ratios].map(Spread::of);
    if let [Some(before), Some(after), Some(ratio)] = spreads {
        println!(
            "{:56}{:>12.1}{:>12.1}   {:.2} ({:.2}..{:.2})",
            empty.trim_end_matches(EMPTY),
            before.median,
            after.median,
            ratio.median,
            ratio.min,
            ratio.max
        );
    }
}
