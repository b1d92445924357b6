//! The connection traits of diesel-async, delegated to the connection inside.

use std::fmt::Debug;
use std::future::{Future, poll_fn, ready};
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::vec;

use diesel::Table;
use diesel::associations::Identifiable;
use diesel::connection::{CacheSize, Instrumentation, TransactionManagerStatus};
use diesel::dsl::{Find, Update};
use diesel::expression::QueryMetadata;
use diesel::pg::Pg;
use diesel::query_builder::{
    AsChangeset, AsQuery, IntoUpdateTarget, Query, QueryFragment, QueryId, UpdateStatement,
};
use diesel::query_dsl::methods::FindDsl;
use diesel::result::{ConnectionResult, Error, QueryResult};
use diesel_async::methods::LoadQuery;
use diesel_async::{
    AnsiTransactionManager, AsyncConnection, AsyncConnectionCore, AsyncPgConnection, RunQueryDsl,
    SimpleAsyncConnection, TransactionManager, UpdateAndFetchResults,
};
use futures_core::Stream;

use super::batch::transaction_control;
use super::manager::Place;
use super::{AuditedConnection, AuditedTransactionManager};
use crate::connection::AuditConnection;
use crate::connection::asynchronous::{
    Asynchronous, BoxFuture, BoxStream, answers_boxed, runs_operations, streams_rows, values_of,
};
#[cfg(any(feature = "deadpool", feature = "bb8", feature = "mobc"))]
use crate::connection::asynchronous::{for_pools, pooled};
use crate::connection::audit_connection::{BuildRow, EachRow, Runner, StreamConnection};
use crate::context::AuditContext;
use crate::telemetry::Transaction;
use crate::transactions::builder::Awaited;
use crate::transactions::open::{OuterContext, replace_query, restore_query, set_context};
use crate::transactions::{AsyncWork, AuditedTransactionBuilder, Open};

type Audited = AuditedConnection<AsyncPgConnection>;
type Manager = AnsiTransactionManager;

impl Audited {
    /// Builds a transaction under the current context, with an isolation level and the
    /// other options of `BEGIN`. Same as [`AsyncPgConnection::build_transaction`].
    pub fn build_transaction(&mut self) -> AuditedTransactionBuilder<'_, Self, Awaited> {
        AuditedTransactionBuilder::new(self, None)
    }

    /// Runs a statement, in a transaction of its own if it is to have a context.
    ///
    /// The statement is prepared from a shared connection at once, because its query does not
    /// outlive this call. The context is the one that is current at the first poll.
    fn statement<'c, T, S>(
        &'c mut self,
        statement: impl FnOnce(&'c AsyncPgConnection) -> S,
    ) -> BoxFuture<'c, QueryResult<T>>
    where
        T: Send + 'c,
        S: Future<Output = QueryResult<T>> + Send + 'c,
    {
        let place = Place::of(&mut self.inner);
        let has_own_transaction = self.has_own_transaction(place);
        let conn = &self.inner;
        let statement = statement(conn);
        if !has_own_transaction {
            return Box::pin(statement);
        }
        Box::pin(async move {
            match AuditContext::current_setting() {
                None => statement.await,
                // No transaction can begin, and without one the statement would lose its context.
                Some(_) if place == Place::Broken => Err(Error::BrokenTransactionManager),
                Some(setting) if place == Place::Test => {
                    in_savepoint(conn, &setting, statement).await
                }
                Some(setting) => in_transaction(conn, &setting, statement).await,
            }
        })
    }
}

/// Undoes what a dropped future leaves open, before anything sent later on the connection.
/// Diesel knows of no transaction, so the connection stays usable.
struct Undo<'c> {
    conn: &'c AsyncPgConnection,
    sql: &'static str,
    watched: Option<Transaction>,
}

impl<'c> Undo<'c> {
    fn new(conn: &'c AsyncPgConnection, sql: &'static str) -> Self {
        Self {
            conn,
            sql,
            watched: Some(Transaction::begin()),
        }
    }

    /// Ends the open transaction. From here on there is nothing to undo.
    async fn end<T>(mut self, sql: &str, done: QueryResult<T>) -> QueryResult<T> {
        let watched = self.watched.take();
        let mut conn = self.conn;
        let ended = conn.batch_execute(sql).await;
        let done = done.and_then(|value| ended.map(|()| value));
        if let Some(watched) = watched {
            watched.ended(&done);
        }
        done
    }
}

impl Drop for Undo<'_> {
    fn drop(&mut self) {
        if let Some(watched) = self.watched.take() {
            // The first poll sends it to the task of the connection.
            let undone = pin!(self.conn.batch_execute(self.sql));
            let _ = undone.poll(&mut Context::from_waker(Waker::noop()));
            watched.was_left();
        }
    }
}

async fn in_transaction<T>(
    mut conn: &AsyncPgConnection,
    setting: &str,
    statement: impl Future<Output = QueryResult<T>>,
) -> QueryResult<T> {
    let undo = Undo::new(conn, "ROLLBACK");
    let begun = conn
        .batch_execute(&format!("BEGIN; {}", set_context(setting)))
        .await;
    let done = match begun {
        Ok(()) => statement.await,
        Err(error) => Err(error),
    };
    let end = if done.is_ok() { "COMMIT" } else { "ROLLBACK" };
    undo.end(end, done).await
}

