//! The incident is found and corrected, and the guide matches.

use std::collections::VecDeque;
use std::path::Path;
use std::process::{Command, Output};

use invoicing::{incident, open, year};
use threadline_tests::{Database, assert_rows, scratch_dir, value};

/// The guide to the incident.
const GUIDE: &str = include_str!("../../../threadline/src/docs/answering_an_incident.md");

fn program(path: &str, database: &Database, directory: &Path, arguments: &[&str]) -> Output {
    Command::new(path)
        .args(arguments)
        .current_dir(directory)
        .env("DATABASE_URL", database.url())
        .output()
        .unwrap()
}

/// Times and transaction ids differ from run to run.
fn normal(line: &str) -> String {
    let mut text = String::new();
    for word in line.split_inclusive(' ') {
        let digits = word.chars().filter(char::is_ascii_digit).count();
        let dated = word.trim_end().len() == 10 && digits == 8
            || word.trim_end().len() == 8 && digits == 6 && word.contains(':');
        text += if dated { "TIME " } else { word };
    }
    text.trim_end().to_owned()
}

/// A fenced block: its first line, and the others.
fn blocks(kind: &str) -> Vec<Vec<String>> {
    GUIDE
        .split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.strip_prefix(kind)?.strip_prefix('\n'))
        .map(|block| block.lines().map(normal).collect())
        .collect()
}

/// Returns whether the lines follow one after another, with others in between where the
/// guide has `...`.
fn shown(printed: &str, wanted: &[String]) -> Result<(), String> {
    let printed: Vec<String> = printed.lines().map(normal).collect();
    let mut wanted: VecDeque<&String> = wanted.iter().collect();
    let mut rest = &printed[..];
    let mut gap = true;
    while let Some(line) = wanted.pop_front() {
        if line == "..." {
            gap = true;
            continue;
        }
        let found = rest.iter().position(|printed| printed == line);
        match found {
            Some(0) => rest = &rest[1..],
            Some(position) if gap => rest = &rest[position + 1..],
            _ => return Err(format!("not there: {line}\nin:\n{}", printed.join("\n"))),
        }
        gap = false;
    }
    Ok(())
}

#[test]
fn a_complaint_leads_to_the_person_and_back_and_a_dump_has_no_secrets() {
    let database = Database::empty();
    let conn = &mut open(&database.url()).unwrap();
    year::pass(conn).unwrap();
    let changes = value(conn, "SELECT count(*) FROM threadline.audit_changes").unwrap();
    assert!(changes.parse::<u64>().unwrap() > 50_000, "{changes}");

    let directory = scratch_dir();
    for block in blocks("console") {
        let (command, wanted) = block.split_first().unwrap();
        let arguments: Vec<&str> = command
            .strip_prefix("$ audit ")
            .unwrap()
            .split(' ')
            .collect();
        let output = program(
            env!("CARGO_BIN_EXE_invoicing-audit"),
            &database,
            &directory,
            &arguments,
        );
        let said = [output.stdout, output.stderr].concat();
        shown(&String::from_utf8(said).unwrap(), wanted)
            .unwrap_or_else(|error| panic!("{command}: {error}"));
    }
    let csv = std::fs::read_to_string(directory.join("ticket-4471.csv")).unwrap();
    assert_eq!(csv.lines().count(), 57);

    // The year exists already, so the program goes on to the incident.
    let output = program(env!("CARGO_BIN_EXE_invoicing"), &database, &directory, &[]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for wanted in blocks("text") {
        shown(&said, &wanted).unwrap_or_else(|error| panic!("{error}"));
    }

    // The audit agrees with the tables.
    assert_rows(
        conn,
        "SELECT number, amount, status FROM invoices WHERE number IN ('2026-12-1144', '2026-12-0090') ORDER BY number",
        [
            "2026-12-0090 | 1100.00 | open",
            "2026-12-1144 | 1200.00 | open",
        ],
    );
    assert_rows(
        conn,
        "SELECT actor_type, actor_id, correlation_id, count(*) FROM threadline.changes
         WHERE correlation_id = 'incident-17' GROUP BY 1, 2, 3",
        ["admin | 2 | incident-17 | 54"],
    );
    // Addresses and password hashes are nowhere in the audit.
    let dump = database.dump();
    let audit: String = dump
        .split("\nCOPY ")
        .filter(|table| table.starts_with("threadline."))
        .map(|table| table.split("\n\\.\n").next().unwrap())
        .collect();
    assert!(dump.contains("member1207@example.com"));
    assert!(audit.contains(r#""email": "***""#));
    assert!(!audit.contains("member1207@example.com"));

    // On a second run, nothing is left to revert.
    assert!(incident::answer(conn).is_err());
}
