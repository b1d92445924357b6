use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Nullable, Text};
use serde::{Deserialize, Serialize};

use super::list::{Erased, erasure};
use crate::batches::Batches;
use crate::connection::AuditConnection;
use crate::context::ActorRef;
use crate::error::Error;
use crate::on_own_terms;
use crate::posting::POST;
use crate::telemetry::Clock;

/// Makes the recorded values of a person unreadable, in every change, past and present
/// (GDPR, article 17). The time and the actor of each change stay.
///
/// The models declare what belongs to a person: `#[audited(personal(email, full_name))]`
/// for the person's own record, and `#[audited(personal(street), subject(user_id =
/// users))]` for rows that belong to a record of another table. A row belongs to the person
/// that its column named when it was recorded.
///
/// Each value is replaced by `erased:3`, with the number of the erasure, in every form in
/// which changes are read. NULL stays NULL. The row in the table itself is not touched:
/// change or delete it first, so that its last values are erased too.
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
    /// Creates an erasure of the person whose record has this key, with a reason. The key
    /// is written as in a [`Filter`](crate::Filter). The reason is recorded and should
    /// name no person.
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

    /// Erases this column, such as `users.email`, and other columns named by this method,
    /// instead of the personal columns of the policies.
    pub fn column(mut self, column: impl Into<String>) -> Self {
        self.columns.push(column.into());
        self
    }

    /// Also erases the texts and addresses of this actor: reason, comment, metadata and
    /// address of its actions and transactions.
    pub fn actor(mut self, actor: ActorRef) -> Self {
        self.actor = Some(actor);
        self
    }

    /// Also erases reason, comment and metadata of an action, which can name the person.
    pub fn action(mut self, id: i64) -> Self {
        self.actions.push(id);
        self
    }

    /// Erases the values, and records this as the action `audit.erased` and in
    /// `threadline.erasures`.
    ///
    /// It works in batches, each in its own transaction. It can be stopped at any time,
    /// [`resume_erasure`] continues it, and no writer waits. The `statement_timeout` of the role
    /// or the database does not apply.
    ///
    /// # Errors
    ///
    /// Returns an error if no policy declares personal columns and none is named, if the
    /// record is under a [`Hold`](crate::Hold), if other records had the same key too, if
    /// the reason is empty, or if the role lacks the privilege: see
    /// [`Protection::eraser`](crate::Protection::eraser).
    pub fn erase<C: AuditConnection>(self, conn: &mut C) -> C::Answer<'_, Result<Erased, Error>> {
        C::answer(async move {
            let clock = Clock::start();
            let erased = self.run(conn).await;
            clock.erased(erased)
        })
    }

    async fn run<C: AuditConnection>(self, conn: &mut C) -> Result<Erased, Error> {
        // Entries that cannot be posted are set aside, and erased there.
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
        let begun: Begun = on_own_terms::one(conn, query).await?;
        Ok(begun.id)
    }
}

/// Resumes a stopped [`Erasure`] and completes it.
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
/// Returns an error if there is no such erasure, if its data is under a
/// [`Hold`](crate::Hold) now, or if the role lacks the privilege.
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
    let erase = format!("SELECT nullif(threadline.erase({id}), 0) AS done");
    Batches(&erase).all(conn).await?;
    erasure(conn, id).await
}
