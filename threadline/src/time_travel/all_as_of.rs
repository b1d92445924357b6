use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::Selectable;
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::{Error as DieselError, QueryResult};
use diesel::row::Row;
use diesel::sql_types::{Text, Timestamptz, Untyped};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::fit::{self, Lacking, ModelColumns, ReadModel};
use super::outcome;
#[cfg(any(feature = "schemars", feature = "utoipa"))]
use super::outcome::Outcome;
use crate::connection::{EachRow, StreamConnection};
use crate::error::{Error, ErrorKind};
#[cfg(feature = "schemars")]
use crate::forms::schema::Columns;
use crate::posting::post_before_reading;
use crate::record::{Unavailable, portable};
use crate::run::require_schema;
use crate::statement::{self, query_of_columns};

/// A record of a table as it was at an instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schemars",
    derive(schemars::JsonSchema),
    schemars(rename = "PastRecord_{M}")
)]
#[serde(bound(serialize = "M: Serialize", deserialize = "M: Deserialize<'de>"))]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct PastRecord<M> {
    /// The primary key at the instant, such as `{"id": 42}`.
    #[serde(with = "portable::value")]
    #[cfg_attr(feature = "schemars", schemars(with = "Columns"))]
    pub key: Value,
    /// The record at the instant.
    #[serde(flatten, with = "outcome")]
    #[cfg_attr(feature = "schemars", schemars(with = "Outcome<M>"))]
    #[cfg_attr(feature = "utoipa", schema(value_type = Outcome<M>))]
    pub record: Result<M, Unavailable>,
    /// The record as JSON, also if it does not match the model.
    #[serde(with = "portable::value")]
    #[cfg_attr(feature = "schemars", schemars(with = "Columns"))]
    pub image: Value,
    /// The columns that the policy redacts. In `record` they have the placeholder `***` or
    /// no value, never the value of the live row.
    #[serde(default)]
    pub redacted: Vec<String>,
    /// The columns whose values at the time were not recorded: an ALTER has converted them
    /// since, or they were new in a table with redaction. `image` lacks them, and `record`
    /// is an error if the model reads one of them.
    #[serde(default)]
    pub unrecorded: Vec<String>,
}

/// The number of columns that the query selects before those of the model.
const OWN_COLUMNS: usize = 6;

/// The records of a table at an instant: an iterator on a synchronous connection, a stream
/// on an asynchronous one.
pub type PastRecords<'c, C, M> = <C as StreamConnection>::Rows<'c, Result<PastRecord<M>, Error>>;

pub(crate) async fn load_all_as_of<'c, C, M>(
    conn: &'c mut C,
    instant: DateTime<Utc>,
) -> Result<PastRecords<'c, C, M>, Error>
where
    C: StreamConnection,
    M: ReadModel<SelectExpression: 'static> + 'static,
{
    let query = AllAsOf {
        table: M::spec().table,
        model: ModelColumns::of::<M>()?,
        instant,
    };
    let each = EachPast {
        table: query.table.clone(),
        model: ModelColumns::of::<M>()?,
        built: PhantomData,
    };
    // Read first: once the rows are streamed, the connection is busy.
    require_schema(conn).await?;
    post_before_reading(conn).await;
    let rows = conn.row_by_row(query, each).await;
    rows.map_err(|error| refused(error, &M::spec().table))
}

struct EachPast<M: Selectable<Pg>> {
    table: String,
    model: ModelColumns<M::SelectExpression>,
    built: PhantomData<fn() -> M>,
}

impl<M: ReadModel> EachRow for EachPast<M> {
    type Item = Result<PastRecord<M>, Error>;

    fn item<'r, R: Row<'r, Pg>>(&mut self, row: QueryResult<R>) -> Self::Item {
        row.and_then(|row| past_record(&row, &self.model))
            .map_err(|error| refused(error, &self.table))
    }
}

