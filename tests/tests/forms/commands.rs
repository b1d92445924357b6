//! The commands with `--json` print the format of the library's results.

use std::collections::BTreeSet;
use std::process::Command;

use clap::Args as _;
use diesel::PgConnection;
use serde_json::Value;
use threadline::{Erasure, Hold, Page, TimelineEntry, Verification};
use threadline_tests::{Database, scratch_dir};

use crate::answers::club;
use crate::schemas::assert_valid;

/// Returns the output of a command, whether it reported a fault or not.
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

/// How a result is contained in the output.
enum Printed {
    /// The whole output is one.
    Document,
    /// An array of them.
    Array,
    /// One a line.
    Lines,
}

use Printed::{Array, Document, Lines};

/// Creates a club with erased data and a hold.
fn club_with_a_past() -> (Database, PgConnection) {
    let (database, mut connection) = club();
    let conn = &mut connection;
    // Nothing of a reused key is erased.
    let erased = Erasure::of("members", "2", "request 31").column("members.name");
    erased.erase(conn).unwrap();
    let hold = Hold::new("lawsuit 17").record("members", "2");
    let _ = hold.place(conn).unwrap();
    (database, connection)
}

#[test]
fn every_command_prints_documents_of_its_schema() {
    let (database, conn) = &mut club_with_a_past();
    let id = threadline::timeline(threadline::Filter::new())
        .page(conn)
        .unwrap()
        .entries[0]
        .change
        .transaction
        .id
        .to_string();
    let migrations = scratch_dir();
    let migrations = migrations.to_str().unwrap();
    let now = &chrono::Utc::now().to_rfc3339();
    let mut with_json = BTreeSet::new();
    for (printed, schema, arguments) in [
        (
            Document,
            "Page_TimelineEntry",
            &["history", "members", "1"][..],
        ),
        (
            Document,
            "Page_TimelineEntry",
            &["timeline", "--changed", "name"],
        ),
        (
            Document,
            "Page_TimelineEntry",
            &["timeline", "--limit", "1"],
        ),
        (Document, "Page_TimelineEntry", &["actor", "nobody"]),
        (Document, "Count", &["timeline", "--count"]),
        (Document, "Count", &["actions", "--count"]),
        (Document, "Page_AuditAction", &["actions"]),
        (Document, "Page_ActorEntry", &["actor", "admin:grace"]),
        (Document, "Summary", &["summary"]),
        (Document, "TransactionReport", &["transaction", &id]),
        (Document, "Row", &["as-of", "members", "1", "--at", now]),
        (Lines, "Row", &["as-of", "members", "--at", now]),
        (
            Lines,
            "Row",
            &["as-of", "members", "--at", now, "--limit", "1"],
        ),
        (Array, "Blame", &["blame", "members", "1"]),
        (
            Document,
            "Checked",
            &["check", "--migration-dir", migrations],
        ),
        (Document, "Health", &["status"]),
        (Document, "Verification", &["verify"]),
        (Lines, "PurgePreview", &["purge", "--dry-run"]),
        (Lines, "Erased", &["erasures"]),
    ] {
        with_json.insert(arguments[0].to_owned());
        let arguments = [arguments, &["--json"]].concat();
        assert_printed(&audit(database, &arguments), printed, schema, &arguments);
    }
    // All commands with `--json`, so that a new command cannot be forgotten.
    assert_eq!(with_json, commands_with("json"));

    // These print only JSON, or take a format.
    for (printed, schema, arguments) in [
        (
            Document,
            "ExportDocument",
            &["export", "--format", "json"][..],
        ),
        (
            Lines,
            "SubjectLine",
            &["subject", "members:2", "--actor", "admin:grace"],
        ),
    ] {
        assert_printed(&audit(database, arguments), printed, schema, arguments);
    }
    let printed = audit(database, &["export", "--format", "ndjson", "--actions"]);
    let (entries, end) = printed.trim_end().rsplit_once('\n').unwrap();
    assert_printed(entries, Lines, "ExportEntry", &["export"]);
    assert_printed(end, Lines, "ExportEnd", &["export"]);
    assert_eq!(
        commands_with("format"),
        BTreeSet::from(["export".to_owned(), "subject".to_owned()])
    );
}

/// Returns the commands that take an option.
fn commands_with(option: &str) -> BTreeSet<String> {
    threadline_cli::Audit::augment_args(clap::Command::new("audit"))
        .get_subcommands()
        .filter(|command| {
            let mut arguments = command.get_arguments();
            arguments.any(|argument| argument.get_long() == Some(option))
        })
        .map(|command| command.get_name().to_owned())
        .collect()
}

#[track_caller]
fn assert_printed(text: &str, printed: Printed, schema: &str, arguments: &[&str]) {
    let documents: Vec<Value> = match printed {
        Document => vec![serde_json::from_str(text).unwrap()],
        Array => serde_json::from_str(text).unwrap(),
        Lines => text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    };
    assert!(!documents.is_empty(), "{arguments:?} printed nothing");
    for document in &documents {
        assert_valid(schema, document);
    }
}

#[test]
fn each_kind_of_line_about_a_person_has_its_schema() {
    let (database, _connection) = club_with_a_past();
    let arguments = ["subject", "members:2", "--actor", "admin:grace"];
    let printed = audit(&database, &arguments);
    let lines: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for (kind, schema) in [
        ("change", "AuditChange"),
        ("transaction", "AuditTransaction"),
        ("action", "AuditAction"),
        ("hold", "Held"),
        ("erasure", "Erased"),
        ("end", "SubjectEnd"),
    ] {
        let line = lines.iter().find(|line| line["kind"] == kind);
        let line = line.unwrap_or_else(|| panic!("no {kind} in {printed}"));
        assert_valid("SubjectLine", line);
        assert_valid(schema, line);
        let mut of_another = line.clone();
        of_another["kind"] = "other".into();
        let accepted = std::panic::catch_unwind(|| assert_valid("SubjectLine", &of_another));
        assert!(accepted.is_err(), "{of_another}");
    }
}

#[test]
fn printed_json_is_read_back_as_records_of_the_library() {
    let (database, conn) = &mut club();
    let printed = audit(database, &["timeline", "--json"]);
    let page: Page<TimelineEntry> = serde_json::from_str(&printed).unwrap();
    let asked = threadline::timeline(threadline::Filter::new()).page(conn);
    assert_eq!(page, asked.unwrap());
    let printed = audit(database, &["verify", "--json"]);
    let verification: Verification = serde_json::from_str(&printed).unwrap();
    let models = threadline_tests::models::audited();
    assert_eq!(verification, models.verify().run(conn).unwrap());
}
