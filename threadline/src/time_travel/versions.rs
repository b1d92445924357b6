use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::{Expression, Selectable};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::{Error as DieselError, QueryResult};
use diesel::row::Row;
use diesel::sql_types::Untyped;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::all_as_of::{PastRecords, load_all_as_of};
use super::as_of::load_as_of;
use super::fit::{self, Lacking, ModelColumns, ReadModel};
use super::outcome;
#[cfg(any(feature = "schemars", feature = "utoipa"))]
use super::outcome::Outcome;
use crate::connection::{AuditConnection, BuildRow, StreamConnection};
use crate::error::Error;
#[cfg(feature = "schemars")]
use crate::forms::schema::Columns;
use crate::model::{AuditedModel, KeyExpression};
use crate::posting::post_before_reading;
use crate::queries::{RECORD_CHANGES, known_table};
use crate::record::{AuditChange, CHANGE_COLUMNS, ChangeSql, Unavailable, portable};
use crate::run;
use crate::statement::{self, CHANGE_TABLES, query_of_columns};

/// One change of a record, with the record as it was after it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schemars",
    derive(schemars::JsonSchema),
    schemars(rename = "Version_{M}")
)]
#[serde(bound(serialize = "M: Serialize", deserialize = "M: Deserialize<'de>"))]
#[cfg_attr(feature = "utoipa", derive(utoipa::ToSchema))]
#[non_exhaustive]
pub struct Version<M> {
    /// The change, with its time and actor.
    pub change: AuditChange,
    /// The record after the change. After a deletion, the record as it was when it was
    /// deleted.
    #[serde(flatten, with = "outcome")]
    #[cfg_attr(feature = "schemars", schemars(with = "Outcome<M>"))]
    #[cfg_attr(feature = "utoipa", schema(value_type = Outcome<M>))]
    pub record: Result<M, Unavailable>,
    /// The record as JSON, also if it does not match the model.
    #[serde(default, with = "portable::optional")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Columns>"))]
    pub image: Option<Value>,
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

/// Audited models that can be read back as their own type: those that derive `Selectable`
/// and `Queryable`.
#[diagnostic::on_unimplemented(
    message = "versions of `{Self}` cannot be read",
    note = "derive `Queryable` and `Selectable` next to `Audited`"
)]
pub trait VersionedModel: AuditedModel + Send + 'static {
    /// Used by [`Audited::versions`].
    #[doc(hidden)]
    fn load_versions<'c, C, V>(
        conn: &'c mut C,
        key: KeyExpression<V>,
    ) -> C::Answer<'c, Result<Vec<Version<Self>>, Error>>
    where
        C: AuditConnection,
        V: QueryFragment<Pg> + Send + 'c;

    /// Used by [`Audited::as_of`].
    #[doc(hidden)]
    fn load_as_of<'c, C, V>(
        conn: &'c mut C,
        key: KeyExpression<V>,
        instant: DateTime<Utc>,
    ) -> C::Answer<'c, Result<Result<Self, Unavailable>, Error>>
    where
        C: AuditConnection,
        V: QueryFragment<Pg> + Send + 'c;

    /// Used by [`Audited::all_as_of`].
    #[doc(hidden)]
    fn load_all_as_of<C>(
        conn: &mut C,
        instant: DateTime<Utc>,
    ) -> C::Answer<'_, Result<PastRecords<'_, C, Self>, Error>>
    where
        C: StreamConnection;
}

