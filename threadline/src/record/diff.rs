use serde::Serialize;
use serde_json::Value;

use super::{AuditChange, Operation};

/// The version of the form that [`Diff`] has as JSON.
const FORMAT_VERSION: u32 = 1;

/// A change field by field, for showing and for passing on as JSON.
///
/// ```json
/// {"format_version": 1, "op": "update", "fields": [
///     {"column": "role", "before": "member", "after": "treasurer"},
///     {"column": "email", "before": "***", "after": "***", "prior_state": "redacted"}]}
/// ```
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Diff {
    /// Rises when the form changes in a way that a reader must know of.
    pub format_version: u32,
    /// `insert`, `update`, `delete` or `truncate`.
    pub op: String,
    /// The columns, in alphabetical order.
    pub fields: Vec<FieldDiff>,
}

/// One column of a [`Diff`].
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct FieldDiff {
    /// The column.
    pub column: String,
    /// Its value before; not there for an insert. `null` is SQL's NULL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    /// Its value after; not there for a delete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
    /// Why the value before cannot be known. A masked NULL is known: it is NULL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prior_state: Option<PriorState>,
}

/// What is known of a value before a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PriorState {
    /// The policy masks the column, or has it recorded as a token: that it changed is on
    /// record, from what is not.
    Redacted,
}

impl AuditChange {
    /// What the change did to each column.
    pub fn diff(&self) -> Diff {
        let image = |value: &Option<Value>| value.as_ref().and_then(Value::as_object).cloned();
        let row = image(&self.row_data);
        let (before, after) = match self.op {
            Operation::Insert => (None, row),
            Operation::Delete | Operation::Truncate => (row, None),
            _ => (image(&self.changed_from), image(&self.changed_to)),
        };
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        let mut columns: Vec<&String> = before.keys().chain(after.keys()).collect();
        columns.sort_unstable();
        columns.dedup();
        Diff {
            format_version: FORMAT_VERSION,
            op: self.op.as_str().to_owned(),
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
