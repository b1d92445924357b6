use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use serde_json::Value;

use super::report::actions_of;
use crate::action::AuditAction;
use crate::connection::AuditConnection;
use crate::context::ActorRef;
use crate::error::Error;
use crate::record::{AuditChange, Operation, portable};
use crate::run;

/// The last change of a column of a record: who gave it the value that it has, or had when
/// the record was deleted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Blame {
    /// The column.
    pub column: String,
    /// The value that the change gave the column.
    #[serde(with = "portable::value")]
    #[cfg_attr(feature = "schemars", schemars(with = "Value"))]
    pub value: Value,
    /// The last change of the column.
    pub change: AuditChange,
    /// The recorded actions of its transaction.
    pub actions: Vec<AuditAction>,
}

impl Blame {
    /// Returns the actor of the change.
    pub fn actor(&self) -> Option<&ActorRef> {
        self.change.actor()
    }
}

/// Returns the last change of each column in the history of a record, newest first. Columns
/// that have not changed since the audit began are omitted.
pub async fn blame<C: AuditConnection>(
    conn: &mut C,
    history: Vec<AuditChange>,
) -> Result<Vec<Blame>, Error> {
    let mut last: BTreeMap<String, (Value, AuditChange)> = BTreeMap::new();
    for change in history {
        let image = match change.operation {
            Operation::Insert => &change.row_data,
            // A deletion does not show who set the deleted values.
            Operation::Delete | Operation::Truncate if last.is_empty() => continue,
            // Older changes belong to an earlier record of this key.
            Operation::Delete | Operation::Truncate => break,
            _ => &change.changed_to,
        };
        for (column, value) in image
            .as_ref()
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            last.entry(column.clone())
                .or_insert_with(|| (value.clone(), change.clone()));
        }
        if change.operation == Operation::Insert {
            break;
        }
    }
    let transactions = last
        .values()
        .map(|(_, change)| change.transaction.id)
        .collect();
    let actions = actions_of(conn, transactions).await;
    let actions = run::understood(conn, actions).await?;
    Ok(last
        .into_iter()
        .map(|(column, (value, change))| Blame {
            actions: actions
                .iter()
                .filter(|action| action.transaction_id == Some(change.transaction.id))
                .cloned()
                .collect(),
            column,
            value,
            change,
        })
        .collect())
}
