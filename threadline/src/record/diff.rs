use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{AuditChange, Operation, portable};
use crate::forms::{FormatVersion, text_enum};

/// The fields of a change, for display and as JSON.
///
/// ```json
/// {"format_version": 1, "operation": "update", "fields": [
///     {"column": "role", "before": "member", "after": "treasurer"},
///     {"column": "email", "before": "***", "after": "***", "prior_state": "redacted"}]}
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Diff {
    /// The version of the JSON form.
    #[serde(default)]
    pub format_version: FormatVersion,
    /// The operation.
    pub operation: Operation,
    /// The columns, in alphabetical order.
    pub fields: Vec<FieldDiff>,
}

/// One column of a [`Diff`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct FieldDiff {
    /// The column.
    pub column: String,
    /// The value before; absent for an insert. `null` is SQL's NULL.
    #[serde(
        default,
        with = "portable::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "schemars", schemars(with = "Value"))]
    pub before: Option<Value>,
    /// The value after; absent for a delete.
    #[serde(
        default,
        with = "portable::present",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "schemars", schemars(with = "Value"))]
    pub after: Option<Value>,
    /// Why the value before is unknown. A masked NULL is known: it is NULL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prior_state: Option<PriorState>,
}

text_enum! {
    /// The state of an unknown value before a change.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum PriorState: "The state of an unknown value before a change" {
        /// The policy masks the column or records a keyed hash. The audit shows that the value
        /// changed, but not from which value.
        Redacted = "redacted",
        /// A state that a newer version recorded and this version does not know.
        Unrecognized(String),
    }

    /// Returns `redacted`.
    pub fn as_str;
}

impl AuditChange {
    /// Returns the change of each column.
    pub fn diff(&self) -> Diff {
        let image = |value: &Option<Value>| value.as_ref().and_then(Value::as_object).cloned();
        let row = image(&self.row_data);
        let (before, after) = match self.operation {
            Operation::Insert => (None, row),
            Operation::Delete | Operation::Truncate => (row, None),
            _ => (image(&self.changed_from), image(&self.changed_to)),
        };
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        let mut columns: Vec<&String> = before.keys().chain(after.keys()).collect();
        columns.sort_unstable();
        columns.dedup();
        Diff {
            format_version: FormatVersion::default(),
            operation: self.operation.clone(),
            fields: columns
                .into_iter()
                .map(|column| FieldDiff {
                    prior_state: before
                        .get(column)
                        .filter(|value| !value.is_null() && self.masked.contains(column))
                        .map(|_| PriorState::Redacted),
                    column: column.clone(),
                    before: before.get(column).cloned(),
                    after: after.get(column).cloned(),
                })
                .collect(),
        }
    }
}
