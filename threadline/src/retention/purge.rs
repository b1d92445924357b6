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

/// Removes the changes that are older than the policies of their tables keep them, and
/// the actions that are older than `threadline.set_retention()` says. Returns how many
/// those were.
///
/// A table says how long its changes are kept with `#[audited(keep = "7 years")]`. It is
/// done in batches, each a transaction of its own: it may be stopped at any time and goes
/// on later, and keeps no writer waiting. Each run is an action, `audit.purged`, and a row
/// of `threadline.purges`. What is under a [`Hold`](crate::Hold) stays.
///
/// Afterwards [`as_of`](crate::Audited::as_of) of an instant before the kept time says
/// [`NoLongerKept`](crate::Unavailable::NoLongerKept); every later instant is answered as
/// before.
///
/// Returns 0 while somebody else purges, and on a standby.
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
/// The audit schema is missing or too old, or the role may not: see
/// [`Protection::purger`](crate::Protection::purger).
pub fn purge<C: AuditConnection>(conn: &mut C) -> C::Answer<'_, Result<u64, Error>> {
    C::answer(async move {
        let clock = Clock::start();
        clock.purged(Batches("SELECT threadline.purge() AS done").all(conn).await)
    })
}

/// What [`purge`] would remove of one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, QueryableByName)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct PurgePreview {
    /// The table's schema and name; `None` for actions.
    #[diesel(sql_type = Nullable<Text>)]
    pub table: Option<String>,
    /// How long is kept: what the policy says, or the least that is allowed.
    #[diesel(sql_type = Text)]
    pub keep: String,
    /// What is older goes.
    #[diesel(sql_type = Timestamptz)]
    #[serde(with = "portable::instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Instant"))]
    pub horizon: DateTime<Utc>,
    /// Changes or actions that go.
    #[diesel(sql_type = BigInt)]
    pub goes: i64,
    /// Those that are older and stay: under a hold, or of a transaction that went on
    /// after the horizon.
    #[diesel(sql_type = BigInt)]
    pub stays: i64,
    /// The bytes of those that go, without their share of the indexes.
    #[diesel(sql_type = BigInt)]
    pub bytes: i64,
    /// The oldest of those that go.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    #[serde(default, with = "portable::optional_instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Instant>"))]
    pub oldest: Option<DateTime<Utc>>,
}

/// Returns what [`purge`] would remove, table by table. Reads all of it.
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
/// The audit schema is missing or too old, or the role may not read it.
pub fn purge_preview<C: AuditConnection>(
    conn: &mut C,
) -> C::Answer<'_, Result<Vec<PurgePreview>, Error>> {
    let query = diesel::sql_query(include_str!("purge_preview.sql"));
    C::answer(run::read(conn, query))
}
