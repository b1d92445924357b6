//! Rows made from images, read as the user's model.

use diesel::deserialize::{FromSql, FromSqlRow};
use diesel::expression::{Expression, Selectable};
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryFragment;
use diesel::result::{Error as DieselError, QueryResult, UnexpectedNullError};
use diesel::row::{Field, Row};
use diesel::sql_types::Jsonb;
use serde_json::Value;

use super::row::AnyJson;
use crate::model::{Audited, to_sql};
use crate::time_travel::Unavailable;

/// What the row made from an image is called in a query.
pub(crate) const ROW_ALIAS: &str = "tl_row";

/// The model's own select clause, on the row made from an image.
pub(crate) struct ModelColumns(String);

impl ModelColumns {
    pub(crate) fn of<M>() -> Self
    where
        M: Audited + Selectable<Pg>,
        M::SelectExpression: QueryFragment<Pg>,
    {
        let table = M::spec().table;
        Self(
            to_sql(&M::construct_selection())
                .replace(&format!("{table}."), &format!("{ROW_ALIAS}.")),
        )
    }

    /// To follow other columns.
    pub(crate) fn select_list(&self) -> String {
        format!(", {}", self.0)
    }
}

/// The model from the columns of a row that begin at `from`.
pub(crate) fn record<'a, M>(
    row: &impl Row<'a, Pg>,
    from: usize,
    redacted: &[String],
) -> Result<M, Unavailable>
where
    M: Selectable<Pg>
        + FromSqlRow<<<M as Selectable<Pg>>::SelectExpression as Expression>::SqlType, Pg>,
{
    M::build_from_row(&row.partial_row(from..row.field_count())).map_err(|error| {
        if error.is::<UnexpectedNullError>() && !redacted.is_empty() {
            Unavailable::Redacted {
                columns: redacted.to_vec(),
            }
        } else {
            Unavailable::DoesNotFit {
                message: error.to_string(),
            }
        }
    })
}

/// A value that may be NULL.
pub(crate) fn value<'a, ST, T>(row: &impl Row<'a, Pg>, column: usize) -> QueryResult<Option<T>>
where
    T: FromSql<ST, Pg>,
{
    let field = row.get(column).ok_or(DieselError::NotFound)?;
    let value: Option<PgValue<'_>> = field.value();
    value
        .map(T::from_sql)
        .transpose()
        .map_err(DieselError::DeserializationError)
}

/// A document that may be NULL.
pub(crate) fn json<'a>(row: &impl Row<'a, Pg>, column: usize) -> QueryResult<Option<Value>> {
    Ok(value::<Jsonb, AnyJson>(row, column)?.map(AnyJson::into_inner))
}

/// A list of names.
pub(crate) fn names<'a>(row: &impl Row<'a, Pg>, column: usize) -> QueryResult<Vec<String>> {
    Ok(json(row, column)?
        .and_then(|names| serde_json::from_value(names).ok())
        .unwrap_or_default())
}
