use std::future::Future;
use std::num::NonZeroU32;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use diesel::Connection;
use diesel::connection::{
    LoadConnection, TransactionDepthChange, TransactionManager, TransactionManagerStatus,
};
use diesel::expression::QueryMetadata;
use diesel::pg::Pg;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::{Error, QueryResult};

use super::audit_connection::{AuditConnection, BuildRow, Runner};
#[cfg(feature = "postgres")]
use {
    super::audit_connection::{BoxFuture, EachRow, StreamConnection},
    super::plainly,
    diesel::pg::PgRowByRowLoadingMode,
    std::ops::ControlFlow,
};

/// A synchronous connection that can begin a transaction with given SQL.
///
/// `PgConnection`, pooled connections and [`AuditedConnection`](crate::AuditedConnection)
/// implement it. For any other synchronous connection to PostgreSQL, such as one of your
/// own, write `impl threadline::BlockingConnection for MyConnection {}`. It can then read
/// and write the audit.
pub trait BlockingConnection: Connection<Backend = Pg> + LoadConnection {
    /// Begins a transaction with the given SQL.
    ///
    /// A connection that wraps another one delegates to it. By default, the SQL runs as a
    /// batch, and the transaction manager is updated.
    ///
    /// # Errors
    ///
    /// Returns `AlreadyInTransaction`, before anything is sent, if a transaction is open.
    fn begin_transaction_sql(&mut self, sql: &str) -> QueryResult<()> {
        if status(self).transaction_depth()?.is_some() {
            return Err(Error::AlreadyInTransaction);
        }
        self.batch_execute(sql)?;
        match status(self) {
            TransactionManagerStatus::Valid(status) => {
                status.change_transaction_depth(TransactionDepthChange::IncreaseDepth)
            }
            TransactionManagerStatus::InError => Err(Error::BrokenTransactionManager),
        }
    }
}

fn status<C: Connection>(conn: &mut C) -> &mut TransactionManagerStatus {
    C::TransactionManager::transaction_manager_status_mut(conn)
}

#[cfg(feature = "postgres")]
impl BlockingConnection for diesel::PgConnection {
    fn begin_transaction_sql(&mut self, sql: &str) -> QueryResult<()> {
        diesel::connection::AnsiTransactionManager::begin_transaction_sql(self, sql)
    }
}

#[cfg(feature = "r2d2")]
impl<M> BlockingConnection for diesel::r2d2::PooledConnection<M>
where
    M: diesel::r2d2::ManageConnection,
    M::Connection: BlockingConnection + diesel::r2d2::R2D2Connection + Send + 'static,
{
    fn begin_transaction_sql(&mut self, sql: &str) -> QueryResult<()> {
        (**self).begin_transaction_sql(sql)
    }
}

impl<C: BlockingConnection> AuditConnection for C {
    type Answer<'a, T: 'a> = T;

    fn answer<'a, T, F>(work: F) -> T
    where
        T: 'a,
        F: Future<Output = T> + Send + 'a,
    {
        ready(work)
    }
}

/// Returns the output of a future that is ready at once.
pub fn ready<F: Future>(work: F) -> F::Output {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a synchronous connection is waited for where it is used"),
    }
}

impl<C: BlockingConnection> Runner for C {
    async fn rows_of<Q, B>(&mut self, query: Q, mut build: B) -> QueryResult<Vec<B::Value>>
    where
        Q: Query + QueryFragment<Pg> + QueryId + Send,
        Pg: QueryMetadata<Q::SqlType>,
        B: BuildRow,
    {
        self.load(query)?.map(|row| build.build(&row?)).collect()
    }

    async fn count_of<Q>(&mut self, query: Q) -> QueryResult<usize>
    where
        Q: QueryFragment<Pg> + QueryId + Send,
    {
        self.execute_returning_count(&query)
    }

    async fn batch(&mut self, sql: &str) -> QueryResult<()> {
        self.batch_execute(sql)
    }

    async fn begin_with(&mut self, sql: &str) -> QueryResult<()> {
        self.begin_transaction_sql(sql)
    }

    async fn begin(&mut self) -> QueryResult<()> {
        C::TransactionManager::begin_transaction(self)
    }

    async fn commit(&mut self) -> QueryResult<()> {
        C::TransactionManager::commit_transaction(self)
    }

    async fn roll_back(&mut self) -> QueryResult<()> {
        C::TransactionManager::rollback_transaction(self)
    }

    fn status(&mut self) -> &mut TransactionManagerStatus {
        status(self)
    }

    fn abandon(&mut self, outer: Option<NonZeroU32>) {
        // Only a panic leaves it open. Diesel would leave it so, and what a caller that catches the
        // panic writes next would belong to it.
        while matches!(status(self).transaction_depth(), Ok(depth) if depth > outer) {
            if C::TransactionManager::rollback_transaction(self).is_err() {
                status(self).set_in_error();
            }
        }
    }
}

#[cfg(feature = "postgres")]
impl<C> StreamConnection for C
where
    C: BlockingConnection + LoadConnection<PgRowByRowLoadingMode>,
{
    type Rows<'a, T: 'a>
        = Box<dyn Iterator<Item = T> + 'a>
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
            let rows = plainly(|| LoadConnection::<PgRowByRowLoadingMode>::load(self, query))?;
            let rows: Self::Rows<'a, E::Item> = Box::new(rows.map(move |row| each.item(row)));
            Ok(rows)
        })
    }

    async fn each_row<Q, E>(&mut self, query: Q, each: &mut E) -> QueryResult<()>
    where
        Q: Query + QueryFragment<Pg> + QueryId + Send,
        Pg: QueryMetadata<Q::SqlType>,
        E: EachRow<Item = ControlFlow<()>>,
    {
        for row in plainly(|| LoadConnection::<PgRowByRowLoadingMode>::load(self, query))? {
            if each.item(row).is_break() {
                break;
            }
        }
        Ok(())
    }
}
