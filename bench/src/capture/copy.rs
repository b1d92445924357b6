//! Rows that come by COPY.

use crate::capture::bench::Bench;
use crate::capture::table;
use crate::capture::variant::Variant;

const OPEN_LIMIT: &str = include_str!("../../sql/capture/open_limit.sql");

/// What a file would hold, made by a program beside the server process.
const COPY: &str = r#"COPY bench.{variant}_8 FROM PROGRAM 'awk ''BEGIN { for (k = 1; k <= {rows}; k++)
    print k ",row " k ",status-" k % 5 "," k % 100000 "," k % 100 ",a note of some length on row " k ",2026-01-01,t" }'''
    (FORMAT csv)"#;

pub(super) fn run(bench: &mut Bench<'_>) {
    let (repetitions, rows) = if bench.quick {
        (3, 100_000)
    } else {
        (3, 1_000_000)
    };
    let table_id = bench.limit_table_id("8").to_string();
    let name = format!("COPY of {rows} rows, 8 columns");
    for repetition in 0..repetitions {
        for variant in Bench::turns(&Variant::ALL, repetition) {
            bench.empty_tables("8");
            let rows = match variant {
                Variant::Textbook if bench.quick => rows / 5,
                _ => rows,
            };
            let copy = COPY
                .replace("{variant}", variant.name())
                .replace("{rows}", &rows.to_string());
            let message = match variant {
                Variant::Limit => format!(
                    "BEGIN; {OPEN_LIMIT} {copy}; {} COMMIT",
                    include_str!("../../sql/capture/limit_copy.sql")
                        .replace("{table_id}", &table_id)
                        .replace("{width}", "8")
                ),
                _ => copy,
            };
            let cost = bench.meter.measure(bench.conn, [message.as_str()]);
            bench
                .samples
                .add(&name, variant.name(), "us", cost.microseconds / rows as f64);
        }
    }
    bench.empty_tables("8");
    table::heading("COPY");
    table::row(bench.samples, &name, "us a row");
}
