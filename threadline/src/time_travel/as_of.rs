use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use diesel::expression::Selectable;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;
use diesel::row::Row;
use diesel::sql_types::{Jsonb, Nullable, Text, Timestamptz, Untyped};
use serde_json::Value;

use super::fit::{self, Lacking, ModelColumns, ReadModel};
use crate::connection::{AuditConnection, BuildRow};
use crate::error::{Error, ErrorKind};
use crate::model::KeyExpression;
use crate::posting::post_before_reading;
use crate::queries::change_by_id;
use crate::record::{OpenTransaction, Unavailable};
use crate::run;
use crate::statement::{self, Bind, Typed, query_of_columns};

/// The number of columns that the query selects before those of the model.
const OWN_COLUMNS: usize = 9;

/// The result of the query for a record.
struct Found {
    state: String,
    image: Option<Value>,
    transaction: Option<i64>,
    change: Option<i64>,
    since: DateTime<Utc>,
    lacking: Lacking,
}

pub(crate) async fn load_as_of<C, M, V>(
    conn: &mut C,
    key: KeyExpression<V>,
    instant: DateTime<Utc>,
) -> Result<Result<M, Unavailable>, Error>
where
    C: AuditConnection,
    M: ReadModel,
    V: QueryFragment<Pg> + Send,
{
    let query = AsOf {
        sql: include_str!("as_of.sql"),
        table: M::spec().table,
        model: Some(ModelColumns::of::<M>()?),
        key,
        instant,
    };
    let build = BuildRecord {
        model: ModelColumns::of::<M>()?,
        built: PhantomData,
    };
    let (found, record) = load(conn, query, build).await?;
    Ok(match available(conn, found, instant).await? {
        Ok(_) => record,
        Err(reason) => Err(reason),
    })
}

/// Returns the record as JSON, from a table named as in SQL.
pub async fn as_of_json<C, V>(
    conn: &mut C,
    table: String,
    key: KeyExpression<V>,
    instant: DateTime<Utc>,
) -> Result<Result<Value, Unavailable>, Error>
where
    C: AuditConnection,
    V: QueryFragment<Pg> + Send,
{
    let query = AsOf::<_, ()> {
        sql: include_str!("as_of_json.sql"),
        table,
        model: None,
        key,
        instant,
    };
    let found = load(conn, query, BuildFound).await?;
    available(conn, found, instant).await
}

async fn load<C, V, E, B>(conn: &mut C, query: AsOf<V, E>, build: B) -> Result<B::Value, Error>
where
    C: AuditConnection,
    V: QueryFragment<Pg> + Send,
    E: QueryFragment<Pg> + Send,
    B: BuildRow,
{
    post_before_reading(conn).await;
    let table = query.table.clone();
    let rows = conn.rows_of(query, build).await;
    match run::understood(conn, rows).await?.pop() {
        Some(answer) => Ok(answer),
        None => Err(Error::new(ErrorKind::NotAudited { table })),
    }
}

struct BuildFound;

impl BuildRow for BuildFound {
    type Value = Found;

    fn build<'r>(&mut self, row: &impl Row<'r, Pg>) -> QueryResult<Found> {
        found(row)
    }
}

struct BuildRecord<M: Selectable<Pg>> {
    model: ModelColumns<M::SelectExpression>,
    built: PhantomData<fn() -> M>,
}

impl<M: ReadModel> BuildRow for BuildRecord<M> {
    type Value = (Found, Result<M, Unavailable>);

    fn build<'r>(&mut self, row: &impl Row<'r, Pg>) -> QueryResult<Self::Value> {
        let found = found(row)?;
        let record = fit::record(row, OWN_COLUMNS, &self.model, &found.lacking);
        Ok((found, record))
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

/// Returns the image, or the reason why there is none.
async fn available<C: AuditConnection>(
    conn: &mut C,
    found: Found,
    instant: DateTime<Utc>,
) -> Result<Result<Value, Unavailable>, Error> {
    let change = match (found.state.as_str(), found.transaction, found.change) {
        ("deleted" | "moved", Some(transaction), Some(change)) => {
            change_by_id(conn, transaction, change).await?.map(Box::new)
        }
        _ => None,
    };
    Ok(match (found.state.as_str(), found.image, change) {
        ("there", Some(image), _) => Ok(image),
        ("not_final", ..) => Err(Unavailable::NotFinal {
            open: open_writers(conn, instant).await,
        }),
        ("unaudited", ..) => Err(Unavailable::BeforeAudit { since: found.since }),
        ("purged", ..) => Err(Unavailable::NoLongerKept { since: found.since }),
        ("never", ..) => Err(Unavailable::NeverExisted),
        ("deleted", _, Some(change)) => Err(Unavailable::Deleted { change }),
        ("moved", _, Some(change)) => Err(Unavailable::KeyChanged { change }),
        _ => Err(Unavailable::Incomplete),
    })
}

/// Returns the transactions that keep the state at an instant from being final.
async fn open_writers<C: AuditConnection>(
    conn: &mut C,
    instant: DateTime<Utc>,
) -> Vec<OpenTransaction> {
    let query =
        Typed::<Nullable<Jsonb>>::new(include_str!("open_writers.sql"), [Bind::Instant(instant)]);
    let open: Option<Option<Value>> = run::one(conn, query).await.ok();
    open.flatten()
        .and_then(|open| serde_json::from_value(open).ok())
        .unwrap_or_default()
}

/// The query for a record at an instant.
#[derive(Debug)]
struct AsOf<V, E> {
    sql: &'static str,
    table: String,
    model: Option<ModelColumns<E>>,
    key: KeyExpression<V>,
    instant: DateTime<Utc>,
}

query_of_columns!(AsOf<V, E>: Untyped);

impl<V: QueryFragment<Pg>, E: QueryFragment<Pg>> QueryFragment<Pg> for AsOf<V, E> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Its columns are those of the table: after a change of the table, the server would
        // refuse a cached plan.
        out.unsafe_to_cache_prepared();
        statement::walk(&mut out, self.sql, |name, out| {
            if name == "instant" {
                return out.push_bind_param::<Timestamptz, _>(&self.instant);
            }
            match self.model.as_ref().and_then(|model| model.fill(name, out)) {
                Some(filled) => filled,
                None => statement::fill_record(name, &self.table, &self.key, out),
            }
        })
    }
}
