use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz};
use serde::{Deserialize, Serialize};

use crate::batches::Batches;
use crate::connection::AuditConnection;
use crate::error::Error;
#[cfg(feature = "schemars")]
use crate::forms::schema::Instant;
use crate::record::portable;
use crate::run;
use crate::telemetry::Clock;

/// Removes the changes that are older than the retention of their tables, and the actions
/// that are older than the retention set by `threadline.set_retention()`. Returns the
/// number of removed changes and actions.
///
/// A model sets the retention of its table with `#[audited(keep = "7 years")]`. The work is
/// done in batches, each in its own transaction: it can be stopped at any time and
/// continued later, and no writer waits. The `statement_timeout` of the role or the database does
/// not apply. Each run is recorded as an action, `audit.purged`,
/// and as a row of `threadline.purges`. Changes under a [`Hold`](crate::Hold) stay.
///
/// Afterwards, [`as_of`](crate::Audited::as_of) returns
/// [`NoLongerKept`](crate::Unavailable::NoLongerKept) for an instant before the kept time.
/// For every later instant, its result is unchanged.
///
/// Returns 0 while another session purges, and on a standby.
///
/// ```
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// assert_eq!(threadline::purge(conn)?, 0, "no policy says how long");
/// # Ok::<(), threadline::Error>(())
/// ```
///
/// # Errors
///
/// Returns an error if the audit schema is missing or too old, or if the role lacks the
/// privilege: see [`Protection::purger`](crate::Protection::purger).
pub fn purge<C: AuditConnection>(conn: &mut C) -> C::Answer<'_, Result<u64, Error>> {
    C::answer(async move {
        let clock = Clock::start();
        clock.purged(PURGE.all(conn).await)
    })
}

const PURGE: Batches = Batches("SELECT threadline.purge() AS done");

/// The rows of one table that [`purge`] would remove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, QueryableByName)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PurgePreview {
    /// The qualified name of the table; `None` for actions.
    #[diesel(sql_type = Nullable<Text>)]
    pub table: Option<String>,
    /// The retention: that of the policy, or the allowed minimum if it is longer.
    #[diesel(sql_type = Text)]
    pub keep: String,
    /// Older rows are removed.
    #[diesel(sql_type = Timestamptz)]
    #[serde(with = "portable::instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Instant"))]
    pub horizon: DateTime<Utc>,
    /// The number of changes or actions that would be removed.
    #[diesel(sql_type = BigInt)]
    pub goes: i64,
    /// The number of older ones that stay: under a hold, or of a transaction that continued
    /// after the horizon.
    #[diesel(sql_type = BigInt)]
    pub stays: i64,
    /// The size of the removed rows in bytes, without their share of the indexes.
    #[diesel(sql_type = BigInt)]
    pub bytes: i64,
    /// The time of the oldest row that would be removed.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    #[serde(default, with = "portable::optional_instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Instant>"))]
    pub oldest: Option<DateTime<Utc>>,
}

/// Returns what [`purge`] would remove, table by table. Reads all of these rows.
///
/// ```
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// for table in threadline::purge_preview(conn)? {
///     println!("{:?}: {} changes", table.table, table.goes);
/// }
/// # Ok::<(), threadline::Error>(())
/// ```
///
/// # Errors
///
/// Returns an error if the audit schema is missing or too old, or if the role may not read
/// it.
pub fn purge_preview<C: AuditConnection>(
    conn: &mut C,
) -> C::Answer<'_, Result<Vec<PurgePreview>, Error>> {
    let query = diesel::sql_query(include_str!("purge_preview.sql"));
    C::answer(run::read(conn, query))
}
