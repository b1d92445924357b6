//! The views for monitoring agents, and the queries that the repository has for one.

use std::collections::BTreeSet;

use threadline::{FindingCode, post};
use threadline_tests::{Database, assert_rows, rows, run, value};

use super::{USERS, health};

/// A query of the file, and its columns with their usage.
struct Declared {
    query: String,
    columns: Vec<(String, String)>,
}

/// The subset of YAML that the file uses.
fn declared() -> Vec<Declared> {
    let text = include_str!("../../../monitoring/postgres_exporter.yml");
    let mut declared: Vec<Declared> = vec![];
    for line in text.lines() {
        let quoted = |line: &str| line.split('"').nth(1).unwrap().to_owned();
        if let Some(query) = line.strip_prefix("  query: ") {
            declared.push(Declared {
                query: quoted(query),
                columns: vec![],
            });
        } else if let Some(column) = line.strip_prefix("    - ") {
            let last = declared.last_mut().unwrap();
            last.columns
                .push((column.trim_end_matches(':').to_owned(), String::new()));
        } else if let Some(usage) = line.strip_prefix("        usage: ") {
            let last = declared.last_mut().unwrap();
            last.columns.last_mut().unwrap().1 = quoted(usage);
        }
    }
    declared
}

#[test]
fn each_query_for_postgres_exporter_runs_and_has_the_declared_columns() {
    let (_, conn) = &mut Database::with(USERS);
    run(
        conn,
        "SELECT threadline.audit('users'); INSERT INTO users VALUES (1, 'x'); ALTER TABLE users DISABLE TRIGGER ALL",
    );
    let declared = declared();
    assert_eq!(declared.len(), 2);
    for Declared { query, columns } in declared {
        run(
            conn,
            &format!("DROP VIEW IF EXISTS shown; CREATE TEMPORARY VIEW shown AS {query}"),
        );
        let shown = rows(
            conn,
            "SELECT attname, CASE WHEN atttypid = 'text'::regtype THEN 'LABEL' ELSE 'NUMBER' END
             FROM pg_attribute WHERE attrelid = 'shown'::regclass AND attnum > 0 ORDER BY attnum",
        );
        let expected: Vec<_> = columns
            .iter()
            .map(|(name, usage)| match usage.as_str() {
                "LABEL" => format!("{name} | LABEL"),
                "GAUGE" | "COUNTER" => format!("{name} | NUMBER"),
                other => panic!("{name} is a {other}"),
            })
            .collect();
        assert_eq!(shown, expected, "{query}");
        assert_ne!(
            value(conn, &format!("SELECT count(*) FROM ({query}) AS q")).as_deref(),
            Some("0")
        );
    }
}

#[test]
fn metrics_are_the_counters_of_the_health_check() {
    let (_, conn) = &mut Database::new().connected();
    let nothing = "SELECT changes_total, entries_waiting, oldest_waiting_seconds, last_posting_seconds, oldest_change_seconds FROM threadline.metrics";
    assert_rows(conn, nothing, ["0 | 0 | 0 | NULL | NULL"]);
    run(conn, USERS);
    run(
        conn,
        "SELECT threadline.audit('users'); INSERT INTO users VALUES (1, 'x'), (2, 'x')",
    );
    post(conn).unwrap();
    run(
        conn,
        "INSERT INTO users VALUES (3, 'x'); UPDATE threadline.journal SET captured_at = captured_at - interval '1 hour'",
    );
    assert_rows(
        conn,
        "SELECT schema_version = (SELECT max(version) FROM threadline.schema_versions), audited_tables, changes_total, entries_waiting,
                oldest_waiting_seconds BETWEEN 3600 AND 4000, last_posting_seconds BETWEEN 0 AND 400, unattributed_transactions, recent_transactions
         FROM threadline.metrics",
        ["true | 1 | 2 | 1 | true | true | 1 | 1"],
    );
}

#[test]
fn severities_of_the_view_are_those_of_the_codes() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (LIKE a INCLUDING ALL); CREATE TABLE c (LIKE a INCLUDING ALL); CREATE TABLE d (LIKE a INCLUDING ALL);
         CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY LIST (id);
         SELECT threadline.audit('a'), threadline.audit('b'), threadline.audit('c'), threadline.audit('d'), threadline.audit('parts');
         ALTER TABLE a DISABLE TRIGGER ALL; ALTER TABLE b ADD more int; DROP TABLE c; DROP TABLE d; CREATE TABLE d (LIKE a INCLUDING ALL);
         CREATE TABLE part PARTITION OF parts DEFAULT; UPDATE threadline.audited_tables SET capture_version = 0 WHERE id = 5",
    );
    let shown: BTreeSet<_> = rows(
        conn,
        "SELECT severity, code FROM threadline.metrics_findings",
    )
    .into_iter()
    .collect();
    let expected: BTreeSet<_> = health(conn)
        .findings
        .iter()
        .map(|finding| format!("{} | {}", finding.severity(), finding.code))
        .collect();
    assert_eq!(shown, expected);
    assert_eq!(expected.len(), 6);
    assert!(expected.contains(&format!("info | {}", FindingCode::ColumnsAdded)));
}
