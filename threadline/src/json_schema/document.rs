/// Returns the schema of all records, the content of `schemas/v1.json`.
pub(crate) fn document() -> serde_json::Value {
    use serde_json::Value;

    use crate::erasure::SubjectLine;
    use crate::export::{ExportEnd, ExportEntry, Exported};
    use crate::forms::{Checked, Count};
    use crate::*;

    macro_rules! add {
        ($generator:ident, $($type:ty),+ $(,)?) => {
            $($generator.subschema_for::<$type>();)+
        };
    }

    // Written records have all members.
    let settings = schemars::generate::SchemaSettings::draft2020_12();
    let mut written = settings.clone().for_serialize().into_generator();
    add!(
        written,
        Page<TimelineEntry>,
        Page<ActorEntry>,
        Page<AuditAction>,
        Diff,
        Blame,
        TransactionReport,
        Correlated,
        Summary,
        Version<Value>,
        PastRecord<Value>,
        Unavailable,
        RevertConflict,
        Health,
        Status,
        Verification,
        VerifyProgress,
        Waiting,
        PurgePreview,
        Erased,
        Exported,
        ErrorClass,
        ExportEntry<'_>,
        ExportEnd,
        SubjectLine,
        Checked,
        Count,
    );
    // Records that are read may lack some members.
    let mut read = settings.for_deserialize().into_generator();
    add!(read, Filter, ActionFilter, Hold, Erasure, Protection);
    let mut definitions = read.take_definitions(true);
    definitions.extend(written.take_definitions(true));
    definitions.insert(
        "ExportDocument".to_owned(),
        serde_json::json!({
            "type": "object",
            "description": "An export as one document.",
            "properties": {
                "format_version": {"$ref": "#/$defs/FormatVersion"},
                "generated_at": {"type": "string", "format": "date-time"},
                "changes": {"type": "array", "items": {"$ref": "#/$defs/ExportEntry"}},
                "count": {"type": "integer", "minimum": 0},
                "truncated": {"type": "boolean"},
            },
            "required": ["format_version", "generated_at", "changes", "count", "truncated"],
        }),
    );
    definitions.insert(
        "Row".to_owned(),
        serde_json::json!({
            "type": "object",
            "description": "A past row: its columns and their values.",
            "additionalProperties": true,
        }),
    );
    definitions.sort_keys();
    definitions.values_mut().for_each(tidy);
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Threadline",
        "description": "The JSON form of everything that Threadline writes and reads. Generated from the types; do not edit.",
        "$defs": definitions,
    })
}

/// Removes what only matters to Rust, for code generators of other languages: descriptions
/// become the first paragraph of the rustdoc, alternatives of texts become a list, and
/// optional members need no default.
pub fn tidy(schema: &mut serde_json::Value) {
    use serde_json::Value;

    match schema {
        Value::Array(schemas) => schemas.iter_mut().for_each(tidy),
        Value::Object(members) => {
            members.remove("default");
            if let Some(Value::String(text)) = members.get_mut("description") {
                *text = plain(text);
            }
            let choice = members.get("oneOf").and_then(Value::as_array);
            let texts: Option<Vec<Value>> = choice.and_then(|choice| {
                let text = |one: &Value| one.get("const").cloned();
                choice.iter().map(text).collect()
            });
            if let Some(texts) = texts {
                members.remove("oneOf");
                members.insert("type".to_owned(), "string".into());
                members.insert("enum".to_owned(), texts.into());
            }
            members.values_mut().for_each(tidy);
        }
        _ => {}
    }
}

/// Returns the first paragraph in one line, without the targets of links.
fn plain(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let mut plain = String::new();
    let mut rest = paragraph;
    while let Some((before, link)) = rest.split_once('[') {
        plain.push_str(before);
        let (label, after) = link.split_once(']').unwrap_or((link, ""));
        plain.push_str(label);
        rest = match after.strip_prefix('(') {
            Some(target) => target.split_once(')').map_or("", |(_, after)| after),
            None => after,
        };
    }
    plain.push_str(rest);
    plain.replace('\n', " ")
}
