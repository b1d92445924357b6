//! Queries for pages about one record or one action.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Bool, Jsonb, Nullable, Text, Timestamptz};
use serde_json::Value;

use super::timeline::KnownScope;
use crate::action::{ActionSql, AuditAction};
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::filter::Scope;
use crate::record::{AnyJson, AnyTime};
use crate::run;
use crate::statement::{Bind, Typed};

/// Returns the current row of a record as the audit shows it; `None` if it does not exist.
pub async fn record_now<C: AuditConnection>(
    conn: &mut C,
    table: &str,
    key: &[String],
) -> Result<Option<Value>, Error> {
    let mut binds = vec![Bind::Text(table.to_owned())];
    binds.extend(key.iter().cloned().map(Bind::Text));
    let places: Vec<_> = (1..binds.len())
        .map(|place| format!("{{{place}}}"))
        .collect();
    let sql = include_str!("record_now.sql").replace("{key values}", &places.join(", "));
    let query = Typed::<Nullable<Jsonb>>::new(sql, binds);
    let rows: Vec<Option<AnyJson>> = run::read(conn, query).await?;
    Ok(rows.into_iter().flatten().next().map(AnyJson::into_inner))
}

/// Returns the part of an image of a row that a scope shows; `None` if the row is outside of
/// the scope.
pub async fn image_within<C: AuditConnection>(
    conn: &mut C,
    scope: &Scope,
    table: &str,
    image: Value,
) -> Result<Option<Value>, Error> {
    let known = KnownScope::look_up(conn, scope).await?;
    let tables = super::tables::tables(conn, Some(scope)).await?;
    let info = tables.iter().find(|info| info.is_called(table));
    Ok(info.and_then(|info| known.image(info.id, image)))
}

/// A foreign key with one column, from a table or to it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ForeignKey {
    /// Whether the foreign key refers to the given table.
    pub comes: bool,
    /// The schema of the other table.
    pub schema: String,
    /// The name of the other table.
    pub table: String,
    /// The referring column.
    pub column: String,
    /// The referenced column.
    pub referred: String,
}

/// Returns the foreign keys between a table and other audited ones.
pub async fn foreign_keys<C: AuditConnection>(
    conn: &mut C,
    table: &str,
) -> Result<Vec<ForeignKey>, Error> {
    type Row = (bool, String, String, String, String);
    let query = Typed::<(Bool, Text, Text, Text, Text)>::new(
        include_str!("foreign_keys.sql"),
        [Bind::Text(table.to_owned())],
    );
    let rows: Vec<Row> = run::read(conn, query).await?;
    Ok(rows
        .into_iter()
        .map(|(comes, schema, table, column, referred)| ForeignKey {
            comes,
            schema,
            table,
            column,
            referred,
        })
        .collect())
}

/// Returns an action by its id.
pub async fn action_by_id<C: AuditConnection>(
    conn: &mut C,
    id: i64,
) -> Result<Option<AuditAction>, Error> {
    let query = Typed::<ActionSql>::new(include_str!("action_by_id.sql"), [Bind::BigInt(id)]);
    Ok(run::read(conn, query).await?.pop())
}

/// Returns when the last change of each of these transactions was captured. From that instant
/// on, all changes of the transaction are visible; before it, none.
pub async fn ends_of<C: AuditConnection>(
    conn: &mut C,
    transactions: Vec<i64>,
) -> Result<BTreeMap<i64, DateTime<Utc>>, Error> {
    let query = Typed::<(BigInt, Nullable<Timestamptz>)>::new(
        "SELECT t.id, threadline.last_captured(t.id) FROM unnest({0}) AS t (id)",
        [Bind::BigInts(transactions)],
    );
    let rows: Vec<(i64, Option<AnyTime>)> = run::read(conn, query).await?;
    Ok(rows
        .into_iter()
        .filter_map(|(id, at)| Some((id, at?.into_inner())))
        .collect())
}
