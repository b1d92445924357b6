use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::portable;
#[cfg(feature = "schemars")]
use crate::forms::schema::Columns;

/// Why something was not put back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct RevertConflict {
    /// The table, qualified, as far as it is known.
    pub table: Option<String>,
    /// The record's key.
    #[serde(default, with = "portable::optional")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Columns>"))]
    pub key: Option<Value>,
    /// The change that was to be undone; `None` when a record was to be put back
    /// to an instant.
    pub change_id: Option<i64>,
    /// What stands against it, such as `changed since: role`.
    pub reason: String,
}
