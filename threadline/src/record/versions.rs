use diesel::deserialize::{FromSql, FromSqlRow};
use diesel::expression::{Expression, Selectable};
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::result::{Error as DieselError, QueryResult};
use diesel::row::{Field, Row};
use diesel::sql_types::{Jsonb, Untyped};
use serde_json::Value;

use super::AuditChange;
use super::row::{AnyJson, CHANGE_COLUMNS, ChangeSql};
use super::statement::{self, CHANGE_TABLES};
use crate::context::AuditConnection;
use crate::error::Error;
use crate::model::{Audited, KeyExpression, to_sql};

/// One change of a record, with the record as it was after it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Version<M> {
    /// What was changed, when and by whom.
    pub change: AuditChange,
    /// The record after the change; after a deletion, as it was when it went.
    pub record: Result<M, Unavailable>,
    /// The record as JSON, also where it does not fit the model.
    pub image: Option<Value>,
    /// The columns that the policy keeps from the audit. In `record` they hold
    /// the placeholder `***` or nothing, never what the live row holds now.
    pub redacted: Vec<String>,
}

/// Why a version of a record cannot be had as the model's type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// A column that the model must have is kept from the audit.
    #[error(
        "the model needs a value of a column that is masked or excluded ({}); use an Option for it, or read `image`",
        .columns.join(", ")
    )]
    Redacted {
        /// The columns that the policy redacts.
        columns: Vec<String>,
    },
    /// Neither the record's beginning nor its end is on record or in the table,
    /// so that columns that did not change are unknown: of a record that has
    /// another key now, ask under that.
    #[error(
        "only what changed is on record, not the whole row; if the record has another key now, ask under that, or read `image`"
    )]
    Incomplete,
    /// The row as it was then has not the types or columns of the model now.
    #[error("the row as it was then does not fit the model: {message}; read `image`")]
    DoesNotFit {
        /// What did not fit.
        message: String,
    },
}

/// Audited models that can be read back as their own type: those that derive
/// `Selectable` and `Queryable`.
#[diagnostic::on_unimplemented(
    message = "versions of `{Self}` cannot be read",
    note = "derive `Queryable` and `Selectable` next to `Audited`"
)]
pub trait VersionedModel: Audited {
    /// Used by [`Audited::versions`].
    #[doc(hidden)]
    fn load_versions<C, V>(
        conn: &mut C,
        key: KeyExpression<V>,
    ) -> Result<Vec<Version<Self>>, Error>
    where
        C: AuditConnection,
        V: QueryFragment<Pg>;
}

#[diagnostic::do_not_recommend]
impl<M> VersionedModel for M
where
    M: Audited
        + Selectable<Pg>
        + FromSqlRow<<<M as Selectable<Pg>>::SelectExpression as Expression>::SqlType, Pg>,
    M::SelectExpression: QueryFragment<Pg>,
{
    fn load_versions<C, V>(conn: &mut C, key: KeyExpression<V>) -> Result<Vec<Version<M>>, Error>
    where
        C: AuditConnection,
        V: QueryFragment<Pg>,
    {
        let table = M::spec().table;
        // The model's own select clause, on the row made from the image.
        let model_columns = to_sql(&M::construct_selection())
            .replace(&format!("{table}."), &format!("{ROW_ALIAS}."));
        let query = Versions {
            table,
            model_columns,
            key,
        };
        load(conn, query).map_err(|error| Error::reading(conn, error))
    }
}

/// What the row made from an image is called in the query.
const ROW_ALIAS: &str = "tl_row";

fn load<C, M, V>(conn: &mut C, query: Versions<V>) -> QueryResult<Vec<Version<M>>>
where
    C: AuditConnection,
    M: Audited
        + Selectable<Pg>
        + FromSqlRow<<<M as Selectable<Pg>>::SelectExpression as Expression>::SqlType, Pg>,
    V: QueryFragment<Pg>,
{
    conn.load(query)?.map(|row| version(&row?)).collect()
}

fn version<'a, M>(row: &impl Row<'a, Pg>) -> QueryResult<Version<M>>
where
    M: Selectable<Pg>
        + FromSqlRow<<<M as Selectable<Pg>>::SelectExpression as Expression>::SqlType, Pg>,
{
    const MODEL: usize = CHANGE_COLUMNS + 3;
    let change = <AuditChange as FromSqlRow<ChangeSql, Pg>>::build_from_row(
        &row.partial_row(0..CHANGE_COLUMNS),
    )
    .map_err(DieselError::DeserializationError)?;
    let redacted: Vec<String> = json(row, CHANGE_COLUMNS)?
        .and_then(|names| serde_json::from_value(names).ok())
        .unwrap_or_default();
    let image = json(row, CHANGE_COLUMNS + 1)?;
    let whole = json(row, CHANGE_COLUMNS + 2)? == Some(Value::Bool(true));
    let record = M::build_from_row(&row.partial_row(MODEL..row.field_count())).map_err(|error| {
        if error.is::<diesel::result::UnexpectedNullError>() && !redacted.is_empty() {
            Unavailable::Redacted {
                columns: redacted.clone(),
            }
        } else {
            Unavailable::DoesNotFit {
                message: error.to_string(),
            }
        }
    });
    let record = if whole {
        record
    } else {
        Err(Unavailable::Incomplete)
    };
    Ok(Version {
        change,
        record,
        image,
        redacted,
    })
}

fn json<'a>(row: &impl Row<'a, Pg>, column: usize) -> QueryResult<Option<Value>> {
    let field = row.get(column).ok_or(DieselError::NotFound)?;
    let value: Option<PgValue<'_>> = field.value();
    value
        .map(|value| <AnyJson as FromSql<Jsonb, Pg>>::from_sql(value).map(AnyJson::into_inner))
        .transpose()
        .map_err(DieselError::DeserializationError)
}

/// The query for a record's versions.
#[derive(Debug)]
struct Versions<V> {
    table: String,
    model_columns: String,
    key: KeyExpression<V>,
}

impl<V> Query for Versions<V> {
    type SqlType = Untyped;
}

impl<V> QueryId for Versions<V> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<V: QueryFragment<Pg>> QueryFragment<Pg> for Versions<V> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Its columns are the table's: a plan kept over a change of the table
        // would be refused by the server.
        out.unsafe_to_cache_prepared();
        let sql = concat!(include_str!("story.sql"), include_str!("versions.sql"));
        statement::walk(&mut out, sql, |name, out| {
            match name {
                "change columns" => out.push_sql(&statement::change_columns()),
                "change tables" => out.push_sql(CHANGE_TABLES),
                "model columns" => out.push_sql(&self.model_columns),
                "row alias" => out.push_sql(ROW_ALIAS),
                _ => return statement::fill_record(name, &self.table, &self.key, out),
            }
            Ok(())
        })
    }
}
