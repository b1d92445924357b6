use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Nullable, Text};
use serde::{Deserialize, Serialize};

use super::list::{Erased, erasure};
use crate::batches::Batches;
use crate::connection::AuditConnection;
use crate::context::ActorRef;
use crate::error::Error;
use crate::posting::POST;
use crate::run;
use crate::telemetry::Clock;

/// Makes what is recorded of a person unreadable, in every change, past and present
/// (GDPR, article 17). That there was a change, when and by whom, stays.
///
/// A model says what belongs to a person: `#[audited(personal(email, full_name))]` for its
/// own records, and `#[audited(personal(street), subject(user_id = users))]` for rows that
/// belong to a record of another table. A row belongs to whom its column named when it was
/// recorded.
///
/// In the place of a value then stands `erased:3`, with the number of the erasure, in every
/// form in which changes are read. NULL stays NULL. The row in the table itself is not
/// touched: change or delete it first, so that what it held is erased too.
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
///     .column("users.email") // instead of what the model declares
///     .erase(conn)?;
/// assert!(erased.ended_at.is_some());
/// # Ok::<(), threadline::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[must_use = "nothing is erased before `erase`"]
pub struct Erasure {
    table: String,
    record_key: String,
    reason: String,
    #[serde(default)]
    columns: Vec<String>,
    actor: Option<ActorRef>,
    #[serde(default)]
    actions: Vec<i64>,
}

impl Erasure {
    /// Of the person whose record has this key, for this reason. The key is written as in a
    /// [`Filter`](crate::Filter). The reason is recorded, and should name nobody.
    pub fn of(
        table: impl Into<String>,
        record_key: impl Into<String>,
        reason: impl Into<String>,
    ) -> Self {
        Self {
            table: table.into(),
            record_key: record_key.into(),
            reason: reason.into(),
            columns: vec![],
            actor: None,
            actions: vec![],
        }
    }

    /// This column, such as `users.email`, and others that are named so, instead of what
    /// the policies call personal.
    pub fn column(mut self, column: impl Into<String>) -> Self {
        self.columns.push(column.into());
        self
    }

    /// Also what this actor said and whence: reason, comment, metadata and address of its
    /// actions and transactions.
    pub fn actor(mut self, actor: ActorRef) -> Self {
        self.actor = Some(actor);
        self
    }

    /// Also reason, comment and metadata of an action, which may name the person.
    pub fn action(mut self, id: i64) -> Self {
        self.actions.push(id);
        self
    }

    /// Erases, and records that as the action `audit.erased` and in `threadline.erasures`.
    ///
    /// It is done in batches, each a transaction of its own: it may be stopped at any time,
    /// [`resume_erasure`] goes on with it, and no writer waits.
    ///
    /// # Errors
    ///
    /// No policy says what is personal, and no column is named; the record is under a
    /// [`Hold`](crate::Hold); its key was that of other records, too; the reason is empty;
    /// or the role may not: see [`Protection::eraser`](crate::Protection::eraser).
    pub fn erase<C: AuditConnection>(self, conn: &mut C) -> C::Answer<'_, Result<Erased, Error>> {
        C::answer(async move {
            let clock = Clock::start();
            let erased = self.run(conn).await;
            clock.erased(erased)
        })
    }

    async fn run<C: AuditConnection>(self, conn: &mut C) -> Result<Erased, Error> {
        // What cannot be posted is set aside, and erased there.
        POST.all(conn).await?;
        let id = self.begin(conn).await?;
        go_on(conn, id).await
    }

    async fn begin<C: AuditConnection>(self, conn: &mut C) -> Result<i64, Error> {
        #[derive(QueryableByName)]
        struct Begun {
            #[diesel(sql_type = BigInt)]
            id: i64,
        }

        let actor = self.actor.as_ref();
        let columns = (!self.columns.is_empty()).then_some(self.columns);
        let actions = (!self.actions.is_empty()).then_some(self.actions);
        let query = diesel::sql_query(
            "SELECT threadline.begin_erasure($1::regclass, $2, $3, $4, $5, $6, $7) AS id",
        )
        .bind::<Text, _>(&self.table)
        .bind::<Text, _>(&self.record_key)
        .bind::<Text, _>(&self.reason)
        .bind::<Nullable<Array<Text>>, _>(columns)
        .bind::<Nullable<Text>, _>(actor.map(|actor| actor.actor_type().as_str()))
        .bind::<Nullable<Text>, _>(actor.and_then(ActorRef::id))
        .bind::<Nullable<Array<BigInt>>, _>(actions);
        let begun: Begun = run::read_one(conn, query).await?;
        Ok(begun.id)
    }
}

/// Goes on with an [`Erasure`] that was stopped, to its end.
///
/// ```
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// for erased in threadline::erasures(conn)? {
///     if erased.ended_at.is_none() {
///         threadline::resume_erasure(conn, erased.id)?;
///     }
/// }
/// # Ok::<(), threadline::Error>(())
/// ```
///
/// # Errors
///
/// There is no such erasure, what it is about is under a [`Hold`](crate::Hold) now, or the
/// role may not.
pub fn resume_erasure<C: AuditConnection>(
    conn: &mut C,
    id: i64,
) -> C::Answer<'_, Result<Erased, Error>> {
    C::answer(async move {
        let clock = Clock::start();
        let erased = go_on(conn, id).await;
        clock.erased(erased)
    })
}

async fn go_on<C: AuditConnection>(conn: &mut C, id: i64) -> Result<Erased, Error> {
    POST.all(conn).await?;
    let erase = format!("SELECT threadline.erase({id}) AS done");
    Batches(&erase).all(conn).await?;
    erasure(conn, id).await
}
