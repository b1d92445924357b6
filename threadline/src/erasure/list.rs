use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz};
use serde::{Deserialize, Serialize};

use super::erase::Erasure;
use crate::connection::AuditConnection;
use crate::context::ActorRef;
use crate::error::Error;
#[cfg(feature = "schemars")]
use crate::forms::schema::Instant;
use crate::record::portable;
use crate::run;

/// A recorded [`Erasure`]: of which person, by whom, when and why. It contains no values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, QueryableByName)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Erased {
    /// The number of the erasure, which replaces the values: `erased:3`.
    #[diesel(sql_type = BigInt)]
    pub id: i64,
    /// The table of the person's record.
    #[diesel(sql_type = Text)]
    pub table: String,
    /// The key of the record.
    #[diesel(sql_type = Text)]
    pub record_key: String,
    /// The columns that were named instead of those of the policies.
    #[diesel(sql_type = Nullable<Array<Text>>)]
    pub columns: Option<Vec<String>>,
    /// The actor whose texts were erased, such as `user:42`.
    #[diesel(sql_type = Nullable<Text>)]
    pub actor: Option<String>,
    /// The actions whose texts were erased.
    #[diesel(sql_type = Nullable<Array<BigInt>>)]
    pub actions: Option<Vec<i64>>,
    /// The reason.
    #[diesel(sql_type = Text)]
    pub reason: String,
    /// The role that requested it.
    #[diesel(sql_type = Text)]
    pub erased_by: String,
    /// The time at which it began.
    #[diesel(sql_type = Timestamptz)]
    #[serde(with = "portable::instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Instant"))]
    pub begun_at: DateTime<Utc>,
    /// The time at which it was completed; `None` if it is not complete.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    #[serde(default, with = "portable::optional_instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Instant>"))]
    pub ended_at: Option<DateTime<Utc>>,
    /// The number of changes with erased values.
    #[diesel(sql_type = BigInt)]
    pub changes: i64,
    /// The number of actions and transactions with erased texts.
    #[diesel(sql_type = BigInt)]
    pub texts: i64,
}

impl Erased {
    /// Returns the same erasure again, for a restored backup that is older than the
    /// erasure, or for values recorded since.
    ///
    /// # Errors
    ///
    /// Returns an error if the actor cannot be parsed.
    pub fn again(&self) -> Result<Erasure, Error> {
        let mut erasure = Erasure::of(&self.table, &self.record_key, &self.reason);
        for column in self.columns.iter().flatten() {
            erasure = erasure.column(column);
        }
        for action in self.actions.iter().flatten() {
            erasure = erasure.action(*action);
        }
        if let Some(actor) = &self.actor {
            let actor: ActorRef = actor.parse()?;
            erasure = erasure.actor(actor);
        }
        Ok(erasure)
    }

    /// Returns the actors whose id is the key of the person's record, and whose texts are
    /// still on record. An erasure leaves them unless it names the actor, because only you
    /// know whether `user:42` is the person of the record 42.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let conn = &mut *connection;
    /// use threadline::Erasure;
    ///
    /// let erased = Erasure::of("users", "42", "request 2026-31")
    ///     .column("users.email")
    ///     .erase(conn)?;
    /// for left in erased.texts_left(conn)? {
    ///     Erasure::of("users", "42", "request 2026-31")
    ///         .actor(left.actor.parse()?)
    ///         .erase(conn)?;
    /// }
    /// # Ok::<(), threadline::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the audit schema is missing or too old, or if the role lacks the
    /// privilege.
    pub fn texts_left<'c, C: AuditConnection>(
        &self,
        conn: &'c mut C,
    ) -> C::Answer<'c, Result<Vec<TextsLeft>, Error>> {
        let query = diesel::sql_query(include_str!("texts_left.sql")).bind::<BigInt, _>(self.id);
        C::answer(run::read(conn, query))
    }
}

/// The texts of an actor that an erasure left; see [`Erased::texts_left`].
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
#[non_exhaustive]
pub struct TextsLeft {
    /// The actor, such as `user:42`.
    #[diesel(sql_type = Text)]
    pub actor: String,
    /// The number of its actions with a reason, a comment, metadata or an address.
    #[diesel(sql_type = BigInt)]
    pub actions: i64,
    /// The number of its transactions with metadata or an address.
    #[diesel(sql_type = BigInt)]
    pub transactions: i64,
}

/// Returns every recorded erasure, oldest first. Keep this list outside the database, so
/// that you can repeat the erasures after restoring a backup.
///
/// ```
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// let list = threadline::erasures(conn)?;
/// // … a backup is restored …
/// for erased in &list {
///     erased.again()?.erase(conn)?;
/// }
/// # Ok::<(), threadline::Error>(())
/// ```
///
/// # Errors
///
/// Returns an error if the audit schema is missing or too old, or if the role may not read
/// it.
pub fn erasures<C: AuditConnection>(conn: &mut C) -> C::Answer<'_, Result<Vec<Erased>, Error>> {
    C::answer(load(conn, None))
}

pub(super) async fn erasure<C: AuditConnection>(conn: &mut C, id: i64) -> Result<Erased, Error> {
    let mut found = load(conn, Some(id)).await?;
    Ok(found.pop().ok_or(diesel::result::Error::NotFound)?)
}

async fn load<C: AuditConnection>(conn: &mut C, id: Option<i64>) -> Result<Vec<Erased>, Error> {
    let query = diesel::sql_query(include_str!("erasures.sql")).bind::<Nullable<BigInt>, _>(id);
    run::read(conn, query).await
}
