//! Connections of diesel-async.

use std::future::{Future, poll_fn};
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};

use diesel::connection::TransactionManagerStatus;
use diesel::expression::QueryMetadata;
use diesel::pg::Pg;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::row::Row;
use diesel_async::{
    AnsiTransactionManager, AsyncConnection, AsyncConnectionCore, AsyncPgConnection,
    SimpleAsyncConnection, TransactionManager,
};

use futures_core::Stream;

pub(crate) use super::audit_connection::BoxFuture;
use super::audit_connection::{AuditConnection, BuildRow, EachRow, Runner, StreamConnection};

/// Makes a connection run the operations of the library through the traits of diesel-async. The
/// methods for which there is none follow.
macro_rules! runs_operations {
    ($connection:ty, $($own:tt)+) => {
        impl Runner for $connection {
            async fn rows_of<Q, B>(&mut self, query: Q, build: B) -> QueryResult<Vec<B::Value>>
            where
                Q: Query + QueryFragment<Pg> + QueryId + Send,
                Pg: QueryMetadata<Q::SqlType>,
                B: BuildRow,
            {
                values_of(AsyncConnectionCore::load(self, query), build).await
            }

            async fn count_of<Q>(&mut self, query: Q) -> QueryResult<usize>
            where
                Q: QueryFragment<Pg> + QueryId + Send,
            {
                self.execute_returning_count(query).await
            }

            async fn batch(&mut self, sql: &str) -> QueryResult<()> {
                self.batch_execute(sql).await
            }

            async fn begin(&mut self) -> QueryResult<()> {
                <Self as AsyncConnection>::TransactionManager::begin_transaction(self).await
            }

            async fn commit(&mut self) -> QueryResult<()> {
                <Self as AsyncConnection>::TransactionManager::commit_transaction(self).await
            }

            async fn roll_back(&mut self) -> QueryResult<()> {
                <Self as AsyncConnection>::TransactionManager::rollback_transaction(self).await
            }

            fn status(&mut self) -> &mut TransactionManagerStatus {
                <Self as AsyncConnection>::TransactionManager::transaction_manager_status_mut(self)
            }

            $($own)+
        }
    };
}
#[cfg(feature = "audited-connection")]
pub(crate) use runs_operations;

runs_operations! {
    AsyncPgConnection,
    async fn begin_with(&mut self, sql: &str) -> QueryResult<()> {
        AnsiTransactionManager::begin_transaction_sql(self, sql).await
    }

    fn abandon(&mut self, outer: Option<NonZeroU32>) {
        self.status().set_in_error();
        let undo = match outer {
            None => "ROLLBACK".to_owned(),
            Some(depth) => format!("ROLLBACK TO SAVEPOINT diesel_savepoint_{depth}"),
        };
        // The first poll sends it to the task of the connection, after everything sent
        // before.
        let undone = pin!(self.batch_execute(&undo));
        let _ = undone.poll(&mut Context::from_waker(Waker::noop()));
    }
}

/// Builds values of the rows that a query loads.
pub(crate) async fn values_of<L, R, B>(load: L, mut build: B) -> QueryResult<Vec<B::Value>>
where
    L: Future<Output = QueryResult<BoxStream<'static, QueryResult<R>>>>,
    R: for<'r> Row<'r, Pg>,
    B: BuildRow,
{
    let mut rows = load.await?;
    let mut values = vec![];
    while let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
        values.push(build.build(&row?)?);
    }
    Ok(values)
}

/// A connection of diesel-async.
pub trait Asynchronous: StreamConnection {
    /// Boxes the rows as a stream.
    #[doc(hidden)]
    fn boxed<'a, T: 'a>(rows: Self::Rows<'a, T>) -> BoxStream<'a, T>
    where
        Self: 'a;
}

pub(crate) type BoxStream<'a, T> = Pin<Box<dyn Stream<Item = T> + Send + 'a>>;

/// Makes a connection answer with boxed futures, and with its rows in a boxed stream.
macro_rules! answers_boxed {
    ($connection:ty) => {
        impl AuditConnection for $connection {
            type Answer<'a, T: 'a> = BoxFuture<'a, T>;

            fn answer<'a, T, F>(work: F) -> BoxFuture<'a, T>
            where
                T: 'a,
                F: Future<Output = T> + Send + 'a,
            {
                Box::pin(work)
            }
        }

        impl Asynchronous for $connection {
            fn boxed<'a, T: 'a>(rows: BoxStream<'a, T>) -> BoxStream<'a, T>
            where
                Self: 'a,
            {
                rows
            }
        }
    };
}
#[cfg(feature = "audited-connection")]
pub(crate) use answers_boxed;

answers_boxed!(AsyncPgConnection);

impl StreamConnection for AsyncPgConnection {
    type Rows<'a, T: 'a>
        = BoxStream<'a, T>
    where
        Self: 'a;

    fn row_by_row<'a, Q, E>(
        &'a mut self,
        query: Q,
        mut each: E,
    ) -> BoxFuture<'a, QueryResult<Self::Rows<'a, E::Item>>>
    where
        Q: Query + QueryFragment<Pg> + QueryId + Send + 'a,
        Pg: QueryMetadata<Q::SqlType>,
        E: EachRow + 'a,
    {
        Box::pin(async move {
            let mut rows = AsyncConnectionCore::load(self, query).await?;
            // An error of the server arrives with the first row. The call returns it.
            let first = poll_fn(|context| rows.as_mut().poll_next(context)).await;
            let first = first.transpose()?.map(|row| each.item(Ok(row)));
            let rows = first.is_some().then_some(rows);
            let rows: BoxStream<'a, E::Item> = Box::pin(Each { first, rows, each });
            Ok(rows)
        })
    }

    async fn each_row<Q, E>(&mut self, query: Q, each: &mut E) -> QueryResult<()>
    where
        Q: Query + QueryFragment<Pg> + QueryId + Send,
        Pg: QueryMetadata<Q::SqlType>,
        E: EachRow<Item = ControlFlow<()>>,
    {
        let mut rows = AsyncConnectionCore::load(self, query).await?;
        while let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
            if each.item(row).is_break() {
                break;
            }
        }
        Ok(())
    }
}