/// Runs a statement inside the transaction of a test, which counts as no transaction.
async fn in_savepoint<T>(
    mut conn: &AsyncPgConnection,
    setting: &str,
    statement: impl Future<Output = QueryResult<T>>,
) -> QueryResult<T> {
    const UNDO: &str = "ROLLBACK TO SAVEPOINT threadline_statement; RELEASE threadline_statement";
    conn.batch_execute("SAVEPOINT threadline_statement").await?;
    let undo = Undo::new(conn, UNDO);
    let done = async {
        let replaced = replace_query(setting).get_result::<OuterContext>(&mut conn);
        let outer = replaced.await?;
        let value = statement.await?;
        restore_query(&outer).execute(&mut conn).await?;
        Ok(value)
    };
    match done.await {
        Ok(value) => undo.end("RELEASE threadline_statement", Ok(value)).await,
        Err(error) => undo.end(UNDO, Err(error)).await,
    }
}

impl SimpleAsyncConnection for Audited {
    async fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        self.batch_in_context(query).await
    }
}

type Row<'conn, 'query> = <AsyncPgConnection as AsyncConnectionCore>::Row<'conn, 'query>;

/// Rows that were read before their transaction ended.
struct Loaded<R>(vec::IntoIter<R>);

impl<R> Unpin for Loaded<R> {}

impl<R> Stream for Loaded<R> {
    type Item = QueryResult<R>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<QueryResult<R>>> {
        Poll::Ready(self.0.next().map(Ok))
    }
}

impl AsyncConnectionCore for Audited {
    type ExecuteFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<usize>>;
    type LoadFuture<'conn, 'query> = BoxFuture<'conn, QueryResult<Self::Stream<'conn, 'query>>>;
    type Stream<'conn, 'query> = BoxStream<'static, QueryResult<Row<'conn, 'query>>>;
    type Row<'conn, 'query> = Row<'conn, 'query>;
    type Backend = Pg;

    fn load<'conn, 'query, T>(&'conn mut self, source: T) -> Self::LoadFuture<'conn, 'query>
    where
        T: AsQuery + 'query,
        T::Query: QueryFragment<Pg> + QueryId + 'query,
    {
        let place = Place::of(&mut self.inner);
        if !self.has_own_transaction(place) {
            // Reads row by row.
            return AsyncConnectionCore::load(&mut self.inner, source);
        }
        self.statement(|mut conn| {
            let rows = AsyncConnectionCore::load(&mut conn, source);
            async move {
                let mut rows = rows.await?;
                let mut loaded = vec![];
                while let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
                    loaded.push(row?);
                }
                let loaded: Self::Stream<'conn, 'query> = Box::pin(Loaded(loaded.into_iter()));
                Ok(loaded)
            }
        })
    }

    fn execute_returning_count<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> Self::ExecuteFuture<'conn, 'query>
    where
        T: QueryFragment<Pg> + QueryId + 'query,
    {
        match transaction_control(&source, Place::of(&mut self.inner)) {
            Ok(Some(sql)) => Box::pin(async move {
                self.batch_in_context(&sql).await?;
                Ok(0)
            }),
            Ok(None) => self.statement(|mut conn| {
                AsyncConnectionCore::execute_returning_count(&mut conn, source)
            }),
            Err(error) => Box::pin(ready(Err(error))),
        }
    }
}

impl AsyncConnection for Audited {
    type TransactionManager = AuditedTransactionManager;

    async fn establish(database_url: &str) -> ConnectionResult<Self> {
        AsyncPgConnection::establish(database_url)
            .await
            .map(Self::new)
    }

    async fn begin_test_transaction(&mut self) -> QueryResult<()> {
        self.inner.begin_test_transaction().await
    }

    #[expect(clippy::manual_async_fn, reason = "with the bounds of the trait")]
    fn test_transaction<'conn, 'a, R, E, F>(
        &'conn mut self,
        f: F,
    ) -> impl Future<Output = R> + Send + 'conn
    where
        for<'r> F: AsyncFnOnce(&'r mut Self) -> Result<R, E>
            + AsyncWork<&'r mut Self, Result<R, E>, Work: Send>
            + Send
            + 'a,
        E: Debug + Send + 'a,
        R: Send + 'a,
        'a: 'conn,
    {
        async move {
            let f = f;
            let is_outermost = Place::of(&mut self.inner) == Place::Outside;
            let begun = Open::begin(self, None).await;
            let mut open = begun.unwrap_or_else(|error| panic!("no transaction begins: {error}"));
            if is_outermost {
                // The transactions of the test begin inside it.
                open.conn().status().set_test_transaction_flag();
            }
            let result = f(open.conn()).await;
            let _: QueryResult<()> = open.end(Err(Error::RollbackTransaction)).await;
            result.unwrap_or_else(|error| panic!("the transaction did not succeed: {error:?}"))
        }
    }

    fn transaction_state(&mut self) -> &mut Manager {
        self.inner.transaction_state()
    }

    fn instrumentation(&mut self) -> &mut dyn Instrumentation {
        self.inner.instrumentation()
    }

    fn set_instrumentation(&mut self, instrumentation: impl Instrumentation) {
        self.inner.set_instrumentation(instrumentation);
    }

    fn set_prepared_statement_cache_size(&mut self, size: CacheSize) {
        self.inner.set_prepared_statement_cache_size(size);
    }
}

