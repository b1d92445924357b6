//! A client's text never becomes a formula in the spreadsheet that opens the export.

use diesel::prelude::*;
use serde_json::Value;
use threadline::{
    Action, ActorRef, AuditContext, AuditExt, Export, ExportFormat, Filter, record_action,
};
use threadline_tests::{Database, assert_value, run_under};

use super::readers::{export, jq, python};

const TRIGGERS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

fn formula(trigger: char, what: &str) -> String {
    format!("{trigger}cmd|' /C calc'!A0,\"{what}\"\r\n{trigger}")
}

#[track_caller]
fn assert_harmless(rows: &[Value]) {
    for row in rows {
        for (column, cell) in row.as_object().unwrap() {
            let cell = cell.as_str().unwrap();
            assert!(!cell.starts_with(TRIGGERS), "{column}: {cell:?}");
        }
    }
}

#[test]
fn no_text_of_a_context_begins_a_formula_and_none_is_changed_otherwise() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE notes (id text PRIMARY KEY, body text); SELECT threadline.audit('notes')",
    );
    for trigger in TRIGGERS {
        let text = |what| formula(trigger, what);
        let context = AuditContext::builder(ActorRef::user(text("actor")).unwrap())
            .request_id(text("request"))
            .correlation_id(text("correlation"))
            .job_id(text("job"))
            .source(text("source"))
            .metadata(text("name"), text("value"))
            .build()
            .unwrap();
        conn.audited_transaction::<_, threadline::Error, _>(&context, |conn| {
            diesel::sql_query("INSERT INTO notes VALUES ($1, $1)")
                .bind::<diesel::sql_types::Text, _>(text("body"))
                .execute(conn)?;
            let action = Action::new("note.written")
                .reason(text("reason"))
                .comment(text("comment"));
            record_action(conn, action)?;
            Ok(())
        })
        .unwrap();
    }
    let mut out = vec![];
    Export::new(Filter::new())
        .with_actions()
        .write(conn, ExportFormat::Csv, &mut out)
        .unwrap();
    let rows = python(&out);
    assert_eq!(rows.len(), TRIGGERS.len());
    assert_harmless(&rows);
    for (row, trigger) in rows.iter().zip(TRIGGERS.into_iter().rev()) {
        for (column, what) in [
            ("actor_id", "actor"),
            ("request_id", "request"),
            ("correlation_id", "correlation"),
            ("job_id", "job"),
            ("source", "source"),
        ] {
            assert_eq!(row[column], format!("'{}", formula(trigger, what)));
        }
        let inner = |column: &str| -> Value {
            serde_json::from_str(row[column].as_str().unwrap()).unwrap()
        };
        let body = formula(trigger, "body");
        assert_eq!(inner("row_data")["body"], body);
        assert_eq!(inner("key")["id"], body);
        assert_eq!(
            inner("metadata")[formula(trigger, "name")],
            formula(trigger, "value")
        );
        assert_eq!(inner("actions")[0]["reason"], formula(trigger, "reason"));
    }
    // JSON is no spreadsheet.
    let json = export(conn, &Filter::new(), ExportFormat::Json);
    let ids = jq(".changes[].transaction.actor.id | tojson", &json);
    for (id, trigger) in ids.iter().zip(TRIGGERS.into_iter().rev()) {
        let id: String = serde_json::from_str(id).unwrap();
        assert_eq!(id, formula(trigger, "actor"));
    }
}

#[test]
fn formula_signs_inside_a_text_are_unchanged() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE notes (id int PRIMARY KEY); SELECT threadline.audit('notes')",
    );
    let ids = ["1-2", "a@b", "'=1", "é+", "1\t2", " 1", "\u{a0}é=1"];
    for (n, id) in ids.iter().enumerate() {
        let context = AuditContext::new(ActorRef::user(id).unwrap());
        run_under(conn, &context, &format!("INSERT INTO notes VALUES ({n})"));
    }
    let rows = python(&export(conn, &Filter::new(), ExportFormat::Csv));
    let exported: Vec<_> = rows.iter().rev().map(|row| &row["actor_id"]).collect();
    assert_eq!(exported, ids);
}

