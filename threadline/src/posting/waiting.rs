use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Timestamptz};
use serde::{Deserialize, Serialize};

use crate::connection::AuditConnection;
use crate::error::Error;
#[cfg(feature = "schemars")]
use crate::forms::schema::Instant;
use crate::record::portable;
use crate::run;

/// The state of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, QueryableByName)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Waiting {
    /// The number of entries that are not in the ledger yet.
    #[diesel(sql_type = BigInt)]
    pub entries: i64,
    /// The time at which the oldest of them was captured.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    #[serde(default, with = "portable::optional_instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Instant>"))]
    pub since: Option<DateTime<Utc>>,
    /// The number of entries that could not be posted. They are in `threadline.unposted`.
    #[diesel(sql_type = BigInt)]
    pub set_aside: i64,
    /// The time at which entries were last moved into the ledger.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    #[serde(default, with = "portable::optional_instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Instant>"))]
    pub last_posted_at: Option<DateTime<Utc>>,
}

/// Returns the number and age of the entries in the journal. Reads the whole journal.
///
/// ```
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// threadline::post(conn)?;
/// assert_eq!(threadline::waiting(conn)?.entries, 0);
/// # Ok::<(), threadline::Error>(())
/// ```
///
/// # Errors
///
/// Returns an error if the audit schema is missing or too old, or if the query fails.
pub fn waiting<C: AuditConnection>(conn: &mut C) -> C::Answer<'_, Result<Waiting, Error>> {
    C::answer(how_many_wait(conn))
}

pub(crate) async fn how_many_wait<C: AuditConnection>(conn: &mut C) -> Result<Waiting, Error> {
    run::read_one(conn, diesel::sql_query("SELECT * FROM threadline.waiting")).await
}
