//! Results of every kind match the schemas, and are read back unchanged.

use std::fmt::Debug;
use std::ops::ControlFlow;

use diesel::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use threadline::{
    Action, ActionFilter, ActionStatus, ActorRef, AuditContext, AuditExt, Audited, Erasure,
    ErrorKind, Export, ExportFormat, Filter, Hold, Page, SubjectExport, TimelineEntry, Version,
    actions, actor_history, correlated, record_action, revert_transaction, summary, timeline,
    transaction,
};
use threadline_tests::models::{MEMBERS, Member, audited, members};
use threadline_tests::{Database, run};

use crate::schemas::assert_valid;

/// Creates a club with a history: with and without an actor, with and without actions.
pub(crate) fn club() -> (Database, PgConnection) {
    let database = Database::new();
    let mut connection = database.connect();
    let conn = &mut connection;
    run(conn, MEMBERS);
    audited().install(conn).unwrap();
    let context = AuditContext::builder(ActorRef::admin("grace").unwrap())
        .request_id("r-1")
        .correlation_id("c-1")
        .source("web")
        .remote_ip([203, 0, 113, 9].into())
        .metadata("tenant", json!({"id": 7, "name": "acme"}))
        .build()
        .unwrap();
    conn.audited_transaction(&context, |conn| {
        record_action(conn, Action::new("member.joined").reason("asked to"))?;
        diesel::insert_into(members::table)
            .values([
                (
                    members::id.eq(1),
                    members::name.eq("Ada"),
                    members::email.eq(Some("ada@example.com")),
                ),
                (
                    members::id.eq(2),
                    members::name.eq("Bob"),
                    members::email.eq(None),
                ),
            ])
            .execute(conn)?;
        Ok::<_, threadline::Error>(())
    })
    .unwrap();
    run(
        conn,
        "UPDATE members SET name = 'Ada Lovelace', email = 'ada@other.example' WHERE id = 1;
         UPDATE members SET id = 3 WHERE id = 2;
         DELETE FROM members WHERE id = 3;",
    );
    record_action(
        conn,
        Action::new("session.opened")
            .actor(ActorRef::anonymous())
            .failed()
            .reason("wrong password"),
    )
    .unwrap();
    (database, connection)
}

/// Checks its JSON against the schema, and that it is the same after reading.
#[track_caller]
fn read_back<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    schema: &str,
    value: &T,
) -> Value {
    let text = serde_json::to_string(value).unwrap();
    let back: T = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(&back, value);
    let document = serde_json::from_str(&text).unwrap();
    assert_valid(schema, &document);
    document
}

#[test]
fn pages_and_reports_are_read_back() {
    let (_, conn) = &mut club();
    let page = timeline(Filter::new()).limit(3).page(conn).unwrap();
    let document = read_back("Page_TimelineEntry", &page);
    assert_eq!(document["format_version"], 1);
    assert_eq!(document["entries"][0]["change"]["operation"], "delete");
    assert_eq!(document["entries"][0]["references"], json!([]));
    let rest = timeline(Filter::new()).after(page.next).page(conn).unwrap();
    let document = read_back("Page_TimelineEntry", &rest);
    let of_grace = &document["entries"][0]["change"]["transaction"];
    assert_eq!(
        of_grace["metadata"],
        json!({"tenant": {"id": 7, "name": "acme"}})
    );
    assert!(of_grace["xact_id"].is_string(), "{of_grace}");
    assert_eq!(of_grace["occurred_at"].as_str().unwrap().len(), 27);

    let page = actions(ActionFilter::new()).page(conn).unwrap();
    let document = read_back("Page_AuditAction", &page);
    assert_eq!(
        document["entries"][0]["actor"],
        json!({"type": "anonymous", "id": null})
    );
    let grace = ActorRef::admin("grace").unwrap();
    read_back(
        "Page_ActorEntry",
        &actor_history(&grace).page(conn).unwrap(),
    );
    let together = correlated(conn, "c-1").unwrap();
    read_back("Correlated", &together);
    let report = transaction(conn, together.transactions[0].transaction.id)
        .unwrap()
        .unwrap();
    assert_eq!(report.changes.len(), 2);
    read_back("TransactionReport", &report);
    let counts = summary(conn, &Filter::new()).unwrap();
    assert_eq!(counts.actors.len(), 2, "one of them is nobody");
    read_back("Summary", &counts);

    let ada = Member::history_of(conn, 1).unwrap();
    for change in &ada {
        read_back("AuditChange", change);
        read_back("Diff", &change.diff());
    }
    for blame in Member::blame_of(conn, 1).unwrap() {
        read_back("Blame", &blame);
    }
}

