//! The incident report as JSON.

use std::path::PathBuf;

use serde_json::{Value, json};
use threadline::{Action, AuditContext, AuditExt, Scope, TableScope, record_action};
use threadline_tests::{assert_contains, rows};

use super::*;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("schemas/incident_report_v1.json")
}

fn schema() -> Value {
    serde_json::from_str(&std::fs::read_to_string(path()).unwrap()).unwrap()
}

#[track_caller]
fn assert_valid(document: &Value) {
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema())
        .unwrap();
    let errors: Vec<_> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(errors, [] as [&str; 0], "{document:#}");
}

async fn report(router: &Router, fields: &'static str) -> Value {
    let request = Request::post("/audit/report.json")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(fields));
    let answer = send(router, request.unwrap()).await;
    assert_eq!(answer.headers["content-type"], "application/json");
    assert_eq!(
        answer.headers["content-disposition"],
        "attachment; filename=\"incident-report.json\""
    );
    let document: Value = serde_json::from_str(&shown(answer)).unwrap();
    assert_valid(&document);
    document
}

#[cfg(feature = "schemars")]
#[test]
fn the_schema_is_what_the_types_make() {
    let schema = threadline_web::__tests::incident_report_schema();
    let text = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(path(), &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(path()).unwrap() == text,
        "threadline-web/schemas/incident_report_v1.json is not what the types make; run this test with INSTA_UPDATE=always, look at the difference, and commit it"
    );
}

#[tokio::test]
async fn a_report_has_what_was_found_and_how() {
    let database = with_invoices();
    let context = AuditContext::builder("user:57".parse().unwrap())
        .build()
        .unwrap();
    database
        .connect()
        .audited_transaction::<_, threadline::Error, _>(&context, |conn| {
            run(conn, "UPDATE invoices SET status = 'paid' WHERE id = 2");
            record_action(conn, Action::new("invoice.paid").reason("by transfer"))
        })
        .unwrap();
    let router = mounted(&database, operator().allow_export());
    let fields = "q=actor%3Auser%3A57+from%3A1h&title=Divided+amounts";
    let document = report(&router, fields).await;
    assert_eq!(document["format"], "threadline-incident-report");
    assert_eq!(document["version"], 1);
    assert_eq!(document["title"], "Divided amounts");
    assert_eq!(
        document["created_by"],
        json!({"type": "admin", "id": "grace"})
    );
    assert!(document["created_at"].as_str().unwrap().ends_with('Z'));
    let found = &document["found_by"];
    assert_eq!(found["search"], "actor:user:57 from:1h");
    assert_eq!(found["page"], "timeline?q=actor%3Auser%3A57+from%3A1h");
    assert_eq!(found["filter"]["actor"]["id"], "57");
    assert!(found["filter"]["from"].as_str().unwrap().ends_with('Z'));
    assert_eq!(found["limited"], false);
    let contents = &document["contents"];
    assert_eq!(
        (&contents["found"], &contents["included"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(contents["truncated"], false);
    assert_eq!(contents["actors"][0]["changes"], 3);
    let newest = &document["transactions"][0];
    assert_eq!(newest["actions"][0]["reason"], "by transfer");
    assert_eq!(newest["transaction"]["actor"]["id"], "57");
    let change = &newest["changes"][0];
    assert_eq!(change["page"], "record?table=invoices&key=2");
    assert_eq!(
        change["diff"]["fields"],
        json!([{"column": "status", "before": "open", "after": "paid"}])
    );
    assert_eq!(
        document["transactions"][1]["changes"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let recorded = rows(
        &mut database.connect(),
        "SELECT actor_id, meta FROM threadline.actions WHERE name = 'audit.exported'",
    );
    assert_eq!(
        recorded,
        [r#"grace | {"query": "actor:user:57 from:1h", "format": "report.json"}"#]
    );
    // The printed page leads to it, with the same search and title.
    let request = Request::post("/audit/report")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(fields))
        .unwrap();
    let page = shown(send(&router, request).await);
    let (_, form) = page.split_once("action=\"report.json\"").unwrap();
    let (form, _) = form.split_once("</form>").unwrap();
    assert_contains(form, "value=\"actor:user:57 from:1h\"");
    assert_contains(form, "value=\"Divided amounts\"");
}

#[tokio::test]
async fn masks_and_scopes_hold_in_a_report() {
    let database = with_invoices();
    let router = mounted(&database, operator().allow_export());
    let document = report(&router, "q=table%3Acustomers").await;
    assert!(!document.to_string().contains("@acme"), "{document:#}");
    let own = Scope::new().table(
        TableScope::new("invoices")
            .rows("customer_id", 7)
            .hide(["margin"]),
    );
    let heidi = ActorRef::user("heidi").unwrap();
    let router = mounted(&database, Access::within(heidi, own).allow_export());
    let document = report(&router, "q=").await;
    let text = document.to_string();
    assert!(text.contains("1200.00"), "{document:#}");
    for outside in ["800.00", "3117", "margin", "Acme", "Bolt"] {
        assert!(!text.contains(outside), "{outside} is in {document:#}");
    }
    assert_eq!(document["found_by"]["limited"], true);
    assert_eq!(document["title"], Value::Null);
}

#[tokio::test]
async fn a_report_of_many_changes_says_that_it_is_truncated() {
    let database = with_customers(1000..2201);
    let router = mounted(&database, operator().allow_export());
    let document = report(&router, "q=").await;
    let contents = &document["contents"];
    assert_eq!(
        (&contents["found"], &contents["included"]),
        (&json!(1208), &json!(1000))
    );
    assert_eq!(contents["truncated"], true);
    assert_eq!(
        document["transactions"][0]["changes"]
            .as_array()
            .unwrap()
            .len(),
        1000
    );

    // And by its size: 20 values of a megabyte.
    let sql = "INSERT INTO customers SELECT n, repeat('x', 1000000), NULL FROM generate_series(3000, 3019) AS n";
    written(&mut database.connect(), "user:7", "web", sql);
    let document = report(&router, "q=").await;
    let included = document["contents"]["included"].as_u64().unwrap();
    assert!((1..20).contains(&included), "{included}");
    assert_eq!(document["contents"]["truncated"], true);
}

#[test]
fn what_is_no_report_is_not_valid() {
    let validator = jsonschema::validator_for(&schema()).unwrap();
    assert!(!validator.is_valid(&json!({})));
    assert!(!validator.is_valid(&json!({"format": "threadline-incident-report", "version": 2})));
}
