//! Memory does not grow with the number of changes.

use std::io;
use std::process::Command;

use threadline::{Export, ExportFormat, Filter};
use threadline_tests::{Database, connect, run};

const URL: &str = "THREADLINE_TEST_MEMORY";

/// Returns the peak memory of this process, in KiB.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// The work of the processes in the test below.
#[test]
fn child_that_exports_into_nothing() {
    let Ok(url) = std::env::var(URL) else { return };
    let conn = &mut connect(&url);
    for format in [ExportFormat::Csv, ExportFormat::Json, ExportFormat::Ndjson] {
        let exported = Export::new(Filter::new())
            .with_actions()
            .write(conn, format, io::sink())
            .unwrap();
        println!("exported {}", exported.changes);
    }
    println!("peak {}", peak().unwrap());
}

/// Returns the peak of a process of its own that exports a number of changes.
fn peak_of(database: &Database, changes: u32) -> u64 {
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "memory::child_that_exports_into_nothing",
            "--nocapture",
        ])
        .env(URL, database.url())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    assert_eq!(
        text.matches(&format!("exported {changes}\n")).count(),
        3,
        "{text}"
    );
    let (_, peak) = text.rsplit_once("peak ").unwrap();
    peak.lines().next().unwrap().parse().unwrap()
}

#[test]
#[cfg_attr(not(target_os = "linux"), ignore = "reads /proc")]
fn two_hundred_thousand_changes_take_no_more_memory_than_ten_thousand() {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE notes (id int PRIMARY KEY, body text); SELECT threadline.audit('notes');
         INSERT INTO notes SELECT i, repeat('x', 200) FROM generate_series(1, 10000) AS i",
    );
    let few = peak_of(database, 10_000);
    run(
        conn,
        "INSERT INTO notes SELECT i, repeat('x', 200) FROM generate_series(10001, 200000) AS i",
    );
    let many = peak_of(database, 200_000);
    // 190,000 changes are at least 100 MiB in memory.
    assert!(many < few + 8 * 1024, "{few} KiB became {many} KiB");
}
