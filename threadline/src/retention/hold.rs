use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};
use serde::{Deserialize, Serialize};

use crate::connection::AuditConnection;
use crate::context::ActorRef;
use crate::error::Error;
use crate::run;

/// A legal hold: changes that [`purge`](crate::purge) must keep, with a reason. If it has
/// several conditions, it keeps the changes that meet all of them.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::{Hold, release_hold};
///
/// let hold = Hold::new("lawsuit 2026-17").record("users", "42").place(conn)?;
/// release_hold(conn, hold, "lawsuit 2026-17 is settled")?;
/// # Ok::<(), threadline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[must_use = "nothing is held before `place`"]
pub struct Hold {
    reason: String,
    table: Option<String>,
    record_key: Option<String>,
    actor: Option<ActorRef>,
    correlation_id: Option<String>,
}

impl Hold {
    /// Creates a hold with this reason.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            table: None,
            record_key: None,
            actor: None,
            correlation_id: None,
        }
    }

    /// Holds the changes of a table.
    pub fn table(mut self, table: impl Into<String>) -> Self {
        self.table = Some(table.into());
        self
    }

    /// Holds the changes of a record, under every key that it has had so far. The key is
    /// written as in a [`Filter`](crate::Filter).
    pub fn record(mut self, table: impl Into<String>, key: impl Into<String>) -> Self {
        self.table = Some(table.into());
        self.record_key = Some(key.into());
        self
    }

    /// Holds the changes by an actor.
    pub fn actor(mut self, actor: ActorRef) -> Self {
        self.actor = Some(actor);
        self
    }

    /// Holds the changes with a correlation id.
    pub fn correlation_id(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }

    /// Places the hold, records this as the action `audit.held`, and returns its number.
    ///
    /// # Errors
    ///
    /// Returns an error if the reason is empty, if the hold has no condition, if the table
    /// was never audited, or if the role lacks the privilege: see
    /// [`Protection::holder`](crate::Protection::holder).
    pub fn place<C: AuditConnection>(self, conn: &mut C) -> C::Answer<'_, Result<i64, Error>> {
        #[derive(QueryableByName)]
        struct Placed {
            #[diesel(sql_type = BigInt)]
            id: i64,
        }

        C::answer(async move {
            let actor = self.actor.as_ref();
            let query =
                diesel::sql_query("SELECT threadline.hold($1, $2::regclass, $3, $4, $5, $6) AS id")
                    .bind::<Text, _>(&self.reason)
                    .bind::<Nullable<Text>, _>(&self.table)
                    .bind::<Nullable<Text>, _>(&self.record_key)
                    .bind::<Nullable<Text>, _>(actor.map(|actor| actor.actor_type().as_str()))
                    .bind::<Nullable<Text>, _>(actor.and_then(ActorRef::id))
                    .bind::<Nullable<Text>, _>(&self.correlation_id);
            let placed: Placed = run::read_one(conn, query).await?;
            Ok(placed.id)
        })
    }
}

/// Releases a [`Hold`], and records this as the action `audit.released`.
///
/// # Errors
///
/// Returns an error if there is no such hold in force, if the reason is empty, or if the
/// role lacks the privilege.
pub fn release_hold<'c, C: AuditConnection>(
    conn: &'c mut C,
    hold: i64,
    reason: impl Into<String>,
) -> C::Answer<'c, Result<(), Error>> {
    let query = diesel::sql_query("SELECT threadline.release($1, $2)")
        .bind::<BigInt, _>(hold)
        .bind::<Text, _>(reason.into());
    C::answer(async move {
        let released = conn.count_of(query).await;
        run::understood(conn, released).await.map(|_| ())
    })
}
