//! Many rows in one statement.

use crate::capture::WIDTHS;
use crate::capture::bench::Bench;
use crate::capture::names::{stored, wal};
use crate::capture::prepare::limit_table_id;
use crate::capture::table;
use crate::capture::variant::Variant;
use crate::numbers::thousands;

pub(super) const MANY: usize = 100_000;
pub(super) const SOME: usize = 1000;

#[derive(Clone, Copy)]
pub(super) struct Operation {
    name: &'static str,
    statement: &'static str,
    limit: &'static str,
}

pub(super) const OPERATIONS: [Operation; 3] = [
    Operation {
        name: "insert",
        statement: "INSERT INTO bench.{table} SELECT * FROM bench.source_{width} WHERE id <= {rows};",
        limit: include_str!("../../sql/capture/limit_insert.sql"),
    },
    Operation {
        name: "update",
        statement: "UPDATE bench.{table} SET quantity = quantity + 1;",
        limit: include_str!("../../sql/capture/limit_update.sql"),
    },
    Operation {
        name: "delete",
        statement: "DELETE FROM bench.{table};",
        limit: include_str!("../../sql/capture/limit_delete.sql"),
    },
];

impl Operation {
    pub(super) fn workload(self, rows: usize, width: u32, state: &str) -> String {
        let (name, rows) = (self.name, thousands(rows));
        format!("{name} of {rows} rows, {width} columns{state}")
    }

    fn message(self, bench: &mut Bench<'_>, variant: Variant, width: u32, rows: usize) -> String {
        let width = width.to_string();
        let table_id = limit_table_id(bench.conn, &width);
        let statement = match variant {
            Variant::Limit => self.limit,
            _ => self.statement,
        };
        let statement = statement
            .replace("{table}", &variant.table(&width))
            .replace("{width}", &width)
            .replace("{table_id}", &table_id.to_string())
            .replace("{rows}", &rows.to_string());
        variant.transaction(&statement)
    }
}

pub(super) fn run(bench: &mut Bench<'_>) {
    for width in WIDTHS {
        run_width(bench, width);
    }
}

fn run_width(bench: &mut Bench<'_>, width: u32) {
    for (rows, repetitions) in [(SOME, bench.pick(7, 21)), (MANY, bench.pick(3, 7))] {
        for number in 0..repetitions {
            for variant in Bench::turns(&Variant::ALL, number) {
                repetition(bench, rows, width, "", variant);
            }
        }
        let workloads = OPERATIONS.map(|operation| operation.workload(rows, width, ""));
        table::heading("many rows in one statement, a row");
        for workload in &workloads {
            table::row(bench.samples, workload, "us");
            table::row(bench.samples, &wal(workload), "bytes");
            table::row(bench.samples, &stored(workload), "bytes");
        }
        table::posting(bench.samples, workloads.iter().map(String::as_str));
    }
}

pub(super) fn repetition(
    bench: &mut Bench<'_>,
    rows: usize,
    width: u32,
    state: &str,
    variant: Variant,
) {
    let of = width.to_string();
    let parts = measured_rows(bench, rows, width, variant);
    bench.empty_tables(&of);
    for operation in OPERATIONS {
        bench.vacuum(variant, &of);
        bench.empty_audit_tables();
        bench.plan_posting(variant);
        bench.execute("CHECKPOINT");
        let workload = operation.workload(rows, width, state);
        let message = operation.message(bench, variant, width, parts);
        let before = bench.stored_bytes();
        let cost = bench.measure(&[message], parts);
        bench.add(&workload, variant, cost);
        bench.post(&workload, variant, parts);
        let added = (bench.stored_bytes() - before) / parts as f64;
        bench
            .samples
            .add(&stored(&workload), variant.name(), "bytes", added);
    }
    bench.empty_tables(&of);
}

/// A quick run measures a fifth of many rows where no goal needs all of them: for row
/// triggers, whose cost a row does not depend on their number, and for wide tables.
fn measured_rows(bench: &Bench<'_>, rows: usize, width: u32, variant: Variant) -> usize {
    let by_row = matches!(variant, Variant::Textbook | Variant::Typed);
    if rows == MANY && (by_row || width == 40) {
        rows / bench.pick(5, 1)
    } else {
        rows
    }
}
