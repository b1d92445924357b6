use chrono::{DateTime, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::{Expression, Selectable};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::row::Row;
use diesel::sql_types::{Text, Timestamptz, Untyped};
use serde_json::Value;

use super::Unavailable;
use crate::context::AuditConnection;
use crate::error::{Error, ErrorKind};
use crate::explore::change_by_id;
use crate::model::{Audited, KeyExpression};
use crate::posting::post_before_reading;
use crate::record::fit::{self, ModelColumns};
use crate::record::statement;

/// How many columns the query selects before the model's.
const OWN_COLUMNS: usize = 6;

/// What the query says of a record.
struct Found {
    state: String,
    image: Option<Value>,
    transaction: Option<i64>,
    change: Option<i64>,
    since: DateTime<Utc>,
    redacted: Vec<String>,
}

pub(crate) fn load_as_of<C, M, V>(
    conn: &mut C,
    key: KeyExpression<V>,
    instant: DateTime<Utc>,
) -> Result<Result<M, Unavailable>, Error>
where
    C: AuditConnection,
    M: Audited
        + Selectable<Pg>
        + FromSqlRow<<<M as Selectable<Pg>>::SelectExpression as Expression>::SqlType, Pg>,
    M::SelectExpression: QueryFragment<Pg>,
    V: QueryFragment<Pg>,
{
    let query = AsOf {
        sql: include_str!("as_of.sql"),
        table: M::spec().table,
        model_columns: ModelColumns::of::<M>().select_list(),
        key,
        instant,
    };
    let (found, record) = load(conn, query, |row, found| {
        fit::record::<M>(row, OWN_COLUMNS, &found.redacted)
    })?;
    Ok(match available(conn, found)? {
        Ok(_) => record,
        Err(reason) => Err(reason),
    })
}

pub(crate) fn load_as_of_json<C, M, V>(
    conn: &mut C,
    key: KeyExpression<V>,
    instant: DateTime<Utc>,
) -> Result<Result<Value, Unavailable>, Error>
where
    C: AuditConnection,
    M: Audited,
    V: QueryFragment<Pg>,
{
    as_of_json(conn, M::spec().table, key, instant)
}

/// The same of a table by its name as in SQL.
pub(crate) fn as_of_json<C, V>(
    conn: &mut C,
    table: String,
    key: KeyExpression<V>,
    instant: DateTime<Utc>,
) -> Result<Result<Value, Unavailable>, Error>
where
    C: AuditConnection,
    V: QueryFragment<Pg>,
{
    let query = AsOf {
        sql: include_str!("as_of_json.sql"),
        table,
        model_columns: String::new(),
        key,
        instant,
    };
    let (found, ()) = load(conn, query, |_, _| ())?;
    available(conn, found)
}

fn load<C, V, R>(
    conn: &mut C,
    query: AsOf<V>,
    record: impl FnOnce(&C::Row<'_, '_>, &Found) -> R,
) -> Result<(Found, R), Error>
where
    C: AuditConnection,
    V: QueryFragment<Pg>,
{
    post_before_reading(conn);
    let table = query.table.clone();
    let answer = (|| {
        let mut rows = conn.load(query)?;
        let Some(row) = rows.next() else {
            return Ok(None);
        };
        let row = row?;
        let found = found(&row)?;
        let record = record(&row, &found);
        Ok(Some((found, record)))
    })();
    match answer {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => Err(Error::new(ErrorKind::NotAudited { table })),
        Err(error) => Err(Error::reading(conn, error)),
    }
}

fn found<'a>(row: &impl Row<'a, Pg>) -> QueryResult<Found> {
    Ok(Found {
        state: fit::value::<Text, String>(row, 0)?.unwrap_or_default(),
        image: fit::json(row, 1)?,
        transaction: fit::value::<diesel::sql_types::BigInt, i64>(row, 2)?,
        change: fit::value::<diesel::sql_types::BigInt, i64>(row, 3)?,
        since: fit::value::<Timestamptz, DateTime<Utc>>(row, 4)?.unwrap_or_default(),
        redacted: fit::names(row, 5)?,
    })
}

/// The image, or why there is none.
fn available<C: AuditConnection>(
    conn: &mut C,
    found: Found,
) -> Result<Result<Value, Unavailable>, Error> {
    let change = match (found.state.as_str(), found.transaction, found.change) {
        ("deleted" | "moved", Some(transaction), Some(change)) => {
            change_by_id(conn, transaction, change)?.map(Box::new)
        }
        _ => None,
    };
    Ok(match (found.state.as_str(), found.image, change) {
        ("there", Some(image), _) => Ok(image),
        ("unsettled", ..) => Err(Unavailable::Unsettled),
        ("unaudited", ..) => Err(Unavailable::BeforeAudit { since: found.since }),
        ("purged", ..) => Err(Unavailable::NoLongerKept { since: found.since }),
        ("never", ..) => Err(Unavailable::NeverExisted),
        ("deleted", _, Some(change)) => Err(Unavailable::Deleted { change }),
        ("moved", _, Some(change)) => Err(Unavailable::KeyChanged { change }),
        _ => Err(Unavailable::Incomplete),
    })
}

/// The query for a record as it was.
#[derive(Debug)]
struct AsOf<V> {
    sql: &'static str,
    table: String,
    model_columns: String,
    key: KeyExpression<V>,
    instant: DateTime<Utc>,
}

impl<V> Query for AsOf<V> {
    type SqlType = Untyped;
}

impl<V> QueryId for AsOf<V> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<V: QueryFragment<Pg>> QueryFragment<Pg> for AsOf<V> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Its columns are the table's: a plan kept over a change of the table
        // would be refused by the server.
        out.unsafe_to_cache_prepared();
        statement::walk(&mut out, self.sql, |name, out| {
            match name {
                "instant" => return out.push_bind_param::<Timestamptz, _>(&self.instant),
                "model columns" => out.push_sql(&self.model_columns),
                "row alias" => out.push_sql(fit::ROW_ALIAS),
                _ => return statement::fill_record(name, &self.table, &self.key, out),
            }
            Ok(())
        })
    }
}
