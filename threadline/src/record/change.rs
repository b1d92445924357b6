use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{AuditTransaction, portable};
use crate::context::ActorRef;
use crate::forms::open_text;
#[cfg(feature = "schemars")]
use crate::forms::schema::{Columns, Instant};

/// One row inserted, updated, deleted or truncated on an audited table.
///
/// Values are JSON. Those of `numeric` columns are strings, digit for digit,
/// because a JSON number would become a binary float; `bytea` is PostgreSQL's
/// hex text, times are ISO 8601 in UTC.
///
/// Serialized, it has the form of an export's entries; integers beyond 2^53 are
/// strings then, because most readers of JSON would round them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AuditChange {
    /// Rises with every change; orders the changes of a record.
    pub id: i64,
    /// The table's schema. `None` if the row names a table that was never audited.
    pub schema: Option<String>,
    /// The table's name; a partitioned table's own, whichever partition was written.
    pub table: Option<String>,
    /// What was done.
    pub operation: Operation,
    /// The primary key, such as `{"id": 42}`.
    #[serde(default, with = "portable::optional")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Columns>"))]
    pub key: Option<Value>,
    /// The key before an update that changed the key.
    #[serde(default, with = "portable::optional")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Columns>"))]
    pub previous_key: Option<Value>,
    /// Update: the old values of the changed columns. `None` on insert and delete.
    #[serde(default, with = "portable::optional")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Columns>"))]
    pub changed_from: Option<Value>,
    /// Update: the new values of the changed columns.
    #[serde(default, with = "portable::optional")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Columns>"))]
    pub changed_to: Option<Value>,
    /// Insert: the row as inserted. Delete and truncate: the row that went. Update
    /// of the key: the row before.
    #[serde(default, with = "portable::optional")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Columns>"))]
    pub row_data: Option<Value>,
    /// The columns of which there are placeholders or tokens here and not values: those that
    /// the policy redacts now, under the names that they had then.
    pub masked: Vec<String>,
    /// When the trigger saw the change.
    #[serde(with = "portable::instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Instant"))]
    pub captured_at: DateTime<Utc>,
    /// The transaction, with its actor.
    pub transaction: AuditTransaction,
}

impl AuditChange {
    /// The columns that an update changed, or that an insert or delete
    /// recorded, in alphabetical order.
    pub fn changed_fields(&self) -> Vec<&str> {
        let image = self.changed_to.as_ref().or(self.row_data.as_ref());
        let mut fields: Vec<_> = image
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(Map::keys)
            .map(String::as_str)
            .collect();
        fields.sort_unstable();
        fields
    }

    /// Who made the change.
    pub fn actor(&self) -> Option<&ActorRef> {
        self.transaction.actor.as_ref()
    }
}

/// What was done to a row.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)
)]
#[cfg_attr(feature = "schema", diesel(sql_type = diesel::sql_types::Text))]
#[non_exhaustive]
pub enum Operation {
    /// The row was inserted.
    Insert,
    /// Columns of the row were changed.
    Update,
    /// The row was deleted.
    Delete,
    /// The row went with a `TRUNCATE`.
    Truncate,
    /// An operation that was recorded and that this version does not know.
    Unrecognized(String),
}

impl Operation {
    /// `insert`, `update`, `delete` or `truncate`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Truncate => "truncate",
            Self::Unrecognized(op) => op,
        }
    }

    pub(crate) fn recorded(op: String) -> Self {
        match op.as_str() {
            "I" => Self::Insert,
            "U" => Self::Update,
            "D" => Self::Delete,
            "T" => Self::Truncate,
            _ => Self::Unrecognized(op),
        }
    }

    /// From [`as_str`](Self::as_str).
    pub(crate) fn named(name: String) -> Self {
        [Self::Insert, Self::Update, Self::Delete, Self::Truncate]
            .into_iter()
            .find(|operation| operation.as_str() == name)
            .unwrap_or(Self::Unrecognized(name))
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

open_text!(
    Operation,
    Operation::named,
    "What was done to a row: insert, update, delete, truncate, or what a newer version records."
);
