//! Connection pools of the explorer.

use std::future::Future;

use threadline::BlockingConnection;
use tokio::task::JoinError;
#[cfg(any(feature = "bb8", feature = "deadpool", feature = "r2d2"))]
use tokio::task::spawn_blocking;

/// A pool of connections that the explorer reads through.
///
/// The feature `r2d2` implements it for pools of `diesel::r2d2`; the features `deadpool` and
/// `bb8` implement it for those of diesel-async. Another pool needs one method:
///
/// ```
/// # use threadline_tests::Database;
/// use diesel::{Connection, PgConnection};
/// use threadline_web::{Pool, PoolError};
///
/// /// Opens a new connection for each page.
/// #[derive(Clone)]
/// struct OneByOne(String);
///
/// impl Pool for OneByOne {
///     type Connection = PgConnection;
///
///     async fn run<T, F>(&self, work: F) -> Result<T, PoolError>
///     where
///         T: Send + 'static,
///         F: FnOnce(&mut PgConnection) -> T + Send + 'static,
///     {
///         let url = self.0.clone();
///         let work = move || PgConnection::establish(&url).map(|mut conn| work(&mut conn));
///         tokio::task::spawn_blocking(work).await?.map_err(PoolError::new)
///     }
/// }
/// ```
pub trait Pool: Clone + Send + Sync + 'static {
    /// The connection that the work uses.
    type Connection: BlockingConnection + 'static;

    /// Runs blocking work with a connection, on a thread that may block.
    fn run<T, F>(&self, work: F) -> impl Future<Output = Result<T, PoolError>> + Send
    where
        T: Send + 'static,
        F: FnOnce(&mut Self::Connection) -> T + Send + 'static;
}

/// The pool returned no connection, or the work on it was cancelled.
#[derive(Debug, thiserror::Error)]
#[error("no database connection: {0}")]
pub struct PoolError(#[source] Box<dyn std::error::Error + Send + Sync>);

impl PoolError {
    /// Wraps the error of a pool.
    pub fn new(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

/// Resumes a panic of the work in its request.
impl From<JoinError> for PoolError {
    fn from(error: JoinError) -> Self {
        match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Self::new(error),
        }
    }
}

#[cfg(feature = "r2d2")]
impl Pool for diesel::r2d2::Pool<diesel::r2d2::ConnectionManager<diesel::PgConnection>> {
    type Connection = diesel::PgConnection;

    async fn run<T, F>(&self, work: F) -> Result<T, PoolError>
    where
        T: Send + 'static,
        F: FnOnce(&mut diesel::PgConnection) -> T + Send + 'static,
    {
        let pool = self.clone();
        let work = move || pool.get().map(|mut conn| work(&mut conn));
        spawn_blocking(work).await?.map_err(PoolError::new)
    }
}

#[cfg(feature = "deadpool")]
impl Pool for diesel_async::pooled_connection::deadpool::Pool<diesel_async::AsyncPgConnection> {
    type Connection =
        Wrapped<diesel_async::pooled_connection::deadpool::Object<diesel_async::AsyncPgConnection>>;

    async fn run<T, F>(&self, work: F) -> Result<T, PoolError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Self::Connection) -> T + Send + 'static,
    {
        let conn = self.get().await.map_err(PoolError::new)?;
        Ok(spawn_blocking(move || work(&mut conn.into())).await?)
    }
}

#[cfg(feature = "bb8")]
impl Pool for diesel_async::pooled_connection::bb8::Pool<diesel_async::AsyncPgConnection> {
    type Connection = Wrapped<
        diesel_async::pooled_connection::bb8::PooledConnection<
            'static,
            diesel_async::AsyncPgConnection,
        >,
    >;

    async fn run<T, F>(&self, work: F) -> Result<T, PoolError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Self::Connection) -> T + Send + 'static,
    {
        let conn = self.get_owned().await.map_err(PoolError::new)?;
        Ok(spawn_blocking(move || work(&mut conn.into())).await?)
    }
}

/// Wraps a connection of diesel-async as a synchronous one.
#[cfg(any(feature = "bb8", feature = "deadpool"))]
type Wrapped<C> = diesel_async::async_connection_wrapper::AsyncConnectionWrapper<C>;
