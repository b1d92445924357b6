//! The OpenAPI document, from the filters and the JSON schemas of threadline.

use serde_json::{Map, Value, json};
use threadline::__cli::{Filters, NamedFilter};
use threadline::{ActionFilter, Filter};

use crate::bundle::SCHEMA;

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
            "/api/export-job": { "get": operation(
                "An export in the background: its state, and the path of its file once it is complete",
                vec![id()], schema("ExportJob")) },
            "/export": { "post": exporting() },
            "/export-job": { "post": ending() },
            "/export-file": { "get": file(
                "The file of an export, for the viewer who began it", vec![id()]) },
            "/report.json": { "post": reporting() },
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

fn id() -> Value {
    parameter("id", "The id of the export", true, false)
}

/// Describes a form, whose fields are not in the URL.
fn form(mut operation: Value, fields: &[(&str, &str, bool)]) -> Value {
    let required: Vec<_> = fields.iter().filter(|field| field.2).map(|f| f.0).collect();
    let properties: Map<String, Value> = fields
        .iter()
        .map(|(name, description, _)| {
            let field = json!({ "type": "string", "description": description });
            ((*name).to_owned(), field)
        })
        .collect();
    operation["requestBody"] = json!({
        "required": true,
        "content": { "application/x-www-form-urlencoded": { "schema": {
            "type": "object", "properties": properties, "required": required,
        } } },
    });
    operation
}

/// Describes a response that is a file. Its failures are pages.
fn file(summary: &str, parameters: Vec<Value>) -> Value {
    let kinds = ["text/csv", "application/json", "application/x-ndjson"];
    let content: Map<String, Value> = kinds
        .into_iter()
        .map(|kind| (kind.to_owned(), json!({})))
        .collect();
    json!({
        "summary": summary,
        "parameters": parameters,
        "responses": {
            "200": { "description": "The complete file", "content": content },
            "403": { "description": "The viewer may not export, or sees less than when the export began." },
            "404": { "description": "There is no such export of the viewer in this process." },
            "409": { "description": "The file is not complete." },
        },
    })
}

const SEARCH: (&str, &str, bool) = ("q", "The search line; empty for all changes", false);

fn exporting() -> Value {
    let mut operation = file(
        "Exports changes: a small export is streamed, a larger one runs in the background",
        vec![],
    );
    operation["responses"] = json!({
        "200": { "description": "The export; it is complete if the response is" },
        "303": { "description": "The export runs in the background: `Location` has its `id`." },
        "400": { "description": "The search or the format is invalid." },
        "403": { "description": "The viewer may not export." },
        "409": { "description": "The viewer has too many exports." },
        "503": { "description": "Too many exports wait, or the database is not available." },
        "507": { "description": "The directory of exports is missing or not writable." },
    });
    form(
        operation,
        &[SEARCH, ("format", "`csv`, `json` or `ndjson`", true)],
    )
}

fn ending() -> Value {
    let operation = json!({
        "summary": "Cancels an export in the background, or removes it and its file",
        "parameters": [],
        "responses": {
            "303": { "description": "The export has ended." },
            "403": { "description": "The viewer may not export, or sees less than when the export began." },
            "404": { "description": "There is no such export of the viewer in this process." },
        },
    });
    form(
        operation,
        &[
            ("id", "The id of the export", true),
            ("step", "`cancel` or `remove`", true),
        ],
    )
}

fn reporting() -> Value {
    let summary = "An incident report of the newest changes that a search finds";
    let mut operation = file(summary, vec![]);
    operation["responses"] = json!({
        "200": {
            "description": summary,
            "content": { "application/json": { "schema": schema("IncidentReport") } },
        },
        "400": { "description": "The search is invalid." },
        "403": { "description": "The viewer may not export." },
        "504": { "description": "The query took too long." },
    });
    let title = ("title", "The title of the report", false);
    form(operation, &[SEARCH, title])
}

/// Returns the schema of an export in the background.
fn export_job() -> Value {
    json!({
        "type": "object",
        "properties": {
            "id": { "type": "string" },
            "search": { "type": "string", "description": "The search line" },
            "format": { "type": "string", "enum": ["csv", "json", "ndjson"] },
            "begun_at": { "type": "string", "format": "date-time" },
            "state": { "type": "string", "enum": ["waiting", "counting", "writing", "done", "failed", "cancelled"] },
            "changes": { "type": "integer", "description": "The number of changes written so far" },
            "total": { "type": ["integer", "null"], "description": "The number of changes, if it is known" },
            "bytes": { "type": "integer" },
            "file": { "type": ["string", "null"], "description": "The path of the complete file, relative to the explorer" },
            "removed_at": { "type": ["string", "null"], "format": "date-time" },
            "error": {
                "type": ["object", "null"],
                "properties": { "error": { "type": "string" }, "message": { "type": "string" } },
            },
        },
        "required": ["id", "search", "format", "begun_at", "state", "changes", "total", "bytes", "file", "removed_at", "error"],
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

/// Returns the JSON schemas of threadline's records, of the incident report and of an export.
fn definitions() -> Map<String, Value> {
    let mut definitions = Map::new();
    // The records of threadline replace the same ones of the report.
    for file in [SCHEMA, threadline::__web::JSON_SCHEMA] {
        let file = file.replace("\"#/$defs/", "\"#/components/schemas/");
        let mut file: Value = serde_json::from_str(&file).unwrap_or_default();
        if let Value::Object(all) = file["$defs"].take() {
            definitions.extend(all);
        }
        if file["title"] == "IncidentReport" {
            let members = ["type", "description", "properties", "required"];
            let report: Map<_, _> = members
                .into_iter()
                .map(|name| (name.to_owned(), file[name].take()))
                .collect();
            definitions.insert("IncidentReport".to_owned(), report.into());
        }
    }
    definitions.insert("ExportJob".to_owned(), export_job());
    definitions
}
