//! Exports compared with COPY of the same rows.

use std::io;
use std::process::{Command, Stdio};
use std::time::Instant;

use diesel::PgConnection;
use threadline::{Export, ExportFormat, Filter};

use crate::goals::{Bound, Goals};
use crate::memory;
use crate::samples::median;

const FORMATS: [(&str, ExportFormat); 3] = [
    ("CSV", ExportFormat::Csv),
    ("JSON", ExportFormat::Json),
    ("NDJSON", ExportFormat::Ndjson),
];

/// The number of measurements of each, taken in turn; the median counts.
const RUNS: usize = 3;

pub(crate) fn run(conn: &mut PgConnection, url: &str, rows: usize, goals: &mut Goals) {
    export(conn, ExportFormat::Ndjson, 10_000);
    let small = memory::peak();
    let mut copies = vec![];
    let mut rates = [const { vec![] }; FORMATS.len()];
    for _ in 0..RUNS {
        copies.push(copy(url, rows));
        for (rates, (_, format)) in rates.iter_mut().zip(FORMATS) {
            rates.push(export(conn, format, rows));
        }
    }
    let copied = median(&copies).expect("a copy");
    println!("\n{rows} changes exported, beside COPY of the same query at {copied:.0} a second");
    for (rates, (name, _)) in rates.iter_mut().zip(FORMATS) {
        let rate = median(rates).expect("an export");
        println!(
            "{name:8} {rate:>9.0} a second, {:.2} of COPY",
            rate / copied
        );
        goals.add(
            &format!("export as {name}"),
            "at least 0.6 of the rate of COPY",
            Bound::AtLeast(0.6),
            rate / copied,
        );
    }
    let growth = memory::peak() - small;
    println!("memory grew by {growth} kB from 10,000 changes to {rows}");
    goals.add(
        "export of many more changes",
        "at most 4 MB more memory",
        Bound::AtMost(4.0),
        growth as f64 / 1024.0,
    );
}

/// Returns the rows a second.
fn export(conn: &mut PgConnection, format: ExportFormat, rows: usize) -> f64 {
    let start = Instant::now();
    let exported = Export::new(Filter::new())
        .limit(rows)
        .write(conn, format, io::sink())
        .expect("an export");
    exported.changes as f64 / start.elapsed().as_secs_f64()
}

fn copy(url: &str, rows: usize) -> f64 {
    let start = Instant::now();
    let copied = Command::new("psql")
        .args(["-qAtX", "-d", url, "-c"])
        .arg(format!("COPY ({}) TO STDOUT", copy_query(rows)))
        .stdout(Stdio::null())
        .status()
        .expect("psql is installed");
    assert!(copied.success());
    rows as f64 / start.elapsed().as_secs_f64()
}

/// Returns the query of the export, for psql.
fn copy_query(rows: usize) -> String {
    let columns = include_str!("../../threadline/src/statement/change_columns.sql").replace(
        "{transaction columns}",
        include_str!("../../threadline/src/statement/transaction_columns.sql"),
    );
    format!(
        "SELECT {columns}, NULL::jsonb FROM (SELECT c.* FROM threadline.audit_changes AS c
         ORDER BY c.transaction_id DESC, c.id DESC LIMIT {rows}) AS c {}
         ORDER BY c.transaction_id DESC, c.id DESC",
        include_str!("../../threadline/src/statement/change_tables.sql"),
    )
}
