//! Writes to a table that got a column and was not refreshed yet, compared with those
//! before.

use crate::capture::bench::Bench;
use crate::capture::table;
use crate::capture::variant::Variant;

const VARIANTS: [Variant; 3] = [Variant::Unaudited, Variant::Ours, Variant::Textbook];
const AFTER: &str = ", after ADD COLUMN";

/// Each workload before the column is added, and after.
pub(super) fn workloads() -> [[String; 2]; 2] {
    ["insert", "update"].map(|operation| {
        ["", AFTER].map(|state| format!("{operation} of one row of a new table{state}"))
    })
}

pub(super) fn run(bench: &mut Bench<'_>) {
    for number in 0..bench.pick(5, 15) {
        for variant in Bench::turns(&VARIANTS, number) {
            repetition(bench, variant);
        }
    }
    table::heading("a column is added");
    for name in workloads().iter().flatten() {
        table::row(bench.samples, name, "us");
    }
}

fn repetition(bench: &mut Bench<'_>, variant: Variant) {
    let rows = bench.pick(300, 1000);
    let table = variant.table("altered");
    bench.execute(&format!("SELECT bench.create_table('{table}', 8)"));
    bench.execute(&variant.audit(&table, &["id"]));
    bench.execute(&format!(
        "PREPARE insert_altered (bigint) AS
         INSERT INTO bench.{table} SELECT s.* FROM bench.source_8 AS s WHERE s.id = $1;
         PREPARE update_altered (bigint) AS
         UPDATE bench.{table} SET quantity = quantity + 1 WHERE id = $1"
    ));
    let [[insert, insert_after], [update, update_after]] = workloads();
    measure(bench, variant, [&insert, &update], 1..=rows);
    bench.execute(&format!("ALTER TABLE bench.{table} ADD COLUMN added text"));
    measure(
        bench,
        variant,
        [&insert_after, &update_after],
        rows + 1..=2 * rows,
    );
    bench.execute(&format!(
        "DEALLOCATE insert_altered; DEALLOCATE update_altered; DROP TABLE bench.{table}"
    ));
    bench.empty_audit_tables();
}

fn measure(
    bench: &mut Bench<'_>,
    variant: Variant,
    workloads: [&str; 2],
    rows: std::ops::RangeInclusive<usize>,
) {
    let (first, last) = (*rows.start(), *rows.end());
    for (operation, workload) in ["insert", "update"].into_iter().zip(workloads) {
        let message =
            |row: usize| variant.transaction(&format!("EXECUTE {operation}_altered({row});"));
        // The first ones are planned again.
        for row in first..first + 10 {
            bench.execute(&message(row));
        }
        let messages: Vec<String> = (first + 10..=last).map(message).collect();
        let cost = bench.measure(&messages, messages.len());
        bench.add(workload, variant, cost);
    }
}
