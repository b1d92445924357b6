//! The format of exports, on which other programs depend.

use diesel::prelude::*;
use serde_json::Value;
use threadline::{
    Action, ActorRef, AuditContext, AuditExt, Export, ExportFormat, Filter, record_action,
};
use threadline_tests::{Database, run};

/// Makes an update under a full context, and an insert under none.
fn two_changes() -> (Database, PgConnection) {
    let (database, mut conn) = Database::with(
        "CREATE TABLE prices (shop text, no bigint, price numeric, PRIMARY KEY (shop, no)); SELECT threadline.audit('prices');
         INSERT INTO prices VALUES ('a', 9007199254740993, 1.50)",
    );
    let context = AuditContext::builder(ActorRef::admin("grace").unwrap())
        .request_id("r-1")
        .correlation_id("c-1")
        .job_id("j-1")
        .source("web")
        .remote_ip("2001:db8::1".parse().unwrap())
        .metadata("ticket", 7)
        .build()
        .unwrap();
    conn.audited_transaction::<_, threadline::Error, _>(&context, |conn| {
        run(conn, "UPDATE prices SET price = 1.5, shop = 'b'");
        record_action(conn, Action::new("price.corrected").reason("a typo"))
    })
    .unwrap();
    (database, conn)
}

fn text(conn: &mut PgConnection, format: ExportFormat, actions: bool) -> String {
    let mut export = Export::new(Filter::new());
    if actions {
        export = export.with_actions();
    }
    let mut out = vec![];
    export.write(conn, format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Replaces members that differ from run to run, by their names.
fn redacted(mut value: Value) -> Value {
    match &mut value {
        Value::Array(values) => {
            for value in values {
                *value = redacted(value.take());
            }
        }
        Value::Object(members) => {
            for (name, value) in members {
                *value = match (name.as_str(), &value) {
                    ("generated_at" | "captured_at" | "occurred_at", Value::String(text)) => {
                        assert_eq!(text.len(), "2026-11-23T09:14:03.000000Z".len(), "{text}");
                        text.parse::<chrono::DateTime<chrono::Utc>>().unwrap();
                        "[time]".into()
                    }
                    ("xact_id" | "session_user", Value::String(_)) => format!("[{name}]").into(),
                    _ => redacted(value.take()),
                };
            }
        }
        _ => {}
    }
    value
}

#[test]
fn the_json_document_has_the_documented_form() {
    let (_, conn) = &mut two_changes();
    let document = serde_json::from_str(&text(conn, ExportFormat::Json, true)).unwrap();
    let pretty = serde_json::to_string_pretty(&redacted(document)).unwrap();
    insta::assert_snapshot!(pretty);
}

#[test]
fn ndjson_has_the_documented_form() {
    let (_, conn) = &mut two_changes();
    let lines: Vec<_> = text(conn, ExportFormat::Ndjson, false)
        .lines()
        .map(|line| redacted(serde_json::from_str(line).unwrap()).to_string())
        .collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn csv_has_the_documented_columns() {
    let (_, conn) = &mut two_changes();
    let csv = text(conn, ExportFormat::Csv, false);
    let header = csv.lines().next().unwrap();
    let with_actions = text(conn, ExportFormat::Csv, true);
    assert_eq!(
        with_actions.lines().next().unwrap(),
        format!("{header},action_names,actions")
    );
    let time = |text: &str| text.parse::<chrono::DateTime<chrono::Utc>>().is_ok();
    let user = threadline_tests::value(conn, "SELECT session_user").unwrap();
    let cells = |line: &str| -> String {
        let cells: Vec<_> = line
            .split(',')
            .map(|cell| match cell {
                _ if time(cell) => "[time]",
                _ if cell == user => "[session_user]",
                _ => cell,
            })
            .collect();
        cells.join(",")
    };
    let lines: Vec<_> = csv.lines().map(cells).collect();
    insta::assert_snapshot!(lines.join("\n"));
}

#[test]
fn csv_ends_its_lines_as_rfc_4180_has_it() {
    let (database, _) = two_changes();
    let csv = text(&mut database.connect(), ExportFormat::Csv, false);
    assert_eq!(csv.matches("\r\n").count(), 3);
    assert_eq!(csv.matches('\n').count(), 3);
}
