//! The same writes when the audit tables are full. Full and empty audit tables
//! take turns, so that a slow minute of the machine slows both.

use diesel::{Connection, PgConnection};

use crate::capture::bench::Bench;
use crate::capture::bulk::{self, OPERATIONS};
use crate::capture::single;
use crate::capture::variant::Variant;
use crate::goals::Goals;
use crate::samples::Spread;

const WIDTH: u32 = 8;
const EMPTY: &str = ", no audit rows before";

pub(super) fn run(bench: &mut Bench<'_>, goals: &mut Goals) {
    let changes = if bench.quick { 1_000_000 } else { 10_000_000 };
    let full = format!(", {} million audit rows before", changes / 1_000_000);
    println!("\nloading {changes} audit rows ...");
    bench.empty_audit_tables();
    bench.execute(
        &include_str!("../../sql/capture/load_audit_rows.sql")
            .replace("{changes}", &changes.to_string()),
    );
    bench.execute("VACUUM ANALYZE threadline.audit_changes");
    bench.execute(include_str!("../../sql/capture/empty_audit_tables.sql"));

    for _ in 0..if bench.quick { 5 } else { 9 } {
        measure(bench, &full);
        swap(bench);
        measure(bench, EMPTY);
        swap(bench);
    }
    bench.keep_audit_rows = false;

    println!("\n{:44}{:>12}{:>12}   ratio", "ours, us", "empty", "full");
    for (empty, full) in workloads(EMPTY).into_iter().zip(workloads(&full)) {
        let of = |workload| bench.samples.values(workload, Variant::Ours.name());
        let (empty_values, full_values) = (of(&empty), of(&full));
        let pairs = full_values.iter().zip(empty_values);
        let ratios: Vec<f64> = pairs.map(|(full, empty)| full / empty).collect();
        let spreads = [empty_values, full_values, &ratios].map(Spread::of);
        let [Some(before), Some(after), Some(ratio)] = spreads else {
            continue;
        };
        println!(
            "{:44}{:>12.1}{:>12.1}   {:.2} ({:.2}..{:.2})",
            empty.trim_end_matches(EMPTY),
            before.median,
            after.median,
            ratio.median,
            ratio.min,
            ratio.max
        );
        goals.at_most(
            &format!("{full}, cost over that with none"),
            1.05,
            ratio.median,
        );
    }
}

fn workloads(state: &str) -> Vec<String> {
    let single = single::Names::new(WIDTH, state);
    let mut workloads = vec![single.insert, single.update];
    for operation in OPERATIONS {
        workloads.push(operation.names(WIDTH, state).cpu);
    }
    workloads
}

fn measure(bench: &mut Bench<'_>, state: &str) {
    bench.keep_audit_rows = state != EMPTY;
    // Nothing is remembered of the tables that were swapped.
    *bench.conn = PgConnection::establish(bench.url).expect("the server takes connections");
    single::prepare(bench.conn);
    bench.execute("CHECKPOINT");
    let names = single::Names::new(WIDTH, state);
    single::repetition(bench, &names, WIDTH, &[Variant::Ours]);
    bulk::repetition(bench, WIDTH, state, &[Variant::Ours]);
}

fn swap(bench: &mut Bench<'_>) {
    bench.execute(include_str!("../../sql/capture/swap_audit_tables.sql"));
}
