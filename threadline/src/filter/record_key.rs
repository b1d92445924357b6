use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::statement::TypedKey;

/// The key of a record as the audit writes it: `42`, or with several columns their values
/// in the order of the key, `["acme", "7"]`. Times are ISO 8601 in UTC, as in
/// [`AuditChange::key`](crate::AuditChange::key).
///
/// To filter by a key of the model's types, use
/// [`Filter::record_of`](crate::Filter::record_of).
#[derive(Debug, Clone, PartialEq)]
pub struct RecordKey(pub(crate) Key);

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Key {
    Texts(Vec<String>),
    Typed(TypedKey),
}

impl<T: ToString> From<T> for RecordKey {
    fn from(value: T) -> Self {
        Self::of([value])
    }
}

impl RecordKey {
    /// Creates a key of one or several columns.
    pub fn of<T: ToString>(values: impl IntoIterator<Item = T>) -> Self {
        Self(Key::Texts(
            values.into_iter().map(|value| value.to_string()).collect(),
        ))
    }

    #[doc(hidden)]
    pub fn into_values(self) -> Vec<String> {
        match self.0 {
            Key::Texts(values) => values,
            Key::Typed(_) => vec![],
        }
    }
}

/// Serializes the values. A key of the model's types is refused, because only the database
/// can convert it.
impl Serialize for RecordKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Key::Texts(values) => values.serialize(serializer),
            Key::Typed(_) => Err(serde::ser::Error::custom(
                "a key that was given with `Filter::record_of` has no JSON form; give it as text, with `Filter::record`",
            )),
        }
    }
}

impl<'de> Deserialize<'de> for RecordKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Vec::deserialize(deserializer).map(|values| Self(Key::Texts(values)))
    }
}

#[cfg(feature = "schemars")]
impl schemars::JsonSchema for RecordKey {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RecordKey".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "array",
            "items": {"type": "string"},
            "description": "The values of the key as texts, in the order of the key.",
        })
    }
}
