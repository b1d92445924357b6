//! Rows written by COPY.

use crate::capture::bench::Bench;
use crate::capture::prepare::limit_table_id;
use crate::capture::table;
use crate::capture::variant::Variant;
use crate::numbers::thousands;

/// The content of a file, produced by a program next to the server process.
const COPY: &str = r#"COPY bench.{table} FROM PROGRAM 'awk ''BEGIN { for (k = 1; k <= {rows}; k++)
    print k ",row " k ",status-" k % 5 "," k % 100000 "," k % 100 ",a note of some length on row " k ",2026-01-01,t" }'''
    (FORMAT csv);"#;

pub(super) fn run(bench: &mut Bench<'_>) {
    let rows = bench.pick(100_000, 1_000_000);
    let table_id = limit_table_id(bench.conn, "8").to_string();
    let name = format!("COPY of {} rows, 8 columns", thousands(rows));
    for repetition in 0..3 {
        for variant in Bench::turns(&Variant::ALL, repetition) {
            bench.empty_tables("8");
            let rows = match variant {
                Variant::Textbook | Variant::Typed => rows / bench.pick(5, 1),
                _ => rows,
            };
            let mut statements = COPY
                .replace("{table}", &variant.table("8"))
                .replace("{rows}", &rows.to_string());
            if variant == Variant::Limit {
                statements += &include_str!("../../sql/capture/limit_copy.sql")
                    .replace("{table_id}", &table_id)
                    .replace("{width}", "8");
            }
            let cost = bench.measure(&[variant.transaction(&statements)], rows);
            bench.add(&name, variant, cost);
            bench.post(&name, variant, rows);
        }
    }
    bench.empty_tables("8");
    table::heading("COPY, a row");
    table::row(bench.samples, &name, "us");
    table::posting(bench.samples, [name.as_str()]);
}
