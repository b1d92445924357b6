//! Limits on context values, checked where a value is created.

use serde_json::{Map, Value};

use super::ContextError;

/// The maximum length of an actor id, request id, correlation id, job id or source, in
/// bytes.
pub(crate) const MAX_ID_BYTES: usize = 512;

/// The maximum size of metadata as JSON, in bytes. It is stored once for each transaction.
const MAX_METADATA_BYTES: usize = 64 * 1024;

/// Checks that a text can be stored unchanged: no NUL, not above the limit.
pub(crate) fn check_text(
    field: &'static str,
    value: &str,
    limit: usize,
) -> Result<(), ContextError> {
    if value.contains('\0') {
        return Err(ContextError::NulByte { field });
    }
    if value.len() > limit {
        return Err(ContextError::TooLong {
            field,
            bytes: value.len(),
            limit,
        });
    }
    Ok(())
}

/// Checks that metadata can be stored unchanged.
pub(crate) fn check_metadata(metadata: &Map<String, Value>) -> Result<(), ContextError> {
    let json = serde_json::to_string(metadata).expect("maps with string keys become JSON");
    if json.len() > MAX_METADATA_BYTES {
        return Err(ContextError::TooLong {
            field: "metadata",
            bytes: json.len(),
            limit: MAX_METADATA_BYTES,
        });
    }
    if map_has_nul(metadata) {
        return Err(ContextError::NulByte { field: "metadata" });
    }
    Ok(())
}

fn map_has_nul(map: &Map<String, Value>) -> bool {
    map.iter()
        .any(|(name, value)| name.contains('\0') || has_nul(value))
}

fn has_nul(value: &Value) -> bool {
    match value {
        Value::String(text) => text.contains('\0'),
        Value::Array(items) => items.iter().any(has_nul),
        Value::Object(map) => map_has_nul(map),
        _ => false,
    }
}
