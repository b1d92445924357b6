//! Queries from `.sql` files, with placeholders for values that only Rust knows.

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

/// Makes a type a query that returns these columns, and whose text is not always the same.
macro_rules! query_of_columns {
    ($query:ident<$($of:ident),+>: $columns:ty) => {
        impl<$($of),+> diesel::query_builder::Query for $query<$($of),+> {
            type SqlType = $columns;
        }

        impl<$($of),+> diesel::query_builder::QueryId for $query<$($of),+> {
            type QueryId = ();
            const HAS_STATIC_QUERY_ID: bool = false;
        }
    };
}

pub(crate) use query_of_columns;

/// The select list of a transaction `x` after its id.
pub(crate) const TRANSACTION_COLUMNS: &str = include_str!("transaction_columns.sql");

/// The select list of a change `c` of table `t` in transaction `x`.
pub(crate) fn change_columns() -> String {
    filled(
        include_str!("change_columns.sql"),
        &[("transaction columns", TRANSACTION_COLUMNS)],
    )
}

/// The joins of a change `c` that its select list needs.
pub(crate) const CHANGE_TABLES: &str = include_str!("change_tables.sql");

/// A part of a query file.
enum Piece<'a> {
    Text(&'a str),
    /// The name of a placeholder, without its braces.
    Place(&'a str),
}

/// Splits `sql` into its parts, in order.
fn pieces(sql: &str) -> impl Iterator<Item = Piece<'_>> {
    let mut rest = sql;
    let mut in_place = false;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = if in_place {
            let (name, after) = rest
                .split_once('}')
                .expect("every place in a query file is closed");
            (Piece::Place(name), after)
        } else {
            let (text, after) = rest.split_once('{').unwrap_or((rest, ""));
            (Piece::Text(text), after)
        };
        in_place = !in_place;
        rest = after;
        Some(piece)
    })
}

/// Returns `sql` with each `{name}` in `places` replaced by its text, in one pass, because
/// a replacement may contain placeholders of its own. [`walk`] fills the others.
pub(crate) fn filled(sql: &str, places: &[(&str, &str)]) -> String {
    pieces(sql).fold(String::with_capacity(sql.len()), |mut filled, piece| {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Place(name) => match places.iter().find(|(place, _)| *place == name) {
                Some((_, text)) => filled.push_str(text),
                None => {
                    filled.push('{');
                    filled.push_str(name);
                    filled.push('}');
                }
            },
        }
        filled
    })
}

/// Writes `sql`, with every `{name}` in it replaced by what `fill` writes.
pub(crate) fn walk<'b>(
    out: &mut AstPass<'_, 'b, Pg>,
    sql: &str,
    mut fill: impl FnMut(&str, &mut AstPass<'_, 'b, Pg>) -> QueryResult<()>,
) -> QueryResult<()> {
    for piece in pieces(sql) {
        match piece {
            Piece::Text(text) => out.push_sql(text),
            Piece::Place(name) => fill(name, out)?,
        }
    }
    Ok(())
}

/// Fills the placeholders that every query for one record has.
pub(crate) fn fill_record<'b, V: QueryFragment<Pg>>(
    name: &str,
    table: &'b String,
    key: &'b KeyExpression<V>,
    out: &mut AstPass<'_, 'b, Pg>,
) -> QueryResult<()> {
    match name {
        "change conditions" => {
            out.push_sql("true");
            Ok(())
        }
        "change limit" => {
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

#[cfg(test)]
mod tests {
    use super::filled;

    #[test]
    fn places_are_filled_in_one_pass_and_others_left() {
        let places = [("a", "{b}"), ("b", "2")];
        assert_eq!(filled("{a} {b}{c} {0}", &places), "{b} 2{c} {0}");
        assert_eq!(filled("{a}", &places), "{b}");
        assert_eq!(filled("", &places), "");
    }
}
