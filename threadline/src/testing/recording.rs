use diesel::deserialize::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text, Timestamptz};

use super::Recorded;
use crate::action::{ActionSql, AuditAction};
#[cfg(feature = "diesel-async")]
use crate::connection::Asynchronous;
use crate::connection::{AuditConnection, BlockingConnection, ready};
use crate::error::Error;
use crate::record::{AuditChange, ChangeSql};
use crate::run;
use crate::statement::{Bind, Typed, filled};

/// A span of a connection's life, between [`begin`](Self::begin) and [`end`](Self::end).
///
/// [`recorded`] is the same around a closure. Use this where a closure does not fit, such as
/// for all of a test.
///
/// Until its end, the connection's `application_name` is one that no other session has. By
/// this name its transactions are told from those of others; inside of an open transaction,
/// the transaction's number tells. Recordings nest: an outer one has what an inner one has.
#[derive(Debug)]
#[must_use = "what was recorded is returned by `end`"]
pub struct Recording {
    start: Start,
}

/// Where a recording began.
#[derive(Debug, QueryableByName)]
#[diesel(check_for_backend(diesel::pg::Pg))]
struct Start {
    #[diesel(sql_type = Text)]
    name_before: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Timestamptz)]
    at: chrono::DateTime<chrono::Utc>,
    /// The last entry of the journal that anybody had made.
    #[diesel(sql_type = BigInt)]
    entry: i64,
    /// The transaction that was open.
    #[diesel(sql_type = Nullable<Text>)]
    transaction: Option<String>,
}

impl Recording {
    /// Begins to watch a connection.
    ///
    /// # Errors
    ///
    /// The audit schema is missing or too old, or the role may not read it.
    pub fn begin<C: AuditConnection>(conn: &mut C) -> C::Answer<'_, Result<Self, Error>> {
        C::answer(Self::begin_on(conn))
    }

    pub(super) async fn begin_on<C: AuditConnection>(conn: &mut C) -> Result<Self, Error> {
        let is_open = conn.status().transaction_depth()?.is_some();
        let begin = diesel::sql_query(Self::begin_sql(is_open));
        let start = run::read_one(conn, begin).await?;
        Ok(Self { start })
    }

    /// Returns what was recorded since, with what the watched code returned.
    ///
    /// # Errors
    ///
    /// The database refused. In a rolled-back test, a statement that failed outside of a
    /// savepoint has left the transaction failed: run what may fail in `conn.transaction`.
    pub fn end<'c, C: AuditConnection, T: Send + 'c>(
        self,
        conn: &'c mut C,
        value: T,
    ) -> C::Answer<'c, Result<Recorded<T>, Error>> {
        C::answer(async move { Ok(self.end_on(conn).await?.with(value)) })
    }

    pub(super) async fn end_on<C: AuditConnection>(self, conn: &mut C) -> Result<Recorded, Error> {
        let (changes, actions) = read(conn, self.changes(), self.actions()).await?;
        self.restore(conn).await?;
        Ok(Recorded::new((), changes, actions))
    }

    /// Puts the connection's name back.
    pub(super) async fn restore<C: AuditConnection>(&self, conn: &mut C) -> Result<(), Error> {
        let name = diesel::sql_query("SELECT pg_catalog.set_config('application_name', $1, false)")
            .bind::<Text, _>(&self.start.name_before);
        conn.count_of(name).await?;
        Ok(())
    }

    fn begin_sql(is_open: bool) -> String {
        let transaction = if is_open {
            "pg_catalog.pg_current_xact_id()::text"
        } else {
            "NULL::text"
        };
        filled(include_str!("begin.sql"), &[("transaction", transaction)])
    }

    fn changes(&self) -> Typed<ChangeSql> {
        match &self.start.transaction {
            Some(transaction) => Typed::new(
                include_str!("changes_in_transaction.sql"),
                [
                    Bind::Text(transaction.clone()),
                    Bind::BigInt(self.start.entry),
                ],
            ),
            None => Typed::new(include_str!("changes_of_session.sql"), self.session()),
        }
    }

    fn actions(&self) -> Typed<ActionSql> {
        Typed::new(include_str!("actions_of_session.sql"), self.session())
    }

    fn session(&self) -> [Bind; 2] {
        [
            Bind::Text(self.start.name.clone()),
            Bind::Instant(self.start.at),
        ]
    }
}

