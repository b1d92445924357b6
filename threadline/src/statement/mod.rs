//! A query kept in a `.sql` file, with places for what only Rust knows.

mod binds;
mod typed;
mod typed_key;

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;
use diesel::sql_types::Text;

use crate::model::KeyExpression;

pub(crate) use binds::{Binds, all_of};
pub(crate) use typed::{Bind, Typed};
pub(crate) use typed_key::TypedKey;

/// The select list of a transaction `x` after its id.
pub(crate) const TRANSACTION_COLUMNS: &str = include_str!("transaction_columns.sql");

/// The select list of a change `c` of table `t` in transaction `x`.
pub(crate) fn change_columns() -> String {
    include_str!("change_columns.sql").replace("{transaction columns}", TRANSACTION_COLUMNS)
}

/// The joins of a change `c` that its select list needs.
pub(crate) const CHANGE_TABLES: &str = include_str!("change_tables.sql");

/// Writes `sql`, with every `{name}` in it replaced by what `fill` writes.
pub(crate) fn walk<'b>(
    out: &mut AstPass<'_, 'b, Pg>,
    sql: &str,
    mut fill: impl FnMut(&str, &mut AstPass<'_, 'b, Pg>) -> QueryResult<()>,
) -> QueryResult<()> {
    let mut rest = sql;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after
            .split_once('}')
            .expect("every place in a query file is closed");
        out.push_sql(before);
        fill(name, out)?;
        rest = after;
    }
    out.push_sql(rest);
    Ok(())
}

/// The places that every query about one record has.
pub(crate) fn fill_record<'b, V: QueryFragment<Pg>>(
    name: &str,
    table: &'b String,
    key: &'b KeyExpression<V>,
    out: &mut AstPass<'_, 'b, Pg>,
) -> QueryResult<()> {
    match name {
        "story conditions" => {
            out.push_sql("true");
            Ok(())
        }
        "story limit" => {
            out.push_sql("ALL");
            Ok(())
        }
        "table name" => out.push_bind_param::<Text, _>(table),
        "key values" => key.values.walk_ast(out.reborrow()),
        "table" => {
            out.push_sql(table);
            Ok(())
        }
        _ => unreachable!("a query file has an unknown place {{{name}}}"),
    }
}
