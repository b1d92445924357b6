//! The JSON API.

use serde_json::Value;
use threadline::{Page, TimelineEntry};

use super::*;

async fn json(router: &Router, path: &str) -> (u16, Value) {
    let answer = get(router, path).await;
    assert_eq!(
        answer.headers["content-type"], "application/json",
        "{}",
        answer.body
    );
    (
        answer.status.as_u16(),
        serde_json::from_str(&answer.body).unwrap(),
    )
}

#[tokio::test]
async fn changes_come_in_pages_that_are_read_back() {
    let database = with_invoices();
    let router = mounted(&database, operator());
    let (mut ids, mut cursor) = (vec![], String::new());
    loop {
        let path = format!("/audit/api/changes?table=invoices&limit=2{cursor}");
        let (status, page) = json(&router, &path).await;
        assert_eq!(status, 200);
        let page: Page<TimelineEntry> = serde_json::from_value(page).unwrap();
        ids.extend(page.entries.iter().map(|entry| entry.change.id));
        match page.next {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(ids.len(), 5);
}

#[tokio::test]
async fn mistakes_and_denials_are_json_too() {
    let database = with_invoices();
    let router = mounted(&database, operator());
    let (status, error) = json(&router, "/audit/api/changes?colour=red").await;
    assert_eq!(status, 400);
    assert!(
        error["message"].as_str().unwrap().contains("colour"),
        "{error}"
    );
    let (status, _) = json(&router, "/audit/api/record?table=invoices&key=77").await;
    assert_eq!(status, 404);
    let router = mounted(&database, Access::denied());
    let (status, error) = json(&router, "/audit/api/changes").await;
    assert_eq!((status, error["error"].as_str()), (403, Some("No access")));
}

#[tokio::test]
async fn a_record_is_what_it_is_and_what_it_was() {
    let database = with_invoices();
    let router = mounted(&database, operator());
    let (_, record) = json(&router, "/audit/api/record?table=invoices&key=1").await;
    assert_eq!(record["row"]["status"], "written off");
    let (_, tables) = json(&router, "/audit/api/tables").await;
    assert_eq!(tables["tables"][1]["key"][0], "id");
    let (_, overview) = json(&router, "/audit/api/overview?table=invoices").await;
    assert_eq!(overview["changes"], 5);
}

#[tokio::test]
async fn the_document_describes_every_route_and_all_that_it_refers_to() {
    let database = Database::new();
    let router = mounted(&database, operator());
    let (_, document) = json(&router, "/audit/api/openapi.json").await;
    let routes = threadline_web::__tests::ROUTES.iter();
    for route in routes.filter(|route| route.path.starts_with("/api/")) {
        let method = route.method.to_lowercase();
        assert!(
            document["paths"][route.path][&method].is_object(),
            "{}",
            route.path
        );
    }
    let text = document.to_string();
    let references = text.split("\"$ref\":\"#/components/schemas/").skip(1);
    for reference in references {
        let name = reference.split('"').next().unwrap();
        assert!(
            document["components"]["schemas"].get(name).is_some(),
            "{name}"
        );
    }
    let parameters = document["paths"]["/api/changes"]["get"]["parameters"]
        .as_array()
        .unwrap();
    assert!(
        parameters
            .iter()
            .any(|parameter| parameter["name"] == "except")
    );
}
