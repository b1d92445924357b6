//! Rows deleted because the row that they refer to is deleted: PostgreSQL runs one
//! statement for the children of each parent.

use crate::capture::bench::Bench;
use crate::capture::table;
use crate::capture::variant::Variant;

const NAME: &str = "delete of 1 row with 10 others by cascade";

pub(super) fn run(bench: &mut Bench<'_>) {
    let parents = bench.pick(500, 2000);
    for repetition in 0..bench.pick(3, 7) {
        for variant in Bench::turns(&Variant::ALL, repetition) {
            bench.empty_tables("parents");
            bench.execute(
                &include_str!("../../sql/capture/fill_parents.sql")
                    .replace("{variant}", variant.prefix())
                    .replace("{parents}", &parents.to_string()),
            );
            bench.vacuum(variant, "parents");
            bench.vacuum(variant, "children");
            bench.empty_audit_tables();
            let statements = match variant {
                Variant::Limit => include_str!("../../sql/capture/limit_cascade.sql").to_owned(),
                _ => format!("DELETE FROM bench.{};", variant.table("parents")),
            };
            let cost = bench.measure(&[variant.transaction(&statements)], parents);
            bench.add(NAME, variant, cost);
            bench.post(NAME, variant, parents);
        }
    }
    bench.empty_tables("parents");
    table::heading("cascades");
    table::row(bench.samples, NAME, "us");
    table::posting(bench.samples, [NAME]);
}
