use diesel::connection::{DefaultLoadingMode, LoadConnection};
use diesel::expression::QueryMetadata;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
#[cfg(feature = "postgres")]
use {
    crate::context::ContextError,
    crate::transactions::transaction::run,
    diesel::pg::PgRowByRowLoadingMode,
    diesel::result::Error,
    diesel::{Connection, PgConnection},
};

/// A connection that can load the rows of a statement in a transaction of its own.
/// [`AuditedConnection`](crate::AuditedConnection) requires it of the connection inside it.
///
/// `PgConnection` and pooled connections implement it. A connection type of your own that
/// wraps one of them delegates to it.
pub trait AutocommitLoad<B = DefaultLoadingMode>: LoadConnection<B> {
    /// Runs a query in a transaction of its own under a context, given as the text of a
    /// setting.
    ///
    /// # Errors
    ///
    /// Returns the errors of the query and of the transaction, and an error for a loading
    /// mode that still reads from the connection after the transaction has ended.
    fn load_in_context<'conn, 'query, T>(
        &'conn mut self,
        source: T,
        context: &str,
    ) -> QueryResult<Self::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<Self::Backend> + QueryId + 'query,
        Self::Backend: QueryMetadata<T::SqlType>;
}

#[cfg(feature = "postgres")]
impl AutocommitLoad for PgConnection {
    fn load_in_context<'conn, 'query, T>(
        &'conn mut self,
        source: T,
        context: &str,
    ) -> QueryResult<Self::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<Self::Backend> + QueryId + 'query,
        Self::Backend: QueryMetadata<T::SqlType>,
    {
        run(self, Some(context), |conn| {
            LoadConnection::<DefaultLoadingMode>::load(conn, source)
        })
    }
}

#[cfg(feature = "postgres")]
impl AutocommitLoad<PgRowByRowLoadingMode> for PgConnection {
    fn load_in_context<'conn, 'query, T>(
        &'conn mut self,
        _: T,
        _: &str,
    ) -> QueryResult<<Self as LoadConnection<PgRowByRowLoadingMode>>::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<<Self as Connection>::Backend> + QueryId + 'query,
        <Self as Connection>::Backend: QueryMetadata<T::SqlType>,
    {
        Err(Error::QueryBuilderError(Box::new(ContextError::RowByRow)))
    }
}

#[cfg(feature = "r2d2")]
impl<B, M> AutocommitLoad<B> for diesel::r2d2::PooledConnection<M>
where
    M: diesel::r2d2::ManageConnection,
    M::Connection: AutocommitLoad<B> + diesel::r2d2::R2D2Connection + Send + 'static,
{
    fn load_in_context<'conn, 'query, T>(
        &'conn mut self,
        source: T,
        context: &str,
    ) -> QueryResult<Self::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<Self::Backend> + QueryId + 'query,
        Self::Backend: QueryMetadata<T::SqlType>,
    {
        (**self).load_in_context(source, context)
    }
}
