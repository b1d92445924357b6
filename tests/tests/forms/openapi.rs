//! An OpenAPI document of a service that serves the audit.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use threadline::{
    ActionFilter, ActorEntry, ActorRef, AuditAction, Filter, Page, PageRequest, TimelineEntry,
    TransactionReport, Unavailable, Verification, Version, timeline,
};
use utoipa::OpenApi;

use crate::answers::club;

#[utoipa::path(get, path = "/audit/timeline", params(PageRequest<Filter>),
    responses((status = 200, body = Page<TimelineEntry>)))]
#[allow(dead_code)]
fn timeline_route() {}

#[utoipa::path(get, path = "/audit/actions", params(PageRequest<ActionFilter>),
    responses((status = 200, body = Page<AuditAction>)))]
#[allow(dead_code)]
fn actions_route() {}

#[utoipa::path(get, path = "/audit/actor", params(PageRequest<ActorRef>),
    responses((status = 200, body = Page<ActorEntry>)))]
#[allow(dead_code)]
fn actor_route() {}

#[derive(OpenApi)]
#[openapi(
    paths(timeline_route, actions_route, actor_route),
    // utoipa does not find the references of a flattened member.
    components(schemas(TransactionReport, Verification, Version<ActorRef>, Unavailable))
)]
struct Api;

fn document() -> Value {
    serde_json::to_value(Api::openapi()).unwrap()
}

/// Collects every target of a reference below a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(values) => values.iter().for_each(|value| references(value, found)),
        Value::Object(members) => {
            if let Some(target) = members.get("$ref") {
                found.insert(target.as_str().unwrap().to_owned());
            }
            members.values().for_each(|value| references(value, found));
        }
        _ => {}
    }
}

#[test]
fn every_schema_that_is_named_is_there() {
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 15, "{found:?}");
    for target in found {
        let name = target.strip_prefix("#/components/schemas/").unwrap();
        let schema = &document["components"]["schemas"][name];
        assert!(schema.is_object(), "{target} is not in the document");
    }
}

#[test]
fn answers_are_what_the_document_says() {
    let (_database, mut connection) = club();
    let page = timeline(Filter::new()).page(&mut connection).unwrap();
    let page = serde_json::to_value(page).unwrap();
    let mut document = document();
    let validator = {
        document["$ref"] = json!("#/components/schemas/Page_TimelineEntry");
        document["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
        jsonschema::validator_for(&document).unwrap()
    };
    let errors: Vec<_> = validator
        .iter_errors(&page)
        .map(|error| error.to_string())
        .collect();
    assert_eq!(errors, [] as [&str; 0]);
    let names = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<BTreeSet<_>>()
    };
    let schemas = &document["components"]["schemas"];
    for (schema, value) in [
        ("Page_TimelineEntry", &page),
        ("TimelineEntry", &page["entries"][0]),
        ("AuditChange", &page["entries"][0]["change"]),
        (
            "AuditTransaction",
            &page["entries"][0]["change"]["transaction"],
        ),
        ("AuditAction", &page["other_actions"][0]),
    ] {
        assert_eq!(
            names(&schemas[schema]["properties"]),
            names(value),
            "{schema}"
        );
    }
}

#[test]
fn the_parameters_are_those_that_a_request_takes() {
    let document = document();
    let parameters = |path: &str| {
        let list = document["paths"][path]["get"]["parameters"]
            .as_array()
            .unwrap();
        list.iter()
            .map(|parameter| {
                assert_eq!(parameter["in"], "query");
                let repeats = parameter["schema"]["type"] == "array";
                (
                    parameter["name"].as_str().unwrap().to_owned(),
                    parameter["required"].as_bool().unwrap(),
                    repeats,
                )
            })
            .collect::<Vec<_>>()
    };
    let of_timeline = parameters("/audit/timeline");
    let error = PageRequest::<Filter>::from_query("none")
        .unwrap_err()
        .to_string();
    let names: Vec<_> = of_timeline.iter().map(|(name, ..)| name.as_str()).collect();
    assert!(error.ends_with(&names.join(", ")), "{error}");
    assert!(of_timeline.contains(&("changed".to_owned(), false, true)));
    assert!(of_timeline.contains(&("table".to_owned(), false, false)));
    assert_eq!(
        parameters("/audit/actor"),
        [("actor", true), ("limit", false), ("cursor", false)].map(|(name, required)| (
            name.to_owned(),
            required,
            false
        ))
    );
}