/// Maps each row of a stream.
struct Each<S: ?Sized, E: EachRow> {
    first: Option<E::Item>,
    /// `None` after its end, because tokio-postgres then reports that the connection is
    /// closed.
    rows: Option<Pin<Box<S>>>,
    each: E,
}

impl<S: ?Sized, E: EachRow> Unpin for Each<S, E> {}

impl<S, R, E> Stream for Each<S, E>
where
    S: Stream<Item = QueryResult<R>> + ?Sized,
    R: for<'r> Row<'r, Pg>,
    E: EachRow,
{
    type Item = E::Item;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<E::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        let Some(rows) = &mut self.rows else {
            return Poll::Ready(None);
        };
        let row = ready!(rows.as_mut().poll_next(context));
        if row.is_none() {
            self.rows = None;
        }
        Poll::Ready(row.map(|row| self.each.item(row)))
    }
}

/// Makes a connection stream the rows that the one inside it reads.
#[cfg(any(
    feature = "audited-connection",
    feature = "deadpool",
    feature = "bb8",
    feature = "mobc"
))]
macro_rules! streams_rows {
    ($connection:ty, $this:ident => $inside:expr) => {
        impl StreamConnection for $connection {
            type Rows<'a, T: 'a>
                = BoxStream<'a, T>
            where
                Self: 'a;

            fn row_by_row<'a, Q, E>(
                &'a mut $this,
                query: Q,
                each: E,
            ) -> $crate::connection::audit_connection::BoxFuture<'a, QueryResult<Self::Rows<'a, E::Item>>>
            where
                Q: Query + QueryFragment<Pg> + QueryId + Send + 'a,
                Pg: QueryMetadata<Q::SqlType>,
                E: EachRow + 'a,
            {
                $inside.row_by_row(query, each)
            }

            fn each_row<Q, E>(
                &mut $this,
                query: Q,
                each: &mut E,
            ) -> impl Future<Output = QueryResult<()>> + Send
            where
                Q: Query + QueryFragment<Pg> + QueryId + Send,
                Pg: QueryMetadata<Q::SqlType>,
                E: EachRow<Item = ControlFlow<()>>,
            {
                $inside.each_row(query, each)
            }
        }
    };
}
#[cfg(feature = "audited-connection")]
pub(crate) use streams_rows;

/// A pooled connection delegates everything to the one inside it.
#[cfg(any(feature = "deadpool", feature = "bb8", feature = "mobc"))]
macro_rules! pooled {
    ($pooled:ty) => {
        runs_operations! {
            $pooled,
            async fn begin_with(&mut self, sql: &str) -> QueryResult<()> {
                (**self).begin_with(sql).await
            }

            fn abandon(&mut self, outer: Option<NonZeroU32>) {
                (**self).abandon(outer);
            }
        }

        streams_rows!($pooled, self => **self);
        answers_boxed!($pooled);
    };
}
#[cfg(all(
    feature = "audited-connection",
    any(feature = "deadpool", feature = "bb8", feature = "mobc")
))]
pub(crate) use pooled;

/// Calls a macro for the pooled connections of each pool whose feature is enabled.
macro_rules! for_pools {
    ($implement:ident, $connection:ty) => {
        #[cfg(feature = "deadpool")]
        $implement!(diesel_async::pooled_connection::deadpool::Object<$connection>);
        #[cfg(feature = "bb8")]
        $implement!(diesel_async::pooled_connection::bb8::PooledConnection<'_, $connection>);
        #[cfg(feature = "mobc")]
        $implement!(diesel_async::pooled_connection::mobc::PooledConnection<$connection>);
    };
}
pub(crate) use for_pools;

for_pools!(pooled, AsyncPgConnection);

#[cfg(feature = "async-connection-wrapper")]
impl<C, B> super::BlockingConnection
    for diesel_async::async_connection_wrapper::AsyncConnectionWrapper<C, B>
where
    C: AsyncConnection<Backend = Pg>,
    B: diesel_async::async_connection_wrapper::BlockOn + Send,
    Self: diesel::Connection<Backend = Pg> + diesel::connection::LoadConnection,
{
}
