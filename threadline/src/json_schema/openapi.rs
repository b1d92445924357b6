//! OpenAPI schemas, generated from the JSON Schema file so that the two cannot differ.

use std::borrow::Cow;
use std::sync::OnceLock;

use serde_json::{Map, Value, json};
use utoipa::openapi::path::{ParameterBuilder, ParameterIn};
use utoipa::openapi::{ArrayBuilder, Object, RefOr, Required, Schema, Type};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use crate::filter::Filters;
use crate::queries::{CURSOR, LIMIT};
use crate::*;

/// Returns the definitions of the file, with references in OpenAPI's form.
fn definitions() -> &'static Map<String, Value> {
    static DEFINITIONS: OnceLock<Map<String, Value>> = OnceLock::new();
    DEFINITIONS.get_or_init(|| {
        let file =
            include_str!("../../schemas/v1.json").replace("\"#/$defs/", "\"#/components/schemas/");
        let mut file: Value = serde_json::from_str(&file).expect("the file of schemas is JSON");
        let mut definitions = match file["$defs"].take() {
            Value::Object(definitions) => definitions,
            _ => Map::new(),
        };
        definitions.values_mut().for_each(with_types);
        definitions
    })
}

/// Adds types for utoipa, which reads a schema by its type and requires a null for one of
/// any type.
fn with_types(schema: &mut Value) {
    if schema == &json!(true) {
        *schema = json!({});
    }
    let Value::Object(members) = schema else {
        return;
    };
    if !["type", "$ref", "anyOf", "oneOf", "allOf"]
        .iter()
        .any(|member| members.contains_key(*member))
    {
        members.insert("type".to_owned(), Value::Null);
    }
    if let Some(Value::Object(properties)) = members.get_mut("properties") {
        properties.values_mut().for_each(with_types);
    }
    if let Some(items) = members.get_mut("items") {
        with_types(items);
    }
    for choice in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(schemas)) = members.get_mut(choice) {
            schemas.iter_mut().for_each(with_types);
        }
    }
}

/// Returns the schema of this name.
fn schema(definition: &Value) -> RefOr<Schema> {
    serde_json::from_value(definition.clone()).expect("OpenAPI has what the schemas use")
}

/// Collects the schemas to which a definition refers, directly or indirectly.
fn referred(definition: &Value, found: &mut Vec<(String, RefOr<Schema>)>) {
    match definition {
        Value::Array(values) => values.iter().for_each(|value| referred(value, found)),
        Value::Object(members) => {
            let target = members.get("$ref").and_then(Value::as_str);
            if let Some(name) = target.and_then(|target| target.rsplit('/').next()) {
                if found.iter().all(|(known, _)| known != name) {
                    if let Some(definition) = definitions().get(name) {
                        found.push((name.to_owned(), schema(definition)));
                        referred(definition, found);
                    }
                }
            }
            members.values().for_each(|value| referred(value, found));
        }
        _ => {}
    }
}

macro_rules! to_schema {
    ($($type:ty, $name:literal;)+) => {$(
        impl PartialSchema for $type {
            fn schema() -> RefOr<Schema> {
                schema(&definitions()[$name])
            }
        }

        impl ToSchema for $type {
            fn name() -> Cow<'static, str> {
                $name.into()
            }

            fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
                referred(&definitions()[$name], schemas);
            }
        }
    )+};
}

to_schema! {
    ActionFilter, "ActionFilter";
    ActionStatus, "ActionStatus";
    ActorCount, "ActorCount";
    ActorEntry, "ActorEntry";
    ActorRef, "ActorRef";
    AuditAction, "AuditAction";
    AuditChange, "AuditChange";
    AuditTransaction, "AuditTransaction";
    Blame, "Blame";
    BrokenRecord, "BrokenRecord";
    ContextOrigin, "ContextOrigin";
    Correlated, "Correlated";
    Counters, "Counters";
    DayCount, "DayCount";
    Diff, "Diff";
    Erased, "Erased";
    Erasure, "Erasure";
    ErrorClass, "ErrorClass";
    FieldDiff, "FieldDiff";
    Filter, "Filter";
    Finding, "Finding";
    FindingCode, "FindingCode";
    FormatVersion, "FormatVersion";
    Health, "Health";
    Hold, "Hold";
    ModelHealth, "ModelHealth";
    ModelStatus, "ModelStatus";
    Moved, "Moved";
    OpenTransaction, "OpenTransaction";
    Operation, "Operation";
    OperationCount, "OperationCount";
    PriorState, "PriorState";
    Protection, "Protection";
    PurgePreview, "PurgePreview";
    RecordKey, "RecordKey";
    Reference, "Reference";
    ResumePoint, "ResumePoint";
    RevertConflict, "RevertConflict";
    Severity, "Severity";
    Status, "Status";
    Summary, "Summary";
    TableCount, "TableCount";
    TableStatus, "TableStatus";
    TimelineEntry, "TimelineEntry";
    TransactionReport, "TransactionReport";
    Unavailable, "Unavailable";
    Verification, "Verification";
    VerifyProgress, "VerifyProgress";
    Waiting, "Waiting";
}

#[cfg(feature = "export")]
to_schema! { Exported, "Exported"; }

impl PartialSchema for Cursor {
    fn schema() -> RefOr<Schema> {
        text("The place where a page ended; opaque.").into()
    }
}

impl ToSchema for Cursor {}

fn text(description: &str) -> Object {
    let mut text = Object::with_type(Type::String);
    text.description = Some(description.to_owned());
    text
}

/// The parameters of the query, `limit` and `cursor`.
impl<Q: Question> IntoParams for PageRequest<Q> {
    fn into_params(
        within: impl Fn() -> Option<ParameterIn>,
    ) -> Vec<utoipa::openapi::path::Parameter> {
        let parameter = |name: &str, description: &str, schema: RefOr<Schema>| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(within().unwrap_or(ParameterIn::Query))
                .required(Required::False)
                .description(Some(description))
                .schema(Some(schema))
                .build()
        };
        let string = || RefOr::T(Object::with_type(Type::String).into());
        let mut parameters: Vec<_> = Q::Filters::ALL
            .iter()
            .map(|filter| {
                let schema = if filter.repeats {
                    RefOr::T(ArrayBuilder::new().items(string()).build().into())
                } else {
                    string()
                };
                let mut parameter = parameter(filter.name, filter.help, schema);
                if Q::NEEDS.contains(&filter.name) {
                    parameter.required = Required::True;
                }
                parameter
            })
            .collect();
        let limit = Object::with_type(Type::Integer).into();
        parameters.push(parameter(
            LIMIT,
            "The maximum number of entries",
            RefOr::T(limit),
        ));
        parameters.push(parameter(
            CURSOR,
            "The place to continue at: `next` of the previous page",
            string(),
        ));
        parameters
    }
}