#[test]
fn records_of_the_past_are_read_back_as_the_models_type() {
    let (_, conn) = &mut club();
    let mut versions = Member::versions_of(conn, 1).unwrap();
    assert_eq!(versions.len(), 2);
    for version in &versions {
        let document = read_back("Version_AnyValue", version);
        assert_eq!(document["record"]["email"], "***");
        assert_eq!(document["unavailable"], Value::Null);
    }
    let mut version = versions.remove(0);
    version.record = Err(Member::as_of(conn, 3, chrono::Utc::now())
        .unwrap()
        .unwrap_err());
    let document = read_back("Version_AnyValue", &version);
    assert_eq!(document["record"], Value::Null);
    assert!(
        ["deleted", "not_final"].contains(&document["unavailable"]["reason"].as_str().unwrap()),
        "{document}"
    );
    let now = threadline_tests::value(conn, "clock_timestamp() - '1 microsecond'::interval");
    let now = chrono::DateTime::parse_from_str(&now.unwrap(), "%Y-%m-%d %H:%M:%S%.f%#z").unwrap();
    let rows: Vec<_> = Member::all_as_of(conn, now.to_utc())
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    assert_eq!(rows.len(), 1);
    read_back("PastRecord_AnyValue", &rows[0]);
    let neither =
        json!({"change": version.change, "record": null, "unavailable": null, "image": null});
    let error = serde_json::from_value::<Version<Member>>(neither).unwrap_err();
    assert_eq!(
        error.to_string(),
        "neither `record` nor `unavailable` says anything"
    );
}

#[test]
fn the_state_of_the_audit_is_read_back() {
    let (_, conn) = &mut club();
    run(
        conn,
        "ALTER TABLE members DISABLE TRIGGER ALL; UPDATE members SET name = 'Eve' WHERE id = 1; SELECT threadline.refresh('members')",
    );
    let models = audited();
    let verification = models.verify().run(conn).unwrap();
    assert!(!verification.is_sound());
    let document = read_back("Verification", &verification);
    assert_eq!(document["findings"][0]["severity"], "error");
    let mut progress = vec![];
    let stopped = models
        .verify()
        .run_in_steps(conn, 1, |at| {
            progress.push(at.clone());
            ControlFlow::Break(())
        })
        .unwrap();
    read_back("Verification", &stopped);
    read_back("VerifyProgress", &progress[0]);
    read_back("Health", &models.health(conn).unwrap());
    let document = read_back("Status", &models.status(conn).unwrap());
    assert_eq!(
        document["models"],
        json!([{"model": "Member", "table": "\"members\"", "status": "current"}])
    );
    read_back("Waiting", &threadline::waiting(conn).unwrap());
    for table in threadline::purge_preview(conn).unwrap() {
        read_back("PurgePreview", &table);
    }
    let erasure = Erasure::of("members", "1", "request 31");
    read_back("Erasure", &erasure);
    let erased = erasure.erase(conn).unwrap();
    read_back("Erased", &erased);
    assert_eq!(threadline::erasures(conn).unwrap(), [erased]);
    read_back("Hold", &Hold::new("lawsuit").record("members", "1"));
}

#[test]
fn conflicts_are_read_back() {
    let (_, conn) = &mut club();
    let first = Member::history_of(conn, 1).unwrap().pop().unwrap();
    let error = revert_transaction(conn, first.transaction.id).unwrap_err();
    let ErrorKind::RevertConflicts(conflicts) = error.kind() else {
        panic!("{error}");
    };
    assert!(!conflicts.is_empty());
    for conflict in conflicts {
        read_back("RevertConflict", conflict);
    }
    let document = read_back("ErrorClass", &error.class());
    assert_eq!(document, "conflict");
}

