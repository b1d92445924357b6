use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::portable;
#[cfg(feature = "schemars")]
use crate::forms::schema::Columns;

/// The reason why a change was not reverted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RevertConflict {
    /// The qualified name of the table, if known.
    pub table: Option<String>,
    /// The key of the record.
    #[serde(default, with = "portable::optional")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Columns>"))]
    pub key: Option<Value>,
    /// The change that was to be reverted; `None` when a record was to be reverted to an
    /// instant.
    pub change_id: Option<i64>,
    /// The reason, such as `changed since: role`.
    pub reason: String,
}
