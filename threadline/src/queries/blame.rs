use std::collections::BTreeMap;

use diesel::sql_types::{Integer, Nullable};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::column_names::ColumnNames;
use super::report::actions_of;
use crate::action::AuditAction;
use crate::connection::AuditConnection;
use crate::context::ActorRef;
use crate::error::Error;
use crate::record::{AuditChange, Operation, portable};
use crate::run;
use crate::statement::{Bind, Typed};

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

/// The place of the last change of a column, and the value that it gave the column.
pub type Last = (usize, Value);

/// Returns the last change of each present column of a record among its changes, newest first.
/// Columns that were not changed are omitted.
pub async fn last_changes<C: AuditConnection>(
    conn: &mut C,
    changes: &[&AuditChange],
) -> Result<BTreeMap<String, Last>, Error> {
    let Some(newest) = changes.first() else {
        return Ok(BTreeMap::new());
    };
    let query = Typed::<Nullable<Integer>>::new(
        include_str!("table_of_change.sql"),
        [Bind::BigInt(newest.transaction.id), Bind::BigInt(newest.id)],
    );
    let table: Vec<Option<i32>> = run::read(conn, query).await?;
    let columns = match table.into_iter().flatten().next() {
        Some(table) => ColumnNames::look_up(conn, table).await?,
        None => return Ok(BTreeMap::new()),
    };
    let mut last = BTreeMap::new();
    let mut missing = columns.now().to_vec();
    for (place, change) in changes.iter().enumerate() {
        let image = match change.operation {
            Operation::Insert => &change.row_data,
            // A deletion does not show who set the deleted values.
            Operation::Delete | Operation::Truncate if last.is_empty() => continue,
            // Older changes belong to an earlier record of this key.
            Operation::Delete | Operation::Truncate => break,
            _ => &change.changed_to,
        };
        if let Some(Value::Object(image)) = image {
            missing.retain(|column| {
                let name = columns.name_at(column, change.captured_at);
                let value = name.and_then(|name| image.get(&name));
                if let Some(value) = value {
                    last.insert(column.clone(), (place, value.clone()));
                }
                value.is_none()
            });
        }
        if change.operation == Operation::Insert || missing.is_empty() {
            break;
        }
    }
    Ok(last)
}

/// Returns the last change of each present column in the history of a record, newest first.
/// Columns that have not changed since the audit began are omitted.
pub async fn blame<C: AuditConnection>(
    conn: &mut C,
    history: Vec<AuditChange>,
) -> Result<Vec<Blame>, Error> {
    let changes: Vec<_> = history.iter().collect();
    let last = last_changes(conn, &changes).await?;
    let transactions = last
        .values()
        .map(|(place, _)| history[*place].transaction.id)
        .collect();
    let actions = actions_of(conn, transactions).await?;
    Ok(last
        .into_iter()
        .map(|(column, (place, value))| {
            let change = history[place].clone();
            Blame {
                actions: actions
                    .iter()
                    .filter(|action| action.transaction_id == Some(change.transaction.id))
                    .cloned()
                    .collect(),
                column,
                value,
                change,
            }
        })
        .collect())
}
