//! Exports with actions.

use diesel::prelude::*;
use serde_json::Value;
use threadline::{
    Action, ActorRef, AuditContext, AuditExt, Export, ExportFormat, Filter, record_action,
};
use threadline_tests::{Database, run};

use super::readers::{export, jq, python};

/// Writes three transactions: with two actions, with one, with none.
fn acted() -> (Database, PgConnection) {
    let (database, mut conn) =
        Database::with("CREATE TABLE notes (id int PRIMARY KEY); SELECT threadline.audit('notes')");
    let context = AuditContext::new(ActorRef::user("1").unwrap());
    let grace = ActorRef::admin("grace, \"the\" admin").unwrap();
    for n in 0..3 {
        conn.audited_transaction::<_, threadline::Error, _>(&context, |conn| {
            diesel::sql_query(format!("INSERT INTO notes VALUES ({n})")).execute(conn)?;
            if n < 2 {
                let action = Action::new("note.written")
                    .actor(grace.clone())
                    .reason("a\r\n\"b\", 'c'")
                    .metadata("big", 9_007_199_254_740_993_u64);
                record_action(conn, action)?;
            }
            if n == 0 {
                record_action(conn, Action::new("note.checked").failed())?;
            }
            Ok(())
        })
        .unwrap();
    }
    // Belongs to no transaction, and so to no change.
    record_action(&mut conn, Action::new("stray").actor(grace)).unwrap();
    (database, conn)
}

fn with_actions(conn: &mut PgConnection, format: ExportFormat) -> Vec<u8> {
    let mut out = vec![];
    Export::new(Filter::new())
        .with_actions()
        .write(conn, format, &mut out)
        .unwrap();
    out
}

#[test]
fn csv_has_their_names_and_all_of_them() {
    let (_, conn) = &mut acted();
    run(conn, "SET timezone = 'Asia/Kathmandu'");
    let rows = python(&with_actions(conn, ExportFormat::Csv));
    let names: Vec<_> = rows.iter().map(|row| &row["action_names"]).collect();
    assert_eq!(names, ["", "note.written", "note.written; note.checked"]);
    assert_eq!(rows[0]["actions"], "");
    let actions: Value = serde_json::from_str(rows[2]["actions"].as_str().unwrap()).unwrap();
    assert_eq!(actions[0]["actor"]["id"], "grace, \"the\" admin");
    assert_eq!(actions[0]["reason"], "a\r\n\"b\", 'c'");
    assert_eq!(actions[0]["metadata"]["big"], "9007199254740993");
    assert_eq!(actions[1]["status"], "error");
}

#[test]
fn json_and_ndjson_have_them_in_each_change() {
    let (_, conn) = &mut acted();
    for format in [ExportFormat::Json, ExportFormat::Ndjson] {
        let out = with_actions(conn, format);
        assert_eq!(
            jq(
                "(.changes? // [.])[] | select(.id) | [.key.id, (.actions[] | .name, .actor.type, .metadata.big?)] | tojson",
                &out
            ),
            [
                "[2]",
                r#"[1,"note.written","admin","9007199254740993"]"#,
                r#"[0,"note.written","admin","9007199254740993","note.checked","user",null]"#,
            ],
            "{format:?}"
        );
    }
}

#[test]
fn an_export_without_them_does_not_mention_them() {
    let (_, conn) = &mut acted();
    for format in [ExportFormat::Csv, ExportFormat::Json, ExportFormat::Ndjson] {
        let out = String::from_utf8(export(conn, &Filter::new(), format)).unwrap();
        assert!(!out.contains("action_names") && !out.contains("actions"));
        assert!(!out.contains("note.written"));
    }
}
