//! Retention and legal holds, for the page about tables.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Timestamptz};

use crate::connection::AuditConnection;
use crate::error::Error;
use crate::record::AnyTime;
use crate::run;
use crate::statement::Typed;

/// A legal hold that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HoldInForce {
    /// The number of the hold.
    pub id: i64,
    /// The reason.
    pub reason: String,
    /// The start of the hold.
    pub placed_at: DateTime<Utc>,
    /// The database role that placed it.
    pub placed_by: String,
    /// The held changes, described in one line.
    pub what: String,
}

/// Returns the holds in force, newest first.
pub async fn holds<C: AuditConnection>(conn: &mut C) -> Result<Vec<HoldInForce>, Error> {
    type Row = (i64, String, AnyTime, String, String);
    let query =
        Typed::<(BigInt, Text, Timestamptz, Text, Text)>::new(include_str!("holds.sql"), []);
    let rows: Vec<Row> = run::read(conn, query).await?;
    Ok(rows
        .into_iter()
        .map(|(id, reason, placed_at, placed_by, what)| HoldInForce {
            id,
            reason,
            placed_at: placed_at.into_inner(),
            placed_by,
            what,
        })
        .collect())
}

/// Returns how long the changes of each table are kept, by the number of the table.
pub async fn terms<C: AuditConnection>(conn: &mut C) -> Result<BTreeMap<i32, String>, Error> {
    let query = Typed::<(Integer, Nullable<Text>)>::new(include_str!("terms.sql"), []);
    let rows: Vec<(i32, Option<String>)> = run::read(conn, query).await?;
    Ok(rows
        .into_iter()
        .filter_map(|(id, keep)| Some((id, keep?)))
        .collect())
}
