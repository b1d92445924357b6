//! The same writes when the audit tables are full.

use crate::capture::bench::Bench;
use crate::capture::bulk::{self, OPERATIONS};
use crate::capture::single;
use crate::capture::variant::Variant;
use crate::goals::Goals;

const VARIANTS: [Variant; 2] = [Variant::Unaudited, Variant::Ours];

pub(super) fn run(bench: &mut Bench<'_>, goals: &mut Goals) {
    let changes = if bench.quick { 1_000_000 } else { 10_000_000 };
    let state = format!(", {} million audit rows", changes / 1_000_000);
    println!("\nloading {changes} audit rows ...");
    bench.empty_audit_tables();
    bench.execute(
        &include_str!("../../sql/capture/load_audit_rows.sql")
            .replace("{changes}", &changes.to_string()),
    );
    bench.execute("VACUUM ANALYZE threadline.audit_changes");
    bench.execute("CHECKPOINT");
    bench.keep_audit_rows = true;
    single::run(bench, 8, &VARIANTS, &state);
    bulk::run(bench, 8, &VARIANTS, &state);

    let full = single::Names::new(8, &state);
    let empty = single::Names::new(8, "");
    let mut pairs = vec![(empty.insert, full.insert), (empty.update, full.update)];
    for operation in OPERATIONS {
        pairs.push((operation.names(8, "").cpu, operation.names(8, &state).cpu));
    }
    println!(
        "\ncost beside that with empty audit tables (unaudited: how much the machine itself changed)"
    );
    for (empty, full) in pairs {
        let [unaudited, ours] = VARIANTS.map(|variant| {
            let median = |workload: &str| {
                let spread = bench.samples.spread(workload, variant.name());
                spread.map_or(f64::NAN, |spread| spread.median)
            };
            median(&full) / median(&empty)
        });
        println!("{empty:52} unaudited {unaudited:.2}, ours {ours:.2}");
        goals.at_most(&format!("{full}, cost over empty's"), 1.05, ours);
    }
}
