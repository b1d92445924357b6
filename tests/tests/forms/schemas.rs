//! The schemas in the repository match the types.

use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::{Value, json};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../threadline/schemas/v1.json")
}

/// Returns the file in the repository.
pub(crate) fn file() -> &'static Value {
    static FILE: OnceLock<Value> = OnceLock::new();
    FILE.get_or_init(|| {
        let text = std::fs::read_to_string(path()).expect("the schemas are in the repository");
        serde_json::from_str(&text).expect("the schemas are JSON")
    })
}

/// Asserts that a document matches the schema of this name.
#[track_caller]
pub(crate) fn assert_valid(name: &str, document: &Value) {
    assert!(file()["$defs"][name].is_object(), "no schema {name}");
    let schema = json!({
        "$schema": file()["$schema"], "$ref": format!("#/$defs/{name}"), "$defs": file()["$defs"],
    });
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&schema)
        .expect("a schema");
    let errors: Vec<_> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(errors, [] as [&str; 0], "{name}: {document:#}");
}

#[test]
fn the_file_is_what_the_types_make() {
    let text = format!(
        "{}\n",
        serde_json::to_string_pretty(&threadline::__schema::json_schema()).unwrap()
    );
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(path(), &text).unwrap();
    }
    let file = std::fs::read_to_string(path()).unwrap_or_default();
    assert!(
        file == text,
        "threadline/schemas/v1.json is not what the types make; run this test with INSTA_UPDATE=always, look at the difference, and commit it"
    );
}

#[test]
fn documents_of_another_form_are_not_valid() {
    let waiting = json!({"entries": 1, "since": null, "set_aside": 0, "last_posted_at": null});
    assert_valid("Waiting", &waiting);
    for (member, wrong) in [
        ("entries", json!("1")),
        ("since", json!("yesterday")),
        ("set_aside", Value::Null),
    ] {
        let mut other = waiting.clone();
        other[member] = wrong;
        assert!(
            std::panic::catch_unwind(|| assert_valid("Waiting", &other)).is_err(),
            "{other}"
        );
    }
}

/// Lists that stay closed: the version, the columns of a scope, since a scope that a version
/// does not know must not be taken for another, and the kinds of lines of a subject's export,
/// which nothing reads back. A newer version may add to every other list.
const CLOSED: [&str; 3] = ["FormatVersion", "ScopeColumns", "SubjectLine"];

#[test]
fn a_list_of_texts_is_open_unless_it_is_closed_on_purpose() {
    fn lists(schema: &Value) -> bool {
        match schema {
            Value::Object(members) => {
                members.contains_key("enum")
                    || members.contains_key("const")
                    || members.values().any(lists)
            }
            Value::Array(schemas) => schemas.iter().any(lists),
            _ => false,
        }
    }
    let definitions = file()["$defs"].as_object().unwrap();
    let closed: Vec<_> = definitions
        .iter()
        .filter(|(_, schema)| lists(schema))
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(
        closed, CLOSED,
        "give the type `open_text!`, as `Operation` has it"
    );
    // For each open list, this version reads an unknown value, and writes it unchanged.
    macro_rules! read_again {
        ($($type:ident)+) => {$(
            let text = json!("of a newer version");
            let read: threadline::$type = serde_json::from_value(text.clone()).unwrap();
            assert_eq!(serde_json::to_value(&read).unwrap(), text, stringify!($type));
            assert_eq!(definitions[stringify!($type)]["type"], "string");
        )+};
    }
    read_again!(ActionStatus ContextOrigin ErrorClass FindingCode ModelStatus Moved Operation PriorState Severity);
}

#[test]
fn texts_that_are_known_are_read_back_as_such() {
    use threadline::{ModelStatus, Moved, PriorState, Severity};

    macro_rules! known {
        ($($type:ident: $($variant:ident $text:literal)+;)+) => {$($(
            let read: $type = serde_json::from_value(json!($text)).unwrap();
            assert_eq!(read, $type::$variant);
            assert_eq!(serde_json::to_value(read).unwrap(), json!($text));
        )+)+};
    }
    known! {
        ModelStatus: Current "current" ColumnsAdded "columns_added" PolicyDiffers "policy_differs"
            CaptureOutdated "capture_outdated" TriggersAltered "triggers_altered"
            SchemaOutdated "schema_outdated" NotAudited "not_audited" TableMissing "table_missing";
        Moved: In "in" Out "out";
        PriorState: Redacted "redacted";
        Severity: Error "error" Warning "warning" Info "info";
    }
}