#[diagnostic::do_not_recommend]
impl<M> VersionedModel for M
where
    M: AuditedModel
        + Selectable<Pg>
        + FromSqlRow<<<M as Selectable<Pg>>::SelectExpression as Expression>::SqlType, Pg>
        + Send
        + 'static,
    M::SelectExpression: QueryFragment<Pg> + Send + 'static,
{
    fn load_versions<'c, C, V>(
        conn: &'c mut C,
        key: KeyExpression<V>,
    ) -> C::Answer<'c, Result<Vec<Version<M>>, Error>>
    where
        C: AuditConnection,
        V: QueryFragment<Pg> + Send + 'c,
    {
        C::answer(async move {
            let query = Versions {
                table: M::spec().table,
                model: ModelColumns::of::<M>()?,
                key,
            };
            let build = BuildVersion {
                model: ModelColumns::of::<M>()?,
                built: PhantomData,
            };
            post_before_reading(conn).await;
            let versions = conn.rows_of(query, build).await;
            let versions: Vec<Version<M>> = run::understood(conn, versions).await?;
            if versions.is_empty() {
                known_table(conn, &M::spec().table).await?;
            }
            Ok(versions)
        })
    }

    fn load_as_of<'c, C, V>(
        conn: &'c mut C,
        key: KeyExpression<V>,
        instant: DateTime<Utc>,
    ) -> C::Answer<'c, Result<Result<M, Unavailable>, Error>>
    where
        C: AuditConnection,
        V: QueryFragment<Pg> + Send + 'c,
    {
        C::answer(load_as_of(conn, key, instant))
    }

    fn load_all_as_of<C>(
        conn: &mut C,
        instant: DateTime<Utc>,
    ) -> C::Answer<'_, Result<PastRecords<'_, C, M>, Error>>
    where
        C: StreamConnection,
    {
        C::answer(load_all_as_of(conn, instant))
    }
}

struct BuildVersion<M: Selectable<Pg>> {
    model: ModelColumns<M::SelectExpression>,
    built: PhantomData<fn() -> M>,
}

impl<M: ReadModel> BuildRow for BuildVersion<M> {
    type Value = Version<M>;

    fn build<'r>(&mut self, row: &impl Row<'r, Pg>) -> QueryResult<Version<M>> {
        version(row, &self.model)
    }
}

fn version<'a, M: ReadModel>(
    row: &impl Row<'a, Pg>,
    model: &ModelColumns<M::SelectExpression>,
) -> QueryResult<Version<M>> {
    const MODEL: usize = CHANGE_COLUMNS + 6;
    let change = <AuditChange as FromSqlRow<ChangeSql, Pg>>::build_from_row(
        &row.partial_row(0..CHANGE_COLUMNS),
    )
    .map_err(DieselError::DeserializationError)?;
    let lacking = Lacking::read(row, CHANGE_COLUMNS + 2)?;
    let whole = fit::json(row, CHANGE_COLUMNS + 1)? == Some(Value::Bool(true));
    let record = if whole {
        fit::record(row, MODEL, model, &lacking)
    } else {
        Err(Unavailable::Incomplete)
    };
    Ok(Version {
        change,
        record,
        image: fit::json(row, CHANGE_COLUMNS)?,
        redacted: lacking.redacted,
        unrecorded: lacking.unrecorded,
    })
}

/// The query for the versions of a record.
#[derive(Debug)]
struct Versions<V, E> {
    table: String,
    model: ModelColumns<E>,
    key: KeyExpression<V>,
}

query_of_columns!(Versions<V, E>: Untyped);

impl<V: QueryFragment<Pg>, E: QueryFragment<Pg>> QueryFragment<Pg> for Versions<V, E> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Its columns are those of the table: after a change of the table, the server would
        // refuse a cached plan.
        out.unsafe_to_cache_prepared();
        statement::walk(&mut out, RECORD_CHANGES, |name, out| {
            statement::fill_record(name, &self.table, &self.key, out)
        })?;
        statement::walk(&mut out, include_str!("versions.sql"), |name, out| {
            match name {
                "change columns" => out.push_sql(&statement::change_columns()),
                "change tables" => out.push_sql(CHANGE_TABLES),
                _ => {
                    return self.model.fill(name, out).unwrap_or_else(|| {
                        statement::fill_record(name, &self.table, &self.key, out)
                    });
                }
            }
            Ok(())
        })
    }
}
