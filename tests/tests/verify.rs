//! Drift is detected, named, and fixed by the command of its finding.

#[path = "verify/chains.rs"]
mod chains;
#[path = "verify/columns.rs"]
mod columns;
#[path = "verify/hashes.rs"]
mod hashes;
#[path = "verify/healthy.rs"]
mod healthy;
#[path = "verify/models.rs"]
mod models;
#[path = "verify/partitions.rs"]
mod partitions;
#[path = "verify/random.rs"]
mod random;
#[path = "verify/secrets.rs"]
mod secrets;
#[path = "verify/steps.rs"]
mod steps;
#[path = "verify/tables.rs"]
mod tables;
#[path = "verify/triggers.rs"]
mod triggers;
#[path = "verify/types.rs"]
mod types;
#[path = "verify/unattributed.rs"]
mod unattributed;

use std::collections::BTreeSet;

use diesel::prelude::*;
use threadline::{Finding, FindingCode, Models};
use threadline_tests::{run, value};

fn findings(conn: &mut PgConnection) -> Vec<Finding> {
    let mut findings = Models::new(vec![]).verify().run(conn).unwrap().findings;
    // These tests write without an actor.
    findings.retain(|finding| finding.code != FindingCode::Unattributed);
    findings
}

/// Returns code and table of each finding.
fn found(conn: &mut PgConnection) -> Vec<String> {
    let findings = findings(conn);
    findings
        .iter()
        .map(|finding| format!("{} {}", finding.code, finding.table.as_deref().unwrap()))
        .collect()
}

/// Runs statements that cause drift, unless it exists, and then the commands that should
/// fix it.
#[track_caller]
fn drift(conn: &mut PgConnection, sql: &str, expected: &[&str]) -> Vec<Finding> {
    if !sql.is_empty() {
        run(conn, sql);
    }
    assert_eq!(found(conn), expected, "after {sql}");
    let findings = findings(conn);
    fix(conn, &findings);
    assert_eq!(found_but_gaps(conn), [""; 0], "fixed after {sql}");
    findings
}

/// Returns the findings, without those of an interrupted audit, which cannot be fixed.
fn found_but_gaps(conn: &mut PgConnection) -> Vec<String> {
    let mut found = found(conn);
    found.retain(|finding| !finding.starts_with("audit-interrupted "));
    found
}

#[track_caller]
fn fix(conn: &mut PgConnection, findings: &[Finding]) {
    let commands: BTreeSet<_> = findings.iter().filter_map(|f| f.fix.as_deref()).collect();
    for command in commands {
        run(conn, command);
    }
}

/// Returns the name of a table's `capture` or `truncate` trigger, as in SQL.
fn trigger(conn: &mut PgConnection, table: &str, kind: &str) -> String {
    let query = format!(
        "SELECT quote_ident(tgname) FROM pg_trigger WHERE tgrelid = {}::regclass AND tgname LIKE '!threadline_{kind}_%'",
        quoted(table)
    );
    value(conn, &query).unwrap()
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