/// Spreadsheets leave out what shows nothing at the beginning of a cell, and some take
/// full-width signs for signs.
#[test]
fn neither_blanks_nor_wide_signs_hide_a_formula() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE notes (id int PRIMARY KEY); SELECT threadline.audit('notes')",
    );
    let before = [
        "\n", " ", "\u{a0}", "\u{3000}", "\u{200b}", "\u{feff}", "\u{202e}", "\u{85}", "\u{1680}",
        "\u{2028}", "\u{ad}", " \n\t", "\u{b}", "\u{1f}",
    ];
    let mut ids: Vec<_> = before
        .iter()
        .flat_map(|b| ["=1", "-1"].map(|f| format!("{b}{f}")))
        .collect();
    ids.extend(
        "＝＋－＠﹢﹣﹦﹫−"
            .chars()
            .flat_map(|sign| [format!("{sign}1"), format!("\u{a0}{sign}1")]),
    );
    for (n, id) in ids.iter().enumerate() {
        let context = AuditContext::builder(ActorRef::user(id).unwrap())
            .source(id)
            .build()
            .unwrap();
        run_under(conn, &context, &format!("INSERT INTO notes VALUES ({n})"));
    }
    let rows = python(&export(conn, &Filter::new(), ExportFormat::Csv));
    for (row, id) in rows.iter().rev().zip(&ids) {
        assert_eq!(row["actor_id"], format!("'{id}"));
        assert_eq!(row["source"], format!("'{id}"));
    }
    assert_eq!(rows.len(), ids.len());
}

#[test]
fn neither_names_of_tables_nor_what_others_wrote_into_the_audit_begin_a_formula() {
    let (_, conn) = &mut Database::with(
        r#"CREATE SCHEMA "@home"; CREATE TABLE "@home"."=1+1" (id int PRIMARY KEY);
         SELECT threadline.audit('"@home"."=1+1"');
         BEGIN; SELECT threadline.set_context('{"actor": {"type": "+type", "id": "-1"}, "origin": "@origin"}');
         INSERT INTO "@home"."=1+1" VALUES (-1); COMMIT;
         SET threadline.context = '=not json';
         INSERT INTO "@home"."=1+1" VALUES (-2);
         SELECT threadline.post_all();
         UPDATE threadline.ledger_transactions
         SET session_user_name = '=user', context_error = '=error', meta = '-5', occurred_at = 'infinity';
         UPDATE threadline.ledger_changes SET op = '=', captured_at = 'infinity';"#,
    );
    let rows = python(&export(conn, &Filter::new(), ExportFormat::Csv));
    assert_eq!(rows.len(), 2);
    assert_harmless(&rows);
    assert_eq!(rows[0]["table"], "'=1+1");
    assert_eq!(rows[0]["schema"], "'@home");
    assert_eq!(rows[1]["actor_type"], "'+type");
    assert_eq!(rows[0]["metadata"], "'-5");
}

#[test]
fn empty_metadata_differs_from_none() {
    let (_, conn) = &mut Database::with(
        r#"CREATE TABLE notes (id int PRIMARY KEY); SELECT threadline.audit('notes');
         BEGIN; SELECT threadline.set_context('{"actor": {"type": "user", "id": "1"}}');
         INSERT INTO notes VALUES (1); COMMIT;
         BEGIN; SELECT threadline.set_context('{"actor": {"type": "user", "id": "1"}, "metadata": {}}');
         INSERT INTO notes VALUES (2); COMMIT;"#,
    );
    assert_value(
        conn,
        "SELECT count(meta) FROM threadline.audit_transactions",
        "1",
    );
    let rows = python(&export(conn, &Filter::new(), ExportFormat::Csv));
    let metadata: Vec<_> = rows.iter().map(|row| &row["metadata"]).collect();
    assert_eq!(metadata, ["{}", ""]);
    let json = export(conn, &Filter::new(), ExportFormat::Json);
    assert_eq!(
        jq(".changes[].transaction.metadata | tojson", &json),
        ["{}", "null"]
    );
}
