//! What the commands print with `--json` is the form of the library's answers.

use std::process::Command;

use serde_json::Value;
use threadline::{Erasure, Page, TimelineEntry, Verification};
use threadline_tests::Database;

use crate::answers::club;
use crate::schemas::assert_valid;

fn audit(database: &Database, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tests-audit"))
        .args(arguments)
        .env("DATABASE_URL", database.url())
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(!error.contains("error:"), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_command_prints_a_document_of_its_schema() {
    let (database, mut connection) = club();
    let conn = &mut connection;
    let erased = Erasure::of("members", "2", "request 31").column("members.name");
    // Of a key that was reused nothing is erased.
    erased.erase(conn).unwrap();
    let id = threadline::timeline(threadline::Filter::new())
        .page(conn)
        .unwrap()
        .entries[0]
        .change
        .transaction
        .id
        .to_string();
    for (schema, arguments) in [
        ("Page_TimelineEntry", &["history", "members", "1"][..]),
        ("Page_TimelineEntry", &["timeline", "--changed", "name"]),
        ("Page_TimelineEntry", &["timeline", "--limit", "0"]),
        ("Page_TimelineEntry", &["actor", "nobody"]),
        ("Count", &["timeline", "--count"]),
        ("Count", &["actions", "--count"]),
        ("Page_AuditAction", &["actions"]),
        ("Page_ActorEntry", &["actor", "admin:grace"]),
        ("Summary", &["summary"]),
        ("TransactionReport", &["transaction", &id]),
        ("Health", &["status"]),
        ("Verification", &["verify"]),
    ] {
        let printed = audit(&database, &[arguments, &["--json"]].concat());
        let document: Value = serde_json::from_str(&printed).unwrap();
        assert_valid(schema, &document);
    }
    let printed = audit(&database, &["blame", "members", "1", "--json"]);
    let blame: Vec<Value> = serde_json::from_str(&printed).unwrap();
    assert_eq!(blame.len(), 3);
    for blame in &blame {
        assert_valid("Blame", blame);
    }
    for (schema, arguments) in [
        ("Erased", &["erasures", "--json"][..]),
        ("PurgePreview", &["purge", "--dry-run", "--json"]),
    ] {
        let printed = audit(&database, arguments);
        assert!(!printed.is_empty(), "{arguments:?}");
        for line in printed.lines() {
            assert_valid(schema, &serde_json::from_str(line).unwrap());
        }
    }
    let printed = audit(&database, &["export", "--format", "json"]);
    assert_valid("ExportDocument", &serde_json::from_str(&printed).unwrap());
}

#[test]
fn what_a_command_prints_is_read_back_as_the_answer_of_the_library() {
    let (database, mut connection) = club();
    let conn = &mut connection;
    let printed = audit(&database, &["timeline", "--json"]);
    let page: Page<TimelineEntry> = serde_json::from_str(&printed).unwrap();
    let asked = threadline::timeline(threadline::Filter::new()).page(conn);
    assert_eq!(page, asked.unwrap());
    let printed = audit(&database, &["verify", "--json"]);
    let verification: Verification = serde_json::from_str(&printed).unwrap();
    let models = threadline_tests::models::audited();
    assert_eq!(verification, models.verify().run(conn).unwrap());
}
