//! Work on the audit that neither a timeout nor the isolation level of the role or the database
//! prevents.

use diesel::deserialize::FromSqlRow;
use diesel::expression::QueryMetadata;
use diesel::pg::Pg;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::QueryResult;

use crate::connection::AuditConnection;
use crate::error::Error;
use crate::run;

/// What a role or a database sets for the requests of the application would stop work that grows
/// while nobody does it. PostgreSQL has `transaction_timeout` since version 17.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_catalog.set_config(name, '0', true) \
    FROM pg_catalog.unnest('{statement_timeout,transaction_timeout}'::text[]) AS name \
    WHERE pg_catalog.current_setting(name, true) IS NOT NULL";

/// Returns the first row of a query in a transaction of its own, with its own settings. In the
/// caller's transaction, the caller's settings apply.
pub(crate) async fn one<C, Q, T>(conn: &mut C, query: Q) -> Result<T, Error>
where
    C: AuditConnection,
    Q: Query + QueryFragment<Pg> + QueryId + Send,
    Pg: QueryMetadata<Q::SqlType>,
    T: FromSqlRow<Q::SqlType, Pg> + Send,
{
    if !matches!(conn.status().transaction_depth(), Ok(None)) {
        return run::read_one(conn, query).await;
    }
    let mut open = Unfinished { conn, undo: true };
    let row = open.one(query).await;
    open.undo = false;
    run::understood(open.conn, row).await
}

/// A transaction that is undone if its future is dropped.
struct Unfinished<'c, C: AuditConnection> {
    conn: &'c mut C,
    undo: bool,
}

impl<C: AuditConnection> Unfinished<'_, C> {
    async fn one<Q, T>(&mut self, query: Q) -> QueryResult<T>
    where
        Q: Query + QueryFragment<Pg> + QueryId + Send,
        Pg: QueryMetadata<Q::SqlType>,
        T: FromSqlRow<Q::SqlType, Pg> + Send,
    {
        self.conn.begin_with(BEGIN).await?;
        match run::one(self.conn, query).await {
            Ok(row) => self.conn.commit().await.map(|()| row),
            Err(error) => {
                // The error of the query says more.
                let _ = self.conn.roll_back().await;
                Err(error)
            }
        }
    }
}

impl<C: AuditConnection> Drop for Unfinished<'_, C> {
    fn drop(&mut self) {
        if self.undo {
            self.conn.abandon(None);
        }
    }
}
