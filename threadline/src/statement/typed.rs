use std::borrow::Cow;
use std::marker::PhantomData;

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;
use diesel::sql_types::{Array, BigInt, Integer, Jsonb, Nullable, Text, Timestamptz};
use serde_json::Value;

use super::{CHANGE_TABLES, TRANSACTION_COLUMNS, TypedKey, change_columns, query_of_columns, walk};
use crate::action::ACTION_COLUMNS;
use crate::context::ActorRef;

/// A value for a placeholder of a query.
#[derive(Debug)]
pub(crate) enum Bind {
    BigInt(i64),
    BigInts(Vec<i64>),
    Text(String),
    OptionalText(Option<String>),
    Instant(DateTime<Utc>),
    Json(Value),
    /// The id of a table, or `None` for all tables.
    Table(Option<i32>),
    /// A maximum number of rows, or `None` for no limit.
    Limit(Option<i64>),
    /// The values of a key.
    Key(TypedKey),
    /// A comparison with its operator: `= $1`, or `IS NULL`.
    IsText(Option<String>),
}

impl Bind {
    /// Returns the type and the id of an actor.
    pub(crate) fn of_actor(actor: &ActorRef) -> [Self; 2] {
        [
            Self::Text(actor.actor_type().as_str().to_owned()),
            Self::IsText(actor.id().map(str::to_owned)),
        ]
    }
}

/// A query from a `.sql` file, with the types of its columns and a value for each of its
/// placeholders `{0}`, `{1}`, …
#[derive(Debug)]
pub(crate) struct Typed<ST> {
    sql: Cow<'static, str>,
    binds: Vec<Bind>,
    columns: PhantomData<fn() -> ST>,
}

impl<ST> Typed<ST> {
    pub(crate) fn new(sql: impl Into<Cow<'static, str>>, binds: impl Into<Vec<Bind>>) -> Self {
        Self {
            sql: sql.into(),
            binds: binds.into(),
            columns: PhantomData,
        }
    }
}

query_of_columns!(Typed<ST>: ST);

impl<ST> QueryFragment<Pg> for Typed<ST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        walk(&mut out, &self.sql, |name, out| {
            match name {
                "change columns" => out.push_sql(&change_columns()),
                "change tables" => out.push_sql(CHANGE_TABLES),
                "transaction columns" => out.push_sql(TRANSACTION_COLUMNS),
                "action columns" => out.push_sql(ACTION_COLUMNS),
                number => {
                    let number: usize = number.parse().expect("a place is a number");
                    return match &self.binds[number] {
                        Bind::BigInt(value) => out.push_bind_param::<BigInt, _>(value),
                        Bind::BigInts(value) => out.push_bind_param::<Array<BigInt>, _>(value),
                        Bind::Key(key) => key.walk_ast(out.reborrow()),
                        Bind::Text(value) => out.push_bind_param::<Text, _>(value),
                        Bind::OptionalText(value) => {
                            out.push_bind_param::<Nullable<Text>, _>(value)
                        }
                        Bind::Instant(value) => out.push_bind_param::<Timestamptz, _>(value),
                        Bind::Json(value) => out.push_bind_param::<Jsonb, _>(value),
                        Bind::Table(value) => out.push_bind_param::<Nullable<Integer>, _>(value),
                        Bind::Limit(value) => out.push_bind_param::<Nullable<BigInt>, _>(value),
                        Bind::IsText(None) => {
                            out.push_sql("IS NULL");
                            Ok(())
                        }
                        Bind::IsText(Some(value)) => {
                            out.push_sql("= ");
                            out.push_bind_param::<Text, _>(value)
                        }
                    };
                }
            }
            Ok(())
        })
    }
}
