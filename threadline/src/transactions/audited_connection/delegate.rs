//! The connection traits of Diesel, delegated to the connection inside.

use std::any::Any;
use std::fmt::Debug;

use diesel::connection::{
    CacheSize, ConnectionSealed, Instrumentation, LoadConnection, MultiConnectionHelper,
    SimpleConnection, TransactionManager,
};
use diesel::expression::QueryMetadata;
use diesel::migration::MigrationConnection;
use diesel::pg::{CopyFromQuery, Pg};
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::query_dsl::UpdateAndFetchResults;
use diesel::result::{ConnectionResult, Error, QueryResult};
use diesel::sql_types::TypeMetadata;
use diesel::{Connection, ExecuteCopyFromDsl};

use super::batch::transaction_control;
use super::manager::Place;
use super::{AuditedConnection, AuditedTransactionManager, AutocommitLoad};
use crate::connection::{BlockingConnection, ready};

impl<C: BlockingConnection> SimpleConnection for AuditedConnection<C> {
    fn batch_execute(&mut self, query: &str) -> QueryResult<()> {
        ready(self.batch_in_context(query))
    }
}

impl<C> ConnectionSealed for AuditedConnection<C> {}

impl<C: BlockingConnection> Connection for AuditedConnection<C> {
    type Backend = Pg;
    type TransactionManager = AuditedTransactionManager;

    fn establish(database_url: &str) -> ConnectionResult<Self> {
        C::establish(database_url).map(Self::new)
    }

    fn begin_test_transaction(&mut self) -> QueryResult<()> {
        self.inner.begin_test_transaction()
    }

    fn test_transaction<T, E, F>(&mut self, work: F) -> T
    where
        F: FnOnce(&mut Self) -> Result<T, E>,
        E: Debug,
    {
        let is_outermost = Place::of(&mut self.inner) == Place::Outside;
        let mut result = None;
        let _ = self.transaction::<(), _, _>(|conn| {
            if is_outermost {
                // The transactions of the test begin inside it.
                AuditedTransactionManager::transaction_manager_status_mut(conn)
                    .set_test_transaction_flag();
            }
            result = Some(work(conn));
            Err(Error::RollbackTransaction)
        });
        result
            .expect("the transaction was begun")
            .unwrap_or_else(|error| panic!("the transaction did not succeed: {error:?}"))
    }

    fn execute_returning_count<T>(&mut self, source: &T) -> QueryResult<usize>
    where
        T: QueryFragment<Pg> + QueryId,
    {
        match transaction_control(source, Place::of(&mut self.inner))? {
            Some(sql) => self.batch_execute(&sql).map(|()| 0),
            None => self.statement(|conn| conn.execute_returning_count(source)),
        }
    }

    fn transaction_state(
        &mut self,
    ) -> &mut <Self::TransactionManager as TransactionManager<Self>>::TransactionStateData {
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

impl<B, C> LoadConnection<B> for AuditedConnection<C>
where
    C: BlockingConnection + AutocommitLoad<B>,
{
    type Cursor<'conn, 'query>
        = <C as LoadConnection<B>>::Cursor<'conn, 'query>
    where
        Self: 'conn;
    type Row<'conn, 'query>
        = <C as LoadConnection<B>>::Row<'conn, 'query>
    where
        Self: 'conn;

    fn load<'conn, 'query, T>(
        &'conn mut self,
        source: T,
    ) -> QueryResult<Self::Cursor<'conn, 'query>>
    where
        T: Query + QueryFragment<Pg> + QueryId + 'query,
        Pg: QueryMetadata<T::SqlType>,
    {
        match self.statement_context() {
            Some(setting) => self.inner.load_in_context(source, &setting),
            None => LoadConnection::<B>::load(&mut self.inner, source),
        }
    }
}

impl<C> BlockingConnection for AuditedConnection<C>
where
    C: BlockingConnection + AutocommitLoad,
{
    fn begin_transaction_sql(&mut self, sql: &str) -> QueryResult<()> {
        self.inner.begin_transaction_sql(sql)
    }
}

impl<C> MigrationConnection for AuditedConnection<C>
where
    C: BlockingConnection + MigrationConnection,
{
    fn setup(&mut self) -> QueryResult<usize> {
        self.inner.setup()
    }
}

impl<Changes, Output, C> UpdateAndFetchResults<Changes, Output> for AuditedConnection<C>
where
    C: BlockingConnection + UpdateAndFetchResults<Changes, Output>,
{
    fn update_and_fetch(&mut self, changeset: Changes) -> QueryResult<Output> {
        self.statement(|conn| conn.update_and_fetch(changeset))
    }
}

impl<T, A, C> ExecuteCopyFromDsl<AuditedConnection<C>> for CopyFromQuery<T, A>
where
    C: BlockingConnection,
    Self: ExecuteCopyFromDsl<C>,
    <Self as ExecuteCopyFromDsl<C>>::Error: From<Error>,
{
    type Error = <Self as ExecuteCopyFromDsl<C>>::Error;

    fn execute(self, conn: &mut AuditedConnection<C>) -> Result<usize, Self::Error> {
        conn.statement(|conn: &mut C| <Self as ExecuteCopyFromDsl<C>>::execute(self, conn))
    }
}

impl<C> MultiConnectionHelper for AuditedConnection<C>
where
    C: BlockingConnection + MultiConnectionHelper,
{
    fn to_any<'a>(lookup: &mut <Pg as TypeMetadata>::MetadataLookup) -> &mut (dyn Any + 'a) {
        C::to_any(lookup)
    }

    fn from_any(lookup: &mut dyn Any) -> Option<&mut <Pg as TypeMetadata>::MetadataLookup> {
        C::from_any(lookup)
    }
}