impl TransactionManager<Audited> for AuditedTransactionManager {
    type TransactionStateData = Manager;

    async fn begin_transaction(conn: &mut Audited) -> QueryResult<()> {
        conn.begin_in_context().await
    }

    async fn rollback_transaction(conn: &mut Audited) -> QueryResult<()> {
        conn.roll_back_in_context().await
    }

    async fn commit_transaction(conn: &mut Audited) -> QueryResult<()> {
        conn.commit_in_context().await
    }

    fn transaction_manager_status_mut(conn: &mut Audited) -> &mut TransactionManagerStatus {
        Manager::transaction_manager_status_mut(&mut conn.inner)
    }

    fn is_broken_transaction_manager(conn: &mut Audited) -> bool {
        Manager::is_broken_transaction_manager(&mut conn.inner)
    }

    #[expect(clippy::manual_async_fn, reason = "with the bounds of the trait")]
    fn transaction<'a, 'conn, F, R, E>(
        conn: &'conn mut Audited,
        callback: F,
    ) -> impl Future<Output = Result<R, E>> + Send + 'conn
    where
        for<'r> F: AsyncFnOnce(&'r mut Audited) -> Result<R, E>
            + AsyncWork<&'r mut Audited, Result<R, E>, Work: Send>
            + Send
            + 'a,
        E: From<Error> + Send,
        R: Send,
        'a: 'conn,
    {
        async move {
            let callback = callback;
            let mut open = Open::begin(conn, None).await?;
            let done = callback(open.conn()).await;
            open.end(done).await
        }
    }
}

runs_operations! {
    Audited,
    async fn begin_with(&mut self, sql: &str) -> QueryResult<()> {
        self.inner.begin_with(sql).await
    }

    fn abandon(&mut self, outer: Option<NonZeroU32>) {
        self.outer = None;
        if let Some(watched) = self.watched.take() {
            watched.was_left();
        }
        self.inner.abandon(outer);
    }
}

streams_rows!(Audited, self => self.inner);
answers_boxed!(Audited);

/// `save_changes`, with the bounds that diesel-async has for an `AsyncPgConnection`.
impl<'b, Changes, Output, Tab, V> UpdateAndFetchResults<Changes, Output> for Audited
where
    Output: Send + 'static,
    Changes: Copy + AsChangeset<Target = Tab> + Send + Identifiable<Table = Tab>,
    Tab: Table + FindDsl<Changes::Id> + 'b,
    Find<Tab, Changes::Id>: IntoUpdateTarget<Table = Tab, WhereClause = V>,
    UpdateStatement<Tab, V, Changes::Changeset>: AsQuery,
    Update<Changes, Changes>: LoadQuery<'b, Self, Output>,
    V: Send + 'b,
    Changes::Changeset: Send + 'b,
    Tab::FromClause: Send,
{
    fn update_and_fetch<'conn, 'changes>(
        &'conn mut self,
        changeset: Changes,
    ) -> BoxFuture<'changes, QueryResult<Output>>
    where
        Changes: 'changes,
        Changes::Changeset: 'changes,
        'conn: 'changes,
        Self: 'changes,
    {
        Box::pin(async move {
            diesel::update(changeset)
                .set(changeset)
                .get_result(self)
                .await
        })
    }
}

#[cfg(any(feature = "deadpool", feature = "bb8", feature = "mobc"))]
for_pools!(pooled, Audited);

#[cfg(any(feature = "deadpool", feature = "bb8", feature = "mobc"))]
mod pooled {
    use diesel::result::QueryResult;
    use diesel_async::AsyncPgConnection;
    use diesel_async::pooled_connection::{PoolableConnection, RecyclingMethod};

    use super::super::by_hand::ByHand;
    use super::Audited;

    impl PoolableConnection for Audited {
        async fn ping(&mut self, config: &RecyclingMethod<Self>) -> QueryResult<()> {
            let inner = match config {
                RecyclingMethod::CustomFunction(check) => return check(self).await,
                RecyclingMethod::CustomQuery(query) => RecyclingMethod::CustomQuery(query.clone()),
                RecyclingMethod::Verified => RecyclingMethod::Verified,
                RecyclingMethod::Fast => RecyclingMethod::Fast,
            };
            // Uses the connection inside, so that a check carries no context.
            PoolableConnection::ping(&mut self.inner, &inner).await
        }

        fn is_broken(&mut self) -> bool {
            self.by_hand != ByHand::Closed
                || <AsyncPgConnection as PoolableConnection>::is_broken(&mut self.inner)
        }
    }
}
