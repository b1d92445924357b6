//! Many rows in one statement.

use crate::capture::bench::Bench;
use crate::capture::table;
use crate::capture::variant::Variant;

const OPEN_LIMIT: &str = include_str!("../../sql/capture/open_limit.sql");
const ROWS: usize = 100_000;

#[derive(Clone, Copy)]
pub(super) struct Operation {
    name: &'static str,
    statement: &'static str,
    limit: &'static str,
}

pub(super) const OPERATIONS: [Operation; 3] = [
    Operation {
        name: "insert",
        statement: "INSERT INTO bench.{variant}_{width} SELECT * FROM bench.source_{width} WHERE id <= {rows}",
        limit: include_str!("../../sql/capture/limit_insert.sql"),
    },
    Operation {
        name: "update",
        statement: "UPDATE bench.{variant}_{width} SET quantity = quantity + 1",
        limit: include_str!("../../sql/capture/limit_update.sql"),
    },
    Operation {
        name: "delete",
        statement: "DELETE FROM bench.{variant}_{width}",
        limit: include_str!("../../sql/capture/limit_delete.sql"),
    },
];

pub(super) struct Names {
    pub(super) cpu: String,
    pub(super) wal: String,
    stored: String,
}

impl Operation {
    pub(super) fn names(self, width: u32, state: &str) -> Names {
        let name = self.name;
        Names {
            cpu: format!("{name} of 100,000 rows, {width} columns{state}"),
            wal: format!("WAL of {name}, {width} columns{state}"),
            stored: format!("stored by {name}, {width} columns{state}"),
        }
    }

    fn message(self, bench: &mut Bench<'_>, variant: Variant, width: u32, rows: usize) -> String {
        let table_id = bench.limit_table_id(&width.to_string());
        let message = match variant {
            Variant::Limit => format!("BEGIN; {OPEN_LIMIT} {} COMMIT", self.limit),
            _ => self.statement.to_owned(),
        };
        message
            .replace("{variant}", variant.name())
            .replace("{width}", &width.to_string())
            .replace("{table_id}", &table_id.to_string())
            .replace("{rows}", &rows.to_string())
    }
}

pub(super) fn run(bench: &mut Bench<'_>, width: u32) {
    for number in 0..if bench.quick { 3 } else { 7 } {
        let turns = Bench::turns(&Variant::ALL, number);
        repetition(bench, width, "", &turns);
    }
    table::heading("many rows in one statement");
    for operation in OPERATIONS {
        let names = operation.names(width, "");
        table::row(bench.samples, &names.cpu, "us a row");
        table::row(bench.samples, &names.wal, "bytes a row");
        table::row(bench.samples, &names.stored, "bytes a row");
    }
}

pub(super) fn repetition(bench: &mut Bench<'_>, width: u32, state: &str, turns: &[Variant]) {
    let of = width.to_string();
    bench.empty_tables(&of);
    for &variant in turns {
        let rows = rows(bench, variant);
        for operation in OPERATIONS {
            bench.vacuum(variant, &of);
            bench.empty_audit_tables();
            bench.execute("CHECKPOINT");
            let names = operation.names(width, state);
            let message = operation.message(bench, variant, width, rows);
            let stored = bench.audit_bytes();
            let cost = bench.meter.measure(bench.conn, [message.as_str()]);
            let stored = bench.audit_bytes() - stored;
            for (name, unit, value) in [
                (&names.cpu, "us", cost.microseconds),
                (&names.wal, "bytes", cost.wal_bytes),
                (&names.stored, "bytes", stored),
            ] {
                bench
                    .samples
                    .add(name, variant.name(), unit, value / rows as f64);
            }
        }
    }
    bench.empty_tables(&of);
}

/// The textbook trigger takes its time; for each row the same, however many
/// there are.
fn rows(bench: &Bench<'_>, variant: Variant) -> usize {
    if bench.quick && variant == Variant::Textbook {
        ROWS / 5
    } else {
        ROWS
    }
}
