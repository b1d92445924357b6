use std::future::Future;
use std::marker::PhantomData;
use std::ops::ControlFlow;

use diesel::connection::TransactionManagerStatus;
use diesel::deserialize::FromSqlRow;
use diesel::expression::QueryMetadata;
use diesel::pg::Pg;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::{Error, QueryResult};
use diesel::row::Row;

/// A connection on which the audit is read and written, of Diesel or of diesel-async.
///
/// The same functions and methods serve both: on a synchronous connection they answer, on
/// an asynchronous one they return a future of the answer.
///
/// | connection | there with the feature |
/// |---|---|
/// | `PgConnection` | `postgres` |
/// | `diesel::r2d2::PooledConnection` | `r2d2` |
/// | [`AuditedConnection`](crate::AuditedConnection) | `audited-connection` |
/// | `diesel_async::AsyncPgConnection` | `diesel-async` |
/// | `AuditedConnection<AsyncPgConnection>` | `audited-connection` and `diesel-async` |
/// | pooled ones of diesel-async | `deadpool`, `bb8`, `mobc` |
/// | `AsyncConnectionWrapper` | `async-connection-wrapper` |
///
/// A synchronous connection type of your own takes a line, see
/// [`BlockingConnection`](crate::BlockingConnection). Of an asynchronous one that wraps an
/// `AsyncPgConnection`, pass that.
#[diagnostic::on_unimplemented(
    message = "the audit cannot be read on a `{Self}`",
    label = "no connection that threadline knows",
    note = "connections of diesel-async need the feature `diesel-async` of threadline, pooled ones `deadpool`, `bb8` or `mobc`",
    note = "a synchronous connection type of your own implements `threadline::BlockingConnection`"
)]
pub trait AuditConnection: Runner {
    /// What a call returns: the answer itself on a synchronous connection, a future of it
    /// on an asynchronous one.
    type Answer<'a, T: 'a>;

    /// Used by whatever takes such a connection.
    #[doc(hidden)]
    fn answer<'a, T, F>(work: F) -> Self::Answer<'a, T>
    where
        T: 'a,
        F: Future<Output = T> + Send + 'a;
}

/// What is asked of a connection. The futures of a synchronous one are ready.
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

    /// Runs a query and says how many rows it touched.
    fn count_of<Q>(&mut self, query: Q) -> impl Future<Output = QueryResult<usize>> + Send
    where
        Q: QueryFragment<Pg> + QueryId + Send;

    /// Runs SQL of several statements.
    fn batch(&mut self, sql: &str) -> impl Future<Output = QueryResult<()>> + Send;

    /// Begins a transaction with the given SQL, unless one is open.
    fn begin_with(&mut self, sql: &str) -> impl Future<Output = QueryResult<()>> + Send;

    /// Begins a transaction, or a savepoint in the one that is open.
    fn begin(&mut self) -> impl Future<Output = QueryResult<()>> + Send;

    /// Ends what `begin` began.
    fn commit(&mut self) -> impl Future<Output = QueryResult<()>> + Send;

    /// Undoes what was done since `begin`.
    fn roll_back(&mut self) -> impl Future<Output = QueryResult<()>> + Send;

    /// What Diesel knows of the transaction that is open.
    fn status(&mut self) -> &mut TransactionManagerStatus;

    /// Undoes what a future that is dropped leaves open, with SQL that the server gets
    /// before whatever comes later. Nothing waits for it, so the connection is broken from
    /// then on.
    fn abandon(&mut self, undo: &str);
}

/// A connection whose rows can be read one by one, so that memory does not grow with their
/// number.
///
/// Every [`AuditConnection`] that this crate knows is one.
pub trait StreamConnection: AuditConnection {
    /// Rows as they come: an iterator on a synchronous connection, a stream on an
    /// asynchronous one.
    type Rows<'a, T: 'a>
    where
        Self: 'a;

    /// Runs a query and hands out what is made of each row.
    #[doc(hidden)]
    fn row_by_row<'a, Q, E>(
        &'a mut self,
        query: Q,
        each: E,
    ) -> impl Future<Output = QueryResult<Self::Rows<'a, E::Item>>> + Send
    where
        Q: Query + QueryFragment<Pg> + QueryId + Send + 'a,
        Pg: QueryMetadata<Q::SqlType>,
        E: EachRow + 'a;

    /// Runs a query and shows each row, until one breaks it off.
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

/// Makes something of each row, or of the error that came in its place.
pub trait EachRow: Send {
    /// What is made.
    type Item: Send;

    /// Makes it.
    fn item<'r, R: Row<'r, Pg>>(&mut self, row: QueryResult<R>) -> Self::Item;
}

/// Builds a value of a row, whatever kind of connection it came by.
pub trait BuildRow: Send {
    /// What is built.
    type Value: Send;

    /// Builds it.
    fn build<'r>(&mut self, row: &impl Row<'r, Pg>) -> QueryResult<Self::Value>;
}

/// Builds what Diesel builds of a row with columns of these types.
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
