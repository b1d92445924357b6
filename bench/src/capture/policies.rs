//! The time that a migration takes to audit a table.

use crate::capture::WIDTHS;
use crate::capture::bench::Bench;
use crate::capture::variant::Variant;

const TABLE: &str = "audited_anew";

pub(super) fn workload(width: u32) -> String {
    format!("audit() of a table, {width} columns")
}

pub(super) fn run(bench: &mut Bench<'_>) {
    println!("\naudit() of a table");
    for width in WIDTHS {
        let workload = workload(width);
        for _ in 0..bench.pick(5, 21) {
            bench.execute(&format!("SELECT bench.create_table('{TABLE}', {width})"));
            let call = format!("SELECT threadline.audit('bench.{TABLE}')");
            let cost = bench.measure(&[call], 1);
            let milliseconds = cost.microseconds / 1000.0;
            bench
                .samples
                .add(&workload, Variant::Ours.name(), "ms", milliseconds);
            bench.execute(&format!("DROP TABLE bench.{TABLE}"));
        }
        let spread = bench.samples.spread(&workload, Variant::Ours.name());
        if let Some(spread) = spread {
            println!(
                "{workload:62}{:>10.1} ms ({:.1}..{:.1})",
                spread.median, spread.min, spread.max
            );
        }
    }
}
