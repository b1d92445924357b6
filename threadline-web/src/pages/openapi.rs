//! The OpenAPI document, from the filters and the JSON schemas of threadline.

use serde_json::{Map, Value, json};
use threadline::__cli::{Filters, NamedFilter};
use threadline::{ActionFilter, Filter};

/// Returns the document in OpenAPI 3.1.
pub(crate) fn document() -> Value {
    let page = |entries: &str| {
        json!({
            "type": "object",
            "properties": {
                "entries": { "type": "array", "items": schema(entries) },
                "next": { "type": ["string", "null"], "description": "The parameter `cursor` of the next page." },
                "has_more": { "type": "boolean" },
                "searched_to": { "type": "string", "description": "Where a search ended that no index answers; `next` continues there." },
                "other_actions": { "type": "array", "items": schema("AuditAction") },
            },
        })
    };
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Audit",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "The data of the explorer as JSON, with the same access rules.",
        },
        "servers": [{ "url": ".." }],
        "paths": {
            "/api/changes": { "get": operation(
                "Changes, newest first", filters::<Filter>(true), page("TimelineEntry")) },
            "/api/actions": { "get": operation(
                "Actions, newest first", filters::<ActionFilter>(true), page("AuditAction")) },
            "/api/overview": { "get": operation(
                "Counts of the newest 1,000 changes, by time, table, operation, actor and source",
                filters::<Filter>(false), json!({ "type": "object" })) },
            "/api/tables": { "get": operation(
                "The tables that the caller can see", vec![], json!({ "type": "object" })) },
            "/api/record": { "get": operation(
                "A record as it is now, or as it was at an instant",
                vec![
                    parameter("table", "The table, as in SQL", true, false),
                    parameter("key", "The key; a JSON array if it has several columns", true, false),
                    parameter("at", "An instant; the default is now", false, false),
                ],
                json!({ "type": "object" })) },
            "/api/openapi.json": { "get": operation(
                "This document", vec![], json!({ "type": "object" })) },
        },
        "components": { "schemas": definitions() },
    })
}

fn operation(summary: &str, parameters: Vec<Value>, answer: Value) -> Value {
    let failure = |what: &str| {
        json!({
            "description": what,
            "content": { "application/json": { "schema": {
                "type": "object",
                "properties": { "error": { "type": "string" }, "message": { "type": "string" } },
            } } },
        })
    };
    json!({
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": { "description": summary, "content": { "application/json": { "schema": answer } } },
            "400": failure("The request is invalid; the message lists what is valid."),
            "403": failure("The caller has no access."),
            "404": failure("Nothing was found that the caller can see."),
            "503": failure("Too many parallel requests, or the database is not available."),
            "504": failure("The query took too long."),
        },
    })
}

fn filters<F: Filters>(paged: bool) -> Vec<Value> {
    let of = |filter: &NamedFilter<F>| parameter(filter.name, filter.help, false, filter.is_flag);
    let mut parameters: Vec<_> = F::ALL.iter().map(of).collect();
    if paged {
        parameters.push(parameter(
            "limit",
            "The number of entries, from 1 to 200; 50 by default",
            false,
            false,
        ));
        parameters.push(parameter(
            "cursor",
            "`next` of the previous page",
            false,
            false,
        ));
    }
    parameters
}

fn parameter(name: &str, description: &str, required: bool, is_flag: bool) -> Value {
    json!({
        "name": name,
        "in": "query",
        "description": description,
        "required": required,
        "schema": { "type": if is_flag { "boolean" } else { "string" } },
    })
}

fn schema(name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

/// Returns the JSON schemas of threadline's records.
fn definitions() -> Map<String, Value> {
    let file = threadline::__web::JSON_SCHEMA.replace("\"#/$defs/", "\"#/components/schemas/");
    match serde_json::from_str::<Value>(&file).map(|mut file| file["$defs"].take()) {
        Ok(Value::Object(definitions)) => definitions,
        _ => Map::new(),
    }
}
