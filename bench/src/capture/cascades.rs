//! Rows that go because the row that they refer to goes: for PostgreSQL each
//! parent's children are a statement of their own.

use crate::capture::bench::Bench;
use crate::capture::table;
use crate::capture::variant::Variant;

const OPEN_LIMIT: &str = include_str!("../../sql/capture/open_limit.sql");
const NAME: &str = "delete of 1 row with 10 others by cascade";

pub(super) fn run(bench: &mut Bench<'_>) {
    let (repetitions, parents) = if bench.quick { (3, 500) } else { (7, 2000) };
    for repetition in 0..repetitions {
        bench.empty_tables("parents");
        for variant in Bench::turns(&Variant::ALL, repetition) {
            bench.execute(
                &include_str!("../../sql/capture/fill_parents.sql")
                    .replace("{variant}", variant.name())
                    .replace("{parents}", &parents.to_string()),
            );
            bench.vacuum(variant, "parents");
            bench.vacuum(variant, "children");
            bench.empty_audit_tables();
            let message = match variant {
                Variant::Limit => format!(
                    "BEGIN; {OPEN_LIMIT} {} COMMIT",
                    include_str!("../../sql/capture/limit_cascade.sql")
                ),
                _ => format!("DELETE FROM bench.{}_parents", variant.name()),
            };
            let cost = bench.meter.measure(bench.conn, [message.as_str()]);
            bench.samples.add(
                NAME,
                variant.name(),
                "us",
                cost.microseconds / f64::from(parents),
            );
        }
    }
    bench.empty_tables("parents");
    table::heading("cascades");
    table::row(bench.samples, NAME, "us");
}
