//! Exports beside COPY of the same rows.

use std::io;
use std::process::{Command, Stdio};
use std::time::Instant;

use diesel::PgConnection;
use threadline::{Export, ExportFormat, Filter};

pub(crate) fn run(conn: &mut PgConnection, url: &str) {
    for rows in [10_000, 1_000_000] {
        let start = Instant::now();
        let copied = Command::new("psql")
            .args([url, "-qAtX", "-c"])
            .arg(format!("COPY ({}) TO STDOUT", copy_query(rows)))
            .stdout(Stdio::null())
            .status()
            .expect("psql");
        assert!(copied.success());
        let copy = rows as f64 / start.elapsed().as_secs_f64();
        println!("\n{rows} rows: COPY {copy:.0}/s");
        for (name, format) in [
            ("csv", ExportFormat::Csv),
            ("json", ExportFormat::Json),
            ("ndjson", ExportFormat::Ndjson),
        ] {
            let start = Instant::now();
            let exported = Export::new(Filter::new())
                .limit(rows)
                .write(conn, format, io::sink())
                .expect("an export");
            let rate = exported.changes as f64 / start.elapsed().as_secs_f64();
            println!(
                "{name:8} {rate:>9.0}/s  {:.2} of COPY, memory at most {}",
                rate / copy,
                peak()
            );
        }
    }
}

/// What the export asks, as psql takes it.
fn copy_query(rows: usize) -> String {
    let columns = include_str!("../../threadline/src/record/change_columns.sql").replace(
        "{transaction columns}",
        include_str!("../../threadline/src/record/transaction_columns.sql"),
    );
    format!(
        "SELECT {columns}, NULL::jsonb FROM (SELECT c.* FROM threadline.audit_changes AS c
         ORDER BY c.transaction_id DESC, c.id DESC LIMIT {rows}) AS c {}
         ORDER BY c.transaction_id DESC, c.id DESC",
        include_str!("../../threadline/src/record/change_tables.sql"),
    )
}

/// The most memory that this process has had.
fn peak() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap_or("unknown")
        .trim()
        .to_owned()
}
