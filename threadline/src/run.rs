//! Queries on any kind of connection, with the names that Diesel uses.

use diesel::QueryableByName;
use diesel::deserialize::FromSqlRow;
use diesel::expression::QueryMetadata;
use diesel::pg::Pg;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::{Error as DieselError, QueryResult};
use diesel::sql_types::{Bool, Integer, Nullable};

use crate::connection::{AuditConnection, Columns};
use crate::error::{Error, ErrorKind};
use crate::version::SCHEMA_VERSION;

pub(crate) async fn load<C, Q, T>(conn: &mut C, query: Q) -> QueryResult<Vec<T>>
where
    C: AuditConnection,
    Q: Query + QueryFragment<Pg> + QueryId + Send,
    Pg: QueryMetadata<Q::SqlType>,
    T: FromSqlRow<Q::SqlType, Pg> + Send,
{
    conn.rows_of(query, Columns::<Q::SqlType, T>::new()).await
}

/// Returns the first row, or `NotFound`.
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

/// Returns the rows of a query on the audit tables. The error says if the tables do not
/// exist.
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

/// Returns the first row of such a query, or `NotFound`.
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

/// Converts the result of a query on the audit tables. The error says if the tables do not
/// exist.
pub(crate) async fn understood<C, T>(conn: &mut C, answer: QueryResult<T>) -> Result<T, Error>
where
    C: AuditConnection,
{
    match answer {
        Ok(answer) => Ok(answer),
        Err(error) => Err(reading(conn, error).await),
    }
}

/// Converts an error of a query on the audit tables. If the tables do not exist, the error
/// says so instead of naming the first function that PostgreSQL missed.
async fn reading<C: AuditConnection>(conn: &mut C, error: DieselError) -> Error {
    if let DieselError::DatabaseError(_, information) = &error {
        let message = information.message();
        if information.constraint_name() == Some("threadline_reference") {
            return Error::new(ErrorKind::Reference {
                message: message.trim_start_matches("threadline: ").to_owned(),
            });
        }
        // Errors raised by the schema's own functions begin with its name.
        if lacks_schema(message) {
            match installed_version(conn).await {
                Ok(installed) if installed < Some(SCHEMA_VERSION) => {
                    return Error::schema_missing(installed);
                }
                // A failed transaction accepts no query, so the version cannot be read.
                Err(_) if message.contains("does not exist") => {
                    return Error::schema_missing(None);
                }
                _ => {}
            }
        }
    }
    error.into()
}

/// Returns whether PostgreSQL misses part of the audit schema: the schema itself, or a
/// table or function in it.
fn lacks_schema(message: &str) -> bool {
    !message.starts_with("threadline:")
        && (message.contains("\"threadline\"") || message.contains("threadline."))
}

/// Returns an error unless the audit schema is as new as this crate needs.
pub(crate) async fn require_schema<C: AuditConnection>(conn: &mut C) -> Result<(), Error> {
    match installed_version(conn).await? {
        installed if installed < Some(SCHEMA_VERSION) => Err(Error::schema_missing(installed)),
        _ => Ok(()),
    }
}

/// Returns the version in the database, or `None` without an audit schema.
pub(crate) async fn installed_version<C>(conn: &mut C) -> QueryResult<Option<i32>>
where
    C: AuditConnection,
{
    #[derive(QueryableByName)]
    struct Exists {
        #[diesel(sql_type = Bool)]
        exists: bool,
    }
    #[derive(QueryableByName)]
    struct Version {
        #[diesel(sql_type = Nullable<Integer>)]
        version: Option<i32>,
    }
    let query = diesel::sql_query(
        "SELECT pg_catalog.to_regclass('threadline.schema_versions') IS NOT NULL AS exists",
    );
    let found: Exists = one(conn, query).await?;
    if !found.exists {
        return Ok(None);
    }
    let query = diesel::sql_query("SELECT max(version) AS version FROM threadline.schema_versions");
    let newest: Version = one(conn, query).await?;
    Ok(newest.version)
}
