use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{AuditTransaction, portable};
use crate::context::ActorRef;
#[cfg(feature = "schemars")]
use crate::forms::schema::{Columns, Instant};
use crate::forms::text_column;

/// A change of one row of an audited table: an insert, update, delete or truncate.
///
/// Values are JSON. Values of `numeric` columns are strings with all their digits, because
/// a JSON number would become a binary float. `bytea` values are PostgreSQL's hex text, and
/// times are ISO 8601 in UTC.
///
/// Serialized, it has the form of an entry of an export. Integers beyond 2^53 are then
/// strings, because most JSON parsers would round them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AuditChange {
    /// The id of the change. Ids increase, and order the changes of a record.
    pub id: i64,
    /// The schema of the table. `None` if the row refers to a table that was never audited.
    pub schema: Option<String>,
    /// The name of the table. For a partitioned table, the name of the parent, whichever
    /// partition was written.
    pub table: Option<String>,
    /// The operation.
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
    /// Insert: the inserted row. Delete and truncate: the removed row. Update of the key:
    /// the row before.
    #[serde(default, with = "portable::optional")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Columns>"))]
    pub row_data: Option<Value>,
    /// The columns whose values here are placeholders or keyed hashes: those that the
    /// policy redacts now, under the names that they had at the time.
    pub masked: Vec<String>,
    /// The time at which the trigger captured the change.
    #[serde(with = "portable::instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Instant"))]
    pub captured_at: DateTime<Utc>,
    /// The transaction, with its actor.
    pub transaction: AuditTransaction,
}

impl AuditChange {
    /// Returns the columns that an update changed, or that an insert or delete recorded, in
    /// alphabetical order.
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

    /// Returns the actor of the change.
    pub fn actor(&self) -> Option<&ActorRef> {
        self.transaction.actor.as_ref()
    }
}

text_column! {
    /// The operation that changed a row.
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub enum Operation: "The operation that changed a row" {
        /// The row was inserted.
        Insert = "insert",
        /// Columns of the row were changed.
        Update = "update",
        /// The row was deleted.
        Delete = "delete",
        /// The row was removed by a `TRUNCATE`.
        Truncate = "truncate",
        /// A recorded operation that this version does not know.
        Unrecognized(String),
    }

    /// Returns `insert`, `update`, `delete` or `truncate`.
    pub fn as_str;
}

impl Operation {
    pub(crate) fn recorded(op: String) -> Self {
        match op.as_str() {
            "I" => Self::Insert,
            "U" => Self::Update,
            "D" => Self::Delete,
            "T" => Self::Truncate,
            _ => Self::Unrecognized(op),
        }
    }
}
