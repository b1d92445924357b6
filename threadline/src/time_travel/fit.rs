//! Rows built from images, read as the type of the user's model.

use diesel::deserialize::{FromSql, FromSqlRow};
use diesel::expression::{Expression, Selectable};
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::{Error as DieselError, QueryResult, UnexpectedNullError};
use diesel::row::{Field, Row};
use diesel::sql_types::Jsonb;
use serde_json::{Map, Value};

use crate::error::{Error, ErrorKind};
use crate::model::{AuditedModel, to_sql};
use crate::record::{AnyJson, Unavailable};

/// The alias of the row built from an image.
pub(crate) const ROW_ALIAS: &str = "tl_row";
/// The alias of the columns of the model.
const MODEL_ALIAS: &str = "tl_model";
/// The alias of a table whose name has a schema, which no alias can have.
const TABLE_ALIAS: &str = "tl_table";

/// The select clause of the model, applied to the row built from an image.
#[derive(Debug)]
pub(crate) struct ModelColumns<E> {
    expression: E,
    /// As SQL text, with the name of the table.
    sql: String,
    table: String,
}

impl<E: QueryFragment<Pg>> ModelColumns<E> {
    pub(crate) fn of<M>() -> Result<Self, Error>
    where
        M: AuditedModel + Selectable<Pg, SelectExpression = E>,
    {
        let spec = M::spec();
        let expression = M::construct_selection();
        let sql = to_sql(&expression);
        let binds = sql
            .split('$')
            .skip(1)
            .any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
        if binds && has_schema(&spec.table) {
            return Err(Error::new(ErrorKind::BoundSelection { table: spec.table }));
        }
        Ok(Self {
            expression,
            sql,
            table: spec.table,
        })
    }

    /// Returns whether the model reads a column.
    fn reads(&self, column: &str) -> bool {
        let quoted = column.replace('"', "\"\"");
        self.sql.contains(&format!("{}.\"{quoted}\"", self.table))
    }

    /// Fills the placeholders that every query for a model has.
    pub(crate) fn fill<'b>(
        &'b self,
        name: &str,
        out: &mut AstPass<'_, 'b, Pg>,
    ) -> Option<QueryResult<()>> {
        match name {
            // Bound values keep their order among those of the query.
            "model columns" if !has_schema(&self.table) => {
                return Some(self.expression.walk_ast(out.reborrow()));
            }
            "model columns" => out.push_sql(
                &self
                    .sql
                    .replace(&format!("{}.", self.table), &format!("{TABLE_ALIAS}.")),
            ),
            "model table" if has_schema(&self.table) => out.push_sql(TABLE_ALIAS),
            "model table" => out.push_sql(&self.table),
            "model alias" => out.push_sql(MODEL_ALIAS),
            "row alias" => out.push_sql(ROW_ALIAS),
            _ => return None,
        }
        Some(Ok(()))
    }
}

/// A model that can be read from the columns that it selects.
pub(crate) trait ReadModel:
    AuditedModel
    + Selectable<Pg, SelectExpression: QueryFragment<Pg> + Send>
    + FromSqlRow<<<Self as Selectable<Pg>>::SelectExpression as Expression>::SqlType, Pg>
    + Send
{
}

impl<M> ReadModel for M where
    M: AuditedModel
        + Selectable<Pg, SelectExpression: QueryFragment<Pg> + Send>
        + FromSqlRow<<<M as Selectable<Pg>>::SelectExpression as Expression>::SqlType, Pg>
        + Send
{
}

fn has_schema(table: &str) -> bool {
    table.contains("\".\"")
}

/// Why columns of the row built from an image may have no value.
#[derive(Debug, Default)]
pub(crate) struct Lacking {
    pub(crate) redacted: Vec<String>,
    /// Only a converted value is recorded.
    pub(crate) unrecorded: Vec<String>,
    /// The columns whose present types do not accept the past value, with the reason.
    pub(crate) misfits: Map<String, Value>,
    /// The values were erased.
    pub(crate) erased: Vec<String>,
}

impl Lacking {
    /// Reads four columns of a row from `from` on.
    pub(crate) fn read<'a>(row: &impl Row<'a, Pg>, from: usize) -> QueryResult<Self> {
        Ok(Self {
            redacted: names(row, from)?,
            unrecorded: names(row, from + 1)?,
            misfits: match json(row, from + 2)? {
                Some(Value::Object(misfits)) => misfits,
                _ => Map::new(),
            },
            erased: names(row, from + 3)?,
        })
    }
}

/// Builds the model from the columns of a row from `from` on.
pub(crate) fn record<'a, M: ReadModel>(
    row: &impl Row<'a, Pg>,
    from: usize,
    model: &ModelColumns<M::SelectExpression>,
    lacking: &Lacking,
) -> Result<M, Unavailable> {
    let converted: Vec<_> = lacking
        .unrecorded
        .iter()
        .filter(|column| model.reads(column))
        .cloned()
        .collect();
    if !converted.is_empty() {
        return Err(Unavailable::Converted { columns: converted });
    }
    if !lacking.misfits.is_empty() {
        let reasons: Vec<_> = lacking
            .misfits
            .iter()
            .map(|(column, reason)| {
                format!("column {column}: {}", reason.as_str().unwrap_or_default())
            })
            .collect();
        return Err(Unavailable::DoesNotFit {
            message: reasons.join("; "),
        });
    }
    M::build_from_row(&row.partial_row(from..row.field_count())).map_err(|error| {
        if error.is::<UnexpectedNullError>() && !lacking.erased.is_empty() {
            Unavailable::Erased {
                columns: lacking.erased.clone(),
            }
        } else if error.is::<UnexpectedNullError>() && !lacking.redacted.is_empty() {
            Unavailable::Redacted {
                columns: lacking.redacted.clone(),
            }
        } else {
            Unavailable::DoesNotFit {
                message: error.to_string(),
            }
        }
    })
}

/// Reads a value that may be NULL.
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

/// Reads a JSON document that may be NULL.
pub(crate) fn json<'a>(row: &impl Row<'a, Pg>, column: usize) -> QueryResult<Option<Value>> {
    Ok(value::<Jsonb, AnyJson>(row, column)?.map(AnyJson::into_inner))
}

/// Reads a list of names.
pub(crate) fn names<'a>(row: &impl Row<'a, Pg>, column: usize) -> QueryResult<Vec<String>> {
    Ok(json(row, column)?
        .and_then(|names| serde_json::from_value(names).ok())
        .unwrap_or_default())
}
