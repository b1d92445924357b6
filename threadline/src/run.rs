//! Queries on whatever kind of connection, with the names that Diesel gives them.

use diesel::deserialize::FromSqlRow;
use diesel::expression::QueryMetadata;
use diesel::pg::Pg;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::{Error as DieselError, QueryResult};

use crate::context::{AuditConnection, Columns};
use crate::error::Error;

pub(crate) async fn load<C, Q, T>(conn: &mut C, query: Q) -> QueryResult<Vec<T>>
where
    C: AuditConnection,
    Q: Query + QueryFragment<Pg> + QueryId + Send,
    Pg: QueryMetadata<Q::SqlType>,
    T: FromSqlRow<Q::SqlType, Pg> + Send,
{
    conn.rows_of(query, Columns::<Q::SqlType, T>::new()).await
}

/// The first row, or `NotFound`.
pub(crate) async fn one<C, Q, T>(conn: &mut C, query: Q) -> QueryResult<T>
where
    C: AuditConnection,
    Q: Query + QueryFragment<Pg> + QueryId + Send,
    Pg: QueryMetadata<Q::SqlType>,
    T: FromSqlRow<Q::SqlType, Pg> + Send,
{
    let rows = load(conn, query).await?;
    rows.into_iter().next().ok_or(DieselError::NotFound)
}

/// The rows of a query on the audit tables, whose error says if they are not there.
pub(crate) async fn read<C, Q, T>(conn: &mut C, query: Q) -> Result<Vec<T>, Error>
where
    C: AuditConnection,
    Q: Query + QueryFragment<Pg> + QueryId + Send,
    Pg: QueryMetadata<Q::SqlType>,
    T: FromSqlRow<Q::SqlType, Pg> + Send,
{
    let rows = load(conn, query).await;
    understood(conn, rows).await
}

/// The first row of such a query, or `NotFound`.
pub(crate) async fn read_one<C, Q, T>(conn: &mut C, query: Q) -> Result<T, Error>
where
    C: AuditConnection,
    Q: Query + QueryFragment<Pg> + QueryId + Send,
    Pg: QueryMetadata<Q::SqlType>,
    T: FromSqlRow<Q::SqlType, Pg> + Send,
{
    let row = one(conn, query).await;
    understood(conn, row).await
}

/// An answer of the audit tables, with an error that says if they are not there.
pub(crate) async fn understood<C, T>(conn: &mut C, answer: QueryResult<T>) -> Result<T, Error>
where
    C: AuditConnection,
{
    match answer {
        Ok(answer) => Ok(answer),
        Err(error) => Err(Error::reading(conn, error).await),
    }
}
