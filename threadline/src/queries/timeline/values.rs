//! Conditions on the rows themselves: values of columns, and of the key.

use super::key_parts::{KeyPart, key_condition, key_parts};
use super::query::Parts;
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::filter::{Filter, FilterError};
use crate::run;
use crate::statement::filled;

/// The parts of the filter that had to be looked up.
#[derive(Debug)]
pub(super) struct Values {
    /// The queried columns of the key.
    key: Vec<KeyPart>,
    /// For each value of a column, the tables that have the column in their key. An update
    /// shows it only there.
    in_keys: Vec<Vec<KeyPart>>,
}

impl Values {
    pub(super) async fn look_up<C: AuditConnection>(
        conn: &mut C,
        filter: &Filter,
        table: Option<i32>,
    ) -> Result<Self, Error> {
        let mut key = vec![];
        for (column, value) in &filter.key {
            let found = key_parts(conn, column, value, table).await;
            let found = run::understood(conn, found).await?;
            if found.is_empty() {
                return Err(no_key_column(conn, filter, column).await);
            }
            key.extend(found);
        }
        let mut in_keys = vec![];
        for (column, value) in &filter.values {
            let text = match value {
                serde_json::Value::String(text) => text.clone(),
                serde_json::Value::Number(number) => number.to_string(),
                // No key has the column.
                _ => {
                    in_keys.push(vec![]);
                    continue;
                }
            };
            let found = key_parts(conn, column, &text, table).await;
            in_keys.push(run::understood(conn, found).await?);
        }
        Ok(Self { key, in_keys })
    }

    pub(super) fn conditions(&self, filter: &Filter, parts: &mut Parts) {
        if !self.key.is_empty() {
            let condition = key_condition(parts, &self.key);
            parts.change.push(condition);
        }
        for column in &filter.changed {
            let column = parts.binds.text(column);
            parts.change.push(format!(
                "(c.changed_to ? {column} OR c.op <> 'U' AND coalesce(c.row_data ->> {column} IS NOT NULL, false))"
            ));
        }
        for (column, value) in &filter.changed_from {
            let changed = parts
                .binds
                .json_equals(&shown("changed_from"), column, value);
            let gone = parts.binds.json_equals(&shown("row_data"), column, value);
            parts.change.push(format!(
                "(c.op <> 'T' AND {changed} OR c.op IN ('D', 'T') AND {gone})"
            ));
        }
        for (column, value) in &filter.changed_to {
            let changed = parts.binds.json_equals(&shown("changed_to"), column, value);
            let inserted = parts.binds.json_equals(&shown("row_data"), column, value);
            parts
                .change
                .push(format!("({changed} OR c.op = 'I' AND {inserted})"));
        }
        for ((column, value), in_keys) in filter.values.iter().zip(&self.in_keys) {
            let before = parts
                .binds
                .json_equals(&shown("changed_from"), column, value);
            let after = parts.binds.json_equals(&shown("changed_to"), column, value);
            let whole = parts.binds.json_equals(&shown("row_data"), column, value);
            let mut ways = vec![format!("c.op <> 'T' AND {before}"), after, whole];
            for part in in_keys {
                let condition = key_condition(parts, std::slice::from_ref(part));
                ways.push(format!("c.table_id = {} AND {condition}", part.table));
            }
            // Passed to the planner as a whole, as in `json_equals`.
            parts
                .change
                .push(format!("coalesce({}, false)", ways.join(" OR ")));
        }
    }
}

/// Returns an image as readers see it. A hidden value cannot be found by a search either.
pub(super) fn shown(image: &str) -> String {
    filled(include_str!("shown.sql"), &[("image", image)])
}

/// Returns the error that names the key columns of the table.
async fn no_key_column<C: AuditConnection>(conn: &mut C, filter: &Filter, column: &str) -> Error {
    let table = filter.table.clone().unwrap_or_default();
    match super::query::resolve_table(conn, filter, &table).await {
        Ok((_, key)) => FilterError::KeyColumn {
            table,
            column: column.to_owned(),
            columns: if key.is_empty() {
                "none".to_owned()
            } else {
                key.join(", ")
            },
        }
        .into(),
        Err(error) => error,
    }
}
