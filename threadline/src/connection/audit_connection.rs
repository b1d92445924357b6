use std::future::Future;
use std::marker::PhantomData;
use std::num::NonZeroU32;
use std::ops::ControlFlow;
use std::pin::Pin;

use diesel::connection::TransactionManagerStatus;
use diesel::deserialize::FromSqlRow;
use diesel::expression::QueryMetadata;
use diesel::pg::Pg;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::{Error, QueryResult};
use diesel::row::Row;

/// Boxed where a function returns it for any connection: older versions of Rust cannot tell whether
/// a future that is not boxed is `Send` then.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A connection on which the audit is read and written, of Diesel or of diesel-async.
///
/// The same functions and methods work with both. On a synchronous connection they return
/// the result; on an asynchronous one they return a future of it.
///
/// | connection | available with the feature |
/// |---|---|
/// | `PgConnection` | `postgres` |
/// | `diesel::r2d2::PooledConnection` | `r2d2` |
/// | [`AuditedConnection`](crate::AuditedConnection) | `audited-connection` |
/// | `diesel_async::AsyncPgConnection` | `diesel-async` |
/// | `AuditedConnection<AsyncPgConnection>` | `audited-connection` and `diesel-async` |
/// | pooled connections of diesel-async | `deadpool`, `bb8`, `mobc` |
/// | `AsyncConnectionWrapper` | `async-connection-wrapper` |
///
/// A synchronous connection type of your own needs one line, see
/// [`BlockingConnection`](crate::BlockingConnection). If an asynchronous one wraps an
/// `AsyncPgConnection`, pass the inner connection.
#[diagnostic::on_unimplemented(
    message = "the audit cannot be read on a `{Self}`",
    label = "no connection that threadline knows",
    note = "connections of diesel-async need the feature `diesel-async` of threadline, pooled ones `deadpool`, `bb8` or `mobc`",
    note = "a synchronous connection type of your own implements `threadline::BlockingConnection`"
)]
pub trait AuditConnection: Runner {
    /// The return type of a call: the result itself on a synchronous connection, a future
    /// of it on an asynchronous one.
    type Answer<'a, T: 'a>;

    /// Used by every function that takes such a connection.
    #[doc(hidden)]
    fn answer<'a, T, F>(work: F) -> Self::Answer<'a, T>
    where
        T: 'a,
        F: Future<Output = T> + Send + 'a;
}

/// The operations that the library runs on a connection. The futures of a synchronous
/// connection are ready at once.
pub trait Runner: Send + Sized {
    /// Runs a query and builds a value of each row.
    fn rows_of<Q, B>(
        &mut self,
        query: Q,
        build: B,
    ) -> impl Future<Output = QueryResult<Vec<B::Value>>> + Send
    where
        Q: Query + QueryFragment<Pg> + QueryId + Send,
        Pg: QueryMetadata<Q::SqlType>,
        B: BuildRow;

    /// Runs a query and returns the number of rows that it affected.
    fn count_of<Q>(&mut self, query: Q) -> impl Future<Output = QueryResult<usize>> + Send
    where
        Q: QueryFragment<Pg> + QueryId + Send;

    /// Runs SQL of several statements.
    fn batch(&mut self, sql: &str) -> impl Future<Output = QueryResult<()>> + Send;

    /// Begins a transaction with the given SQL, unless one is open.
    fn begin_with(&mut self, sql: &str) -> impl Future<Output = QueryResult<()>> + Send;

    /// Begins a transaction, or a savepoint in the one that is open.
    fn begin(&mut self) -> impl Future<Output = QueryResult<()>> + Send;

    /// Commits what `begin` began.
    fn commit(&mut self) -> impl Future<Output = QueryResult<()>> + Send;

    /// Rolls back everything since `begin`.
    fn roll_back(&mut self) -> impl Future<Output = QueryResult<()>> + Send;

    /// Returns Diesel's state of the open transaction.
    fn status(&mut self) -> &mut TransactionManagerStatus;

    /// Rolls back to the depth of transactions `outer` what a panic or a dropped future leaves
    /// open. An asynchronous connection sends this before anything that is sent later. Nothing waits
    /// for the result, so the connection is broken from then on.
    fn abandon(&mut self, outer: Option<NonZeroU32>);
}

/// A connection whose rows can be read one by one, so that memory does not grow with their
/// number.
///
/// Every [`AuditConnection`] of this crate implements it.
pub trait StreamConnection: AuditConnection {
    /// The rows as they arrive: an iterator on a synchronous connection, a stream on an
    /// asynchronous one.
    type Rows<'a, T: 'a>
    where
        Self: 'a;

    /// Runs a query and yields the mapped value of each row.
    #[doc(hidden)]
    fn row_by_row<'a, Q, E>(
        &'a mut self,
        query: Q,
        each: E,
    ) -> BoxFuture<'a, QueryResult<Self::Rows<'a, E::Item>>>
    where
        Q: Query + QueryFragment<Pg> + QueryId + Send + 'a,
        Pg: QueryMetadata<Q::SqlType>,
        E: EachRow + 'a;

    /// Runs a query and passes each row to a function until that returns a break.
    #[doc(hidden)]
    fn each_row<Q, E>(
        &mut self,
        query: Q,
        each: &mut E,
    ) -> impl Future<Output = QueryResult<()>> + Send
    where
        Q: Query + QueryFragment<Pg> + QueryId + Send,
        Pg: QueryMetadata<Q::SqlType>,
        E: EachRow<Item = ControlFlow<()>>;
}

/// Maps each row, or the error that came in its place.
pub trait EachRow: Send {
    /// The mapped value.
    type Item: Send;

    /// Maps one row.
    fn item<'r, R: Row<'r, Pg>>(&mut self, row: QueryResult<R>) -> Self::Item;
}

/// Builds a value of a row, independent of the kind of connection.
pub trait BuildRow: Send {
    /// The built value.
    type Value: Send;

    /// Builds one value.
    fn build<'r>(&mut self, row: &impl Row<'r, Pg>) -> QueryResult<Self::Value>;
}

/// Builds the value that Diesel builds of a row with columns of these types.
pub(crate) struct Columns<ST, T>(PhantomData<fn() -> (ST, T)>);

impl<ST, T> Columns<ST, T> {
    pub(crate) fn new() -> Self {
        Self(PhantomData)
    }
}

impl<ST, T> BuildRow for Columns<ST, T>
where
    T: FromSqlRow<ST, Pg> + Send,
{
    type Value = T;

    fn build<'r>(&mut self, row: &impl Row<'r, Pg>) -> QueryResult<T> {
        T::build_from_row(row).map_err(Error::DeserializationError)
    }
}