/// The answers of two such queries.
pub(super) async fn read<C: AuditConnection>(
    conn: &mut C,
    changes: Typed<ChangeSql>,
    actions: Typed<ActionSql>,
) -> Result<(Vec<AuditChange>, Vec<AuditAction>), Error> {
    let changes = run::read(conn, changes).await?;
    let actions = run::read(conn, actions).await?;
    Ok((changes, actions))
}

/// Runs `work` and returns the changes and actions that it recorded, through this connection
/// and in all of its transactions. What others write meanwhile is not among them.
///
/// Works in a transaction that is rolled back at the end (`begin_test_transaction`), as well
/// as outside of one. What a part of `work` rolled back left no record.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::AuditExt;
/// use threadline::testing::{assert_recorded, context, recorded, update};
///
/// let recorded = recorded(conn, |conn| {
///     conn.audited_transaction(&context("user:42"), |conn| {
///         diesel::update(users::table.find(42)).set(users::name.eq("Ada L.")).execute(conn)
///     })
/// });
/// assert_recorded!(recorded, [update("users", 42).set("name", "Ada L.").by("user:42")]);
/// assert_eq!(recorded.value, Ok(1));
/// ```
///
/// # Panics
///
/// The audit cannot be read: it is not installed, or the connection's role may not read it.
#[track_caller]
pub fn recorded<C, T>(conn: &mut C, work: impl FnOnce(&mut C) -> T) -> Recorded<T>
where
    C: BlockingConnection,
{
    let watched = Watched::begin(conn);
    let value = work(&mut *watched.conn);
    watched.end(value)
}

/// Runs `work` on a connection of diesel-async and returns what it recorded; as
/// [`recorded`](fn@recorded).
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let database_url = connection.database_url();
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
/// use threadline::AsyncAuditExt;
/// use threadline::testing::{assert_recorded, context, delete, recorded_async};
///
/// let mut conn = AsyncPgConnection::establish(&database_url).await?;
/// let recorded = recorded_async(&mut conn, async |conn| {
///     conn.audited_transaction(&context("user:42"), async |conn| {
///         diesel::delete(users::table.find(42)).execute(conn).await
///     })
///     .await
/// })
/// .await;
/// assert_recorded!(recorded, [delete("users", 42).by("user:42")]);
/// assert_eq!(recorded.value, Ok(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Panics
///
/// The audit cannot be read: it is not installed, or the connection's role may not read it.
#[cfg(feature = "diesel-async")]
pub async fn recorded_async<C, T>(conn: &mut C, work: impl AsyncFnOnce(&mut C) -> T) -> Recorded<T>
where
    C: Asynchronous,
{
    let recording = or_panic(Recording::begin_on(conn).await);
    let value = work(conn).await;
    or_panic(recording.end_on(conn).await).with(value)
}

/// Puts the name of a connection back also when the watched code panics: the connection may
/// be of a pool.
struct Watched<'a, C: BlockingConnection> {
    conn: &'a mut C,
    recording: Option<Recording>,
}

impl<'a, C: BlockingConnection> Watched<'a, C> {
    #[track_caller]
    fn begin(conn: &'a mut C) -> Self {
        let recording = Some(or_panic(Recording::begin(conn)));
        Self { conn, recording }
    }

    #[track_caller]
    fn end<T>(mut self, value: T) -> Recorded<T> {
        let recording = self.recording.take().expect("taken once");
        or_panic(recording.end(self.conn, ())).with(value)
    }
}

impl<C: BlockingConnection> Drop for Watched<'_, C> {
    fn drop(&mut self) {
        if let Some(recording) = self.recording.take() {
            // The panic that is under way says what went wrong.
            let _ = ready(recording.restore(self.conn));
        }
    }
}

#[track_caller]
pub(super) fn or_panic<T>(result: Result<T, Error>) -> T {
    result.unwrap_or_else(|error| panic!("what was recorded cannot be read: {error}"))
}
