//! The schemas in the repository are those of the types.

use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::{Value, json};

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../threadline/schemas/v1.json")
}

/// The file as it is in the repository.
pub(crate) fn file() -> &'static Value {
    static FILE: OnceLock<Value> = OnceLock::new();
    FILE.get_or_init(|| {
        let text = std::fs::read_to_string(path()).expect("the schemas are in the repository");
        serde_json::from_str(&text).expect("the schemas are JSON")
    })
}

/// Whether a document is what the schema of this name says.
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
fn what_is_none_of_the_form_is_not_valid() {
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
