//! The audited tables, for pages.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, Integer, Jsonb, Nullable, Text, Timestamptz};
use serde_json::Value;

use super::timeline::KnownScope;
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::filter::Scope;
use crate::record::{AnyJson, AnyTime};
use crate::run;
use crate::statement::Typed;

/// A table that is or was audited.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TableInfo {
    /// The number of the table in the audit.
    pub id: i32,
    /// The table's schema.
    pub schema: String,
    /// The table's name.
    pub name: String,
    /// The name by which a filter finds it.
    pub sql_name: String,
    /// The key columns, in order.
    pub key: Vec<String>,
    /// The start of the audit without interruption.
    pub since: DateTime<Utc>,
    /// The end of the audit, if it has ended.
    pub until: Option<DateTime<Utc>>,
    /// The visible columns, each with its column policy: `plain`, `mask`, `hash` or
    /// `exclude`.
    pub columns: Vec<(String, String)>,
}

impl TableInfo {
    /// Returns whether this is a name of the table, as in SQL.
    pub fn is_called(&self, name: &str) -> bool {
        name == self.sql_name || name == format!("{}.{}", self.schema, self.name)
    }
}

/// Returns the tables of a scope, or all tables without one.
pub async fn tables<C: AuditConnection>(
    conn: &mut C,
    scope: Option<&Scope>,
) -> Result<Vec<TableInfo>, Error> {
    type Row = (
        i32,
        String,
        String,
        String,
        Vec<String>,
        AnyTime,
        Option<AnyTime>,
        AnyJson,
    );
    type Sql = (
        Integer,
        Text,
        Text,
        Text,
        Array<Text>,
        Timestamptz,
        Nullable<Timestamptz>,
        Jsonb,
    );
    let scope = match scope {
        Some(scope) => Some(KnownScope::look_up(conn, scope).await?),
        None => None,
    };
    let rows: Vec<Row> = run::read(conn, Typed::<Sql>::new(include_str!("tables.sql"), [])).await?;
    Ok(rows
        .into_iter()
        .filter(|row| scope.as_ref().is_none_or(|scope| scope.has(row.0)))
        .map(
            |(id, schema, name, sql_name, key, since, until, columns)| TableInfo {
                columns: shown(&columns.into_inner(), |column| {
                    key.iter().any(|key| key == column)
                        || scope.as_ref().is_none_or(|scope| scope.shows(id, column))
                }),
                id,
                schema,
                name,
                sql_name,
                key,
                since: since.into_inner(),
                until: until.map(AnyTime::into_inner),
            },
        )
        .collect())
}

fn shown(columns: &Value, shows: impl Fn(&str) -> bool) -> Vec<(String, String)> {
    let text = |column: &Value, member: &str| Some(column.get(member)?.as_str()?.to_owned());
    columns
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|column| Some((text(column, "name")?, text(column, "column_policy")?)))
        .filter(|(name, _)| shows(name))
        .collect()
}