#[test]
fn filters_are_read_back_and_a_misspelt_one_is_refused() {
    let filter = Filter::parse([
        ("table", "members"),
        ("record", "[\"a\", \"7\"]"),
        ("operation", "update"),
        ("actor_type", "admin"),
        ("from", "2026-11-23 09:14:03.123456"),
        ("status", "error"),
        ("changed", "name"),
        ("changed_from", "role=NULL"),
        ("value", "role=member"),
        ("key", "id=1"),
        ("metadata", "tenant=acme"),
    ])
    .unwrap()
    .value("score", 7);
    let document = read_back("Filter", &filter);
    assert_eq!(
        document["value"],
        json!([{"column": "role", "value": "member"}, {"column": "score", "value": 7}])
    );
    assert_eq!(document["from"], "2026-11-23T09:14:03.123456Z");
    read_back("Filter", &Filter::new().actor(&ActorRef::anonymous()));
    let of_actions = ActionFilter::new()
        .status(ActionStatus::Error)
        .without_changes();
    read_back("ActionFilter", &of_actions);
    let some: Filter = serde_json::from_value(json!({"table": "members"})).unwrap();
    assert_eq!(some, Filter::new().table("members"));
    // Ignored, it would widen the result.
    let error = serde_json::from_value::<Filter>(json!({"tabel": "members"})).unwrap_err();
    assert!(
        error.to_string().contains("unknown field `tabel`"),
        "{error}"
    );
}

#[test]
fn integers_that_other_readers_would_round_are_texts_in_every_answer() {
    let (_, conn) = &mut club();
    run(
        conn,
        "INSERT INTO members VALUES (9007199254740993, 'Big', NULL); UPDATE members SET name = 'Bigger' WHERE name = 'Big'",
    );
    let page = timeline(Filter::new().changed("name"))
        .limit(1)
        .page(conn)
        .unwrap();
    assert_eq!(
        page.entries[0].change.key,
        Some(json!({"id": 9_007_199_254_740_993_i64}))
    );
    let text = serde_json::to_string(&page).unwrap();
    let back: Page<TimelineEntry> = serde_json::from_str(&text).unwrap();
    assert_eq!(
        back.entries[0].change.key,
        Some(json!({"id": "9007199254740993"}))
    );
    // From then on the text stays the same, however often it is read and written.
    assert_eq!(serde_json::to_string(&back).unwrap(), text);
    assert_valid("Page_TimelineEntry", &serde_json::from_str(&text).unwrap());
    let diff = serde_json::to_value(
        Member::history_of(conn, 9_007_199_254_740_993_i64).unwrap()[1].diff(),
    );
    assert_eq!(diff.unwrap()["fields"][1]["after"], "9007199254740993");
}

#[test]
fn exports_have_the_form_of_the_records() {
    let (_, conn) = &mut club();
    let mut out = vec![];
    let exported = Export::new(Filter::new())
        .with_actions()
        .write(conn, ExportFormat::Json, &mut out)
        .unwrap();
    read_back("Exported", &exported);
    assert_valid("ExportDocument", &serde_json::from_slice(&out).unwrap());
    let mut out = vec![];
    Export::new(Filter::new())
        .write(conn, ExportFormat::Ndjson, &mut out)
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    let mut lines: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_valid("ExportEnd", &lines.pop().unwrap());
    assert_eq!(lines.len(), 5);
    for line in &lines {
        assert_valid("ExportEntry", line);
        assert_valid("AuditChange", line);
    }

    let mut out = vec![];
    SubjectExport::of("members", "1")
        .actor(ActorRef::admin("grace").unwrap())
        .write(conn, &mut out)
        .unwrap();
    let mut kinds = vec![];
    for line in String::from_utf8(out).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let kind = line["kind"].as_str().unwrap().to_owned();
        match kind.as_str() {
            "change" => assert_valid("AuditChange", &line),
            "transaction" => assert_valid("AuditTransaction", &line),
            "action" => assert_valid("AuditAction", &line),
            _ => {}
        }
        kinds.push(kind);
    }
    assert_eq!(kinds, ["change", "change", "transaction", "action", "end"]);
}
