use chrono::{DateTime, Utc};
use diesel::RunQueryDsl;
use diesel::deserialize::FromSqlRow;
use diesel::expression::{Expression, Selectable};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::row::Row;
use diesel::sql_types::{Jsonb, Nullable, Text, Timestamptz, Untyped};
use serde_json::Value;

use super::{OpenTransaction, Unavailable};
use crate::context::AuditConnection;
use crate::error::{Error, ErrorKind};
use crate::explore::{Bind, Typed, change_by_id};
use crate::model::{Audited, KeyExpression};
use crate::posting::post_before_reading;
use crate::record::fit::{self, Lacking, ModelColumns};
use crate::record::statement;

/// How many columns the query selects before the model's.
const OWN_COLUMNS: usize = 9;

/// What the query says of a record.
struct Found {
    state: String,
    image: Option<Value>,
    transaction: Option<i64>,
    change: Option<i64>,
    since: DateTime<Utc>,
    lacking: Lacking,
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
    let model = ModelColumns::of::<M>()?;
    let query = AsOf {
        sql: include_str!("as_of.sql"),
        table: M::spec().table,
        model: Some(&model),
        key,
        instant,
    };
    let (found, record) = load(conn, query, |row, found| {
        fit::record::<M>(row, OWN_COLUMNS, &model, &found.lacking)
    })?;
    Ok(match available(conn, found, instant)? {
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
pub fn as_of_json<C, V>(
    conn: &mut C,
    table: String,
    key: KeyExpression<V>,
    instant: DateTime<Utc>,
) -> Result<Result<Value, Unavailable>, Error>
where
    C: AuditConnection,
    V: QueryFragment<Pg>,
{
    let query = AsOf::<_, ()> {
        sql: include_str!("as_of_json.sql"),
        table,
        model: None,
        key,
        instant,
    };
    let (found, ()) = load(conn, query, |_, _| ())?;
    available(conn, found, instant)
}

fn load<C, V, E, R>(
    conn: &mut C,
    query: AsOf<'_, V, E>,
    record: impl FnOnce(&C::Row<'_, '_>, &Found) -> R,
) -> Result<(Found, R), Error>
where
    C: AuditConnection,
    V: QueryFragment<Pg>,
    E: QueryFragment<Pg>,
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
        lacking: Lacking::read(row, 5)?,
    })
}

/// The image, or why there is none.
fn available<C: AuditConnection>(
    conn: &mut C,
    found: Found,
    instant: DateTime<Utc>,
) -> Result<Result<Value, Unavailable>, Error> {
    let change = match (found.state.as_str(), found.transaction, found.change) {
        ("deleted" | "moved", Some(transaction), Some(change)) => {
            change_by_id(conn, transaction, change)?.map(Box::new)
        }
        _ => None,
    };
    Ok(match (found.state.as_str(), found.image, change) {
        ("there", Some(image), _) => Ok(image),
        ("unsettled", ..) => Err(Unavailable::Unsettled {
            open: open_writers(conn, instant),
        }),
        ("unaudited", ..) => Err(Unavailable::BeforeAudit { since: found.since }),
        ("purged", ..) => Err(Unavailable::NoLongerKept { since: found.since }),
        ("never", ..) => Err(Unavailable::NeverExisted),
        ("deleted", _, Some(change)) => Err(Unavailable::Deleted { change }),
        ("moved", _, Some(change)) => Err(Unavailable::KeyChanged { change }),
        _ => Err(Unavailable::Incomplete),
    })
}

/// Who keeps what was at an instant from being final.
fn open_writers<C: AuditConnection>(conn: &mut C, instant: DateTime<Utc>) -> Vec<OpenTransaction> {
    let query =
        Typed::<Nullable<Jsonb>>::new(include_str!("open_writers.sql"), [Bind::Instant(instant)]);
    let open: Option<Option<Value>> = query.get_result(conn).ok();
    open.flatten()
        .and_then(|open| serde_json::from_value(open).ok())
        .unwrap_or_default()
}

/// The query for a record as it was.
#[derive(Debug)]
struct AsOf<'m, V, E> {
    sql: &'static str,
    table: String,
    model: Option<&'m ModelColumns<E>>,
    key: KeyExpression<V>,
    instant: DateTime<Utc>,
}

impl<V, E> Query for AsOf<'_, V, E> {
    type SqlType = Untyped;
}

impl<V, E> QueryId for AsOf<'_, V, E> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<V: QueryFragment<Pg>, E: QueryFragment<Pg>> QueryFragment<Pg> for AsOf<'_, V, E> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Its columns are the table's: a plan kept over a change of the table
        // would be refused by the server.
        out.unsafe_to_cache_prepared();
        statement::walk(&mut out, self.sql, |name, out| {
            if name == "instant" {
                return out.push_bind_param::<Timestamptz, _>(&self.instant);
            }
            match self.model.and_then(|model| model.fill(name, out)) {
                Some(filled) => filled,
                None => statement::fill_record(name, &self.table, &self.key, out),
            }
        })
    }
}
