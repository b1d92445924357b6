//! Conditions on the rows themselves: values of columns, and of the key.

use super::columns::AskedColumns;
use super::key_parts::{KeyPart, key_condition, key_parts, keys_condition};
use super::query::Parts;
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::filter::{Filter, FilterError, NamedColumns};
use crate::statement::filled;

/// The parts of the filter that had to be looked up.
#[derive(Debug)]
pub(super) struct Values {
    /// The queried columns of the key, each in the key of each time.
    key: Vec<Vec<KeyPart>>,
    /// For each value of a column, the tables that have the column in their key. An update
    /// shows it only there.
    in_keys: Vec<Vec<KeyPart>>,
    columns: AskedColumns,
}

impl Values {
    pub(super) async fn look_up<C: AuditConnection>(
        conn: &mut C,
        filter: &Filter,
        table: Option<i32>,
        columns: AskedColumns,
    ) -> Result<Self, Error> {
        let mut key = vec![];
        for (column, value) in &filter.key {
            let found = key_parts(conn, column, value, table).await?;
            if found.is_empty() {
                return Err(no_key_column(conn, filter, column).await);
            }
            key.push(found);
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
            in_keys.push(key_parts(conn, column, &text, table).await?);
        }
        Ok(Self {
            key,
            in_keys,
            columns,
        })
    }

    /// Returns the columns of the filter under their names of each time.
    pub(super) fn columns(&self) -> &AskedColumns {
        &self.columns
    }

    pub(super) fn conditions(&self, filter: &Filter, parts: &mut Parts) {
        if !self.key.is_empty() {
            let condition = keys_condition(&mut parts.binds, &self.key);
            parts.change.push(condition);
        }
        let mut push = |condition| parts.change.push(condition);
        let binds = &mut parts.binds;
        for column in &filter.changed {
            push(self.columns.condition(binds, column, |binds, column| {
                let column = binds.text(column);
                format!(
                    "(c.changed_to ? {column} OR c.op <> 'U' AND coalesce(c.row_data ->> {column} IS NOT NULL, false))"
                )
            }));
        }
        for (column, value) in &filter.changed_from {
            push(self.columns.condition(binds, column, |binds, column| {
                let changed = binds.json_equals(&shown("changed_from"), column, value);
                let gone = binds.json_equals(&shown("row_data"), column, value);
                format!("(c.op <> 'T' AND {changed} OR c.op IN ('D', 'T') AND {gone})")
            }));
        }
        for (column, value) in &filter.changed_to {
            push(self.columns.condition(binds, column, |binds, column| {
                let changed = binds.json_equals(&shown("changed_to"), column, value);
                let inserted = binds.json_equals(&shown("row_data"), column, value);
                format!("({changed} OR c.op = 'I' AND {inserted})")
            }));
        }
        for ((column, value), in_keys) in filter.values.iter().zip(&self.in_keys) {
            let mut ways = vec![self.columns.condition(binds, column, |binds, column| {
                let before = binds.json_equals(&shown("changed_from"), column, value);
                let after = binds.json_equals(&shown("changed_to"), column, value);
                let whole = binds.json_equals(&shown("row_data"), column, value);
                format!("(c.op <> 'T' AND {before} OR {after} OR {whole})")
            })];
            for part in in_keys {
                let condition = key_condition(binds, std::slice::from_ref(part));
                ways.push(format!("c.table_id = {} AND {condition}", part.table));
            }
            // Passed to the planner as a whole, as in `json_equals`.
            push(format!("coalesce({}, false)", ways.join(" OR ")));
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