/// Returns the rows of a table, named as in SQL: key and image.
pub async fn rows_as_of<C>(
    conn: &mut C,
    table: String,
    instant: DateTime<Utc>,
) -> Result<C::Rows<'_, Result<(Value, Value), Error>>, Error>
where
    C: StreamConnection,
{
    use crate::statement::{Bind, Typed};

    let query = Typed::<KeyAndImage>::new(
        include_str!("rows_as_of.sql"),
        [Bind::Text(table.clone()), Bind::Instant(instant)],
    );
    let each = EachImage(table.clone());
    let rows = conn.row_by_row(query, each).await;
    rows.map_err(|error| refused(error, &table))
}

type KeyAndImage = (diesel::sql_types::Jsonb, diesel::sql_types::Jsonb);

/// The table.
struct EachImage(String);

impl EachRow for EachImage {
    type Item = Result<(Value, Value), Error>;

    fn item<'r, R: Row<'r, Pg>>(&mut self, row: QueryResult<R>) -> Self::Item {
        use crate::record::AnyJson;

        let row = row.map_err(|error| refused(error, &self.0))?;
        let (key, image) =
            <(AnyJson, AnyJson) as FromSqlRow<KeyAndImage, Pg>>::build_from_row(&row)
                .map_err(DieselError::DeserializationError)?;
        Ok((key.into_inner(), image.into_inner()))
    }
}

fn past_record<'a, M: ReadModel>(
    row: &impl Row<'a, Pg>,
    model: &ModelColumns<M::SelectExpression>,
) -> QueryResult<PastRecord<M>> {
    let lacking = Lacking::read(row, 2)?;
    Ok(PastRecord {
        key: fit::json(row, 0)?.unwrap_or_default(),
        record: fit::record(row, OWN_COLUMNS, model, &lacking),
        image: fit::json(row, 1)?.unwrap_or_default(),
        redacted: lacking.redacted,
        unrecorded: lacking.unrecorded,
    })
}

/// Converts errors raised by the server's function into the types of this crate.
fn refused(error: DieselError, table: &str) -> Error {
    let DieselError::DatabaseError(_, information) = &error else {
        return error.into();
    };
    let since = || DateTime::parse_from_str(information.details()?, "%Y-%m-%d %H:%M:%S%.f%#z").ok();
    match information.constraint_name() {
        Some("threadline_not_final") => Unavailable::NotFinal {
            open: information
                .details()
                .and_then(|open| serde_json::from_str(open).ok())
                .unwrap_or_default(),
        }
        .into(),
        Some("threadline_incomplete") => Unavailable::Incomplete.into(),
        Some("threadline_unaudited") => Unavailable::BeforeAudit {
            since: since().map(|since| since.to_utc()).unwrap_or_default(),
        }
        .into(),
        Some("threadline_purged") => Unavailable::NoLongerKept {
            since: since().map(|since| since.to_utc()).unwrap_or_default(),
        }
        .into(),
        Some("threadline_not_audited") => Error::new(ErrorKind::NotAudited {
            table: table.to_owned(),
        }),
        _ => error.into(),
    }
}

/// The query for a table at an instant.
#[derive(Debug)]
struct AllAsOf<E> {
    table: String,
    model: ModelColumns<E>,
    instant: DateTime<Utc>,
}

query_of_columns!(AllAsOf<E>: Untyped);

impl<E: QueryFragment<Pg>> QueryFragment<Pg> for AllAsOf<E> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        statement::walk(&mut out, include_str!("all_as_of.sql"), |name, out| {
            match name {
                "instant" => return out.push_bind_param::<Timestamptz, _>(&self.instant),
                "table name" => return out.push_bind_param::<Text, _>(&self.table),
                "table" => out.push_sql(&self.table),
                _ => {
                    return (self.model.fill(name, out)).unwrap_or_else(|| {
                        unreachable!("a query file has an unknown place {{{name}}}")
                    });
                }
            }
            Ok(())
        })
    }
}
