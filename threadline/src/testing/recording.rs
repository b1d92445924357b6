use std::collections::BTreeSet;

use diesel::deserialize::QueryableByName;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz};
use serde_json::json;

use super::Recorded;
use crate::action::{ActionSql, AuditAction};
#[cfg(feature = "diesel-async")]
use crate::connection::Asynchronous;
use crate::connection::{AuditConnection, BlockingConnection, ready};
use crate::error::Error;
use crate::record::{AuditChange, ChangeSql};
use crate::run;
use crate::statement::{Bind, Typed, filled};

/// Records the changes on a connection between [`begin`](Self::begin) and
/// [`end`](Self::end).
///
/// [`recorded`] does the same around a closure. Use this type where a closure is not
/// possible, for instance for a whole test.
///
/// Until its end, the connection has a unique `application_name`, which identifies its
/// transactions. Inside an open transaction, the transaction id identifies them. Recordings
/// nest: an outer one includes the changes of an inner one.
#[derive(Debug)]
#[must_use = "what was recorded is returned by `end`"]
pub struct Recording {
    start: Start,
}

/// The place at which a recording began.
#[derive(Debug, QueryableByName)]
#[diesel(check_for_backend(diesel::pg::Pg))]
struct Start {
    #[diesel(sql_type = Text)]
    name_before: String,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Timestamptz)]
    at: chrono::DateTime<chrono::Utc>,
    /// The id of the last journal entry at the beginning.
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
    /// Returns an error if the audit schema is missing or too old, or if the role may not
    /// read it.
    pub fn begin<C: AuditConnection>(conn: &mut C) -> C::Answer<'_, Result<Self, Error>> {
        C::answer(Self::begin_on(conn))
    }

    pub(super) async fn begin_on<C: AuditConnection>(conn: &mut C) -> Result<Self, Error> {
        let is_open = conn.status().transaction_depth()?.is_some();
        let begin = diesel::sql_query(Self::begin_sql(is_open));
        let start = run::read_one(conn, begin).await?;
        Ok(Self { start })
    }

    /// Returns the changes recorded since the beginning, with the return value of the
    /// watched code.
    ///
    /// # Errors
    ///
    /// Returns an error if the query fails. In a rolled-back test, a statement that failed
    /// outside a savepoint has left the transaction failed: run statements that may fail in
    /// `conn.transaction`.
    pub fn end<'c, C: AuditConnection, T: Send + 'c>(
        self,
        conn: &'c mut C,
        value: T,
    ) -> C::Answer<'c, Result<Recorded<T>, Error>> {
        C::answer(async move { Ok(self.end_on(conn).await?.with(value)) })
    }

    pub(super) async fn end_on<C: AuditConnection>(self, conn: &mut C) -> Result<Recorded, Error> {
        let recorded = read(conn, self.changes(), self.actions()).await?;
        self.restore(conn).await?;
        Ok(recorded)
    }

    /// Restores the name of the connection.
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
            // Transaction ids start again after a restore.
            Some(transaction) => changes_where(
                "opened.xact_id = {0}::xid8 AND opened.occurred_at = now() AND changes.id > {1}",
                [
                    Bind::Text(transaction.clone()),
                    Bind::BigInt(self.start.entry),
                ],
            ),
            None => changes_where(
                "starts_with(opened.application_name, {0}) AND opened.opened_at >= {1}",
                self.session(),
            ),
        }
    }

    fn actions(&self) -> Typed<ActionSql> {
        actions_where(
            "starts_with(a.application_name, {0}) AND a.occurred_at >= {1}",
            self.session(),
        )
    }

    fn session(&self) -> [Bind; 2] {
        [
            Bind::Text(self.start.name.clone()),
            Bind::Instant(self.start.at),
        ]
    }
}

/// Returns the query of changes and their transactions, `opened`, under a condition.
pub(super) fn changes_where(condition: &str, binds: impl Into<Vec<Bind>>) -> Typed<ChangeSql> {
    let sql = filled(include_str!("changes.sql"), &[("condition", condition)]);
    Typed::new(sql, binds)
}

/// Returns the query of actions `a` under a condition.
pub(super) fn actions_where(condition: &str, binds: impl Into<Vec<Bind>>) -> Typed<ActionSql> {
    let sql = filled(include_str!("actions.sql"), &[("condition", condition)]);
    Typed::new(sql, binds)
}

/// Returns the results of both queries, with the columns of the changed tables.
pub(super) async fn read<C: AuditConnection>(
    conn: &mut C,
    changes: Typed<ChangeSql>,
    actions: Typed<ActionSql>,
) -> Result<Recorded, Error> {
    let changes: Vec<AuditChange> = run::read(conn, changes).await?;
    let actions: Vec<AuditAction> = run::read(conn, actions).await?;
    let tables: BTreeSet<_> = changes
        .iter()
        .filter_map(|change| {
            // As PostgreSQL writes an array of JSON.
            let (schema, table) = (change.schema.as_ref()?, change.table.as_ref()?);
            Some(format!("[{}, {}]", json!(schema), json!(table)))
        })
        .collect();
    let columns = Typed::<(Text, Text, Array<Text>)>::new(
        include_str!("columns.sql"),
        [Bind::Json(json!(tables))],
    );
    let columns: Vec<(String, String, Vec<String>)> = run::read(conn, columns).await?;
    let columns = columns
        .into_iter()
        .map(|(schema, table, columns)| ((schema, table), columns))
        .collect();
    Ok(Recorded {
        value: (),
        changes,
        actions,
        columns,
    })
}

/// Runs `work` and returns the changes and actions that it recorded, through this
/// connection and in all of its transactions. Concurrent changes by other connections are
/// not included.
///
/// It works inside a transaction that is rolled back at the end (`begin_test_transaction`),
/// and outside. Parts of `work` that were rolled back left no record.
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
/// Panics if the audit cannot be read: it is not installed, or the role of the connection
/// may not read it.
#[track_caller]
pub fn recorded<C, T>(conn: &mut C, work: impl FnOnce(&mut C) -> T) -> Recorded<T>
where
    C: BlockingConnection,
{
    let watched = Watched::begin(conn);
    let value = work(&mut *watched.conn);
    watched.end(value)
}

/// Runs `work` on a connection of diesel-async and returns what it recorded. Same as
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
///         RunQueryDsl::execute(diesel::delete(users::table.find(42)), conn).await
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
/// Panics if the audit cannot be read: it is not installed, or the role of the connection
/// may not read it.
#[cfg(feature = "diesel-async")]
pub async fn recorded_async<C, T>(conn: &mut C, work: impl AsyncFnOnce(&mut C) -> T) -> Recorded<T>
where
    C: Asynchronous,
{
    let recording = or_panic(Recording::begin_on(conn).await);
    let value = work(conn).await;
    or_panic(recording.end_on(conn).await).with(value)
}

/// Restores the name of a connection also if the watched code panics, because the
/// connection may belong to a pool.
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
            // The current panic has the cause.
            let _ = ready(recording.restore(self.conn));
        }
    }
}

#[track_caller]
pub(super) fn or_panic<T>(result: Result<T, Error>) -> T {
    result.unwrap_or_else(|error| panic!("what was recorded cannot be read: {error}"))
}
