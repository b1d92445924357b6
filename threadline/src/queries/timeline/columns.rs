//! Conditions on columns under the names that they had when a change was captured.

use std::collections::BTreeMap;

use super::scope::KnownScope;
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::filter::{Filter, FilterError, NamedColumns};
use crate::queries::column_names::{ColumnNames, Span, tables_renamed};
use crate::statement::{Bind, Binds};

/// The columns of a filter, with their names of each time.
#[derive(Debug, Default)]
pub(crate) struct AskedColumns {
    /// The names of each column in the table of the filter.
    own: BTreeMap<String, Vec<Span>>,
    /// Without a table: the former names in the tables in which the column was renamed.
    others: BTreeMap<String, Vec<(i32, Span)>>,
}

impl AskedColumns {
    /// Looks up the columns of a filter.
    ///
    /// # Errors
    ///
    /// Returns an error if the table never had a column, or does not record its changes.
    pub(super) async fn look_up<C: AuditConnection>(
        conn: &mut C,
        filter: &Filter,
        table: Option<i32>,
        scope: Option<&KnownScope<'_>>,
    ) -> Result<Self, Error> {
        let asked = filter.asked_columns();
        let mut columns = Self::default();
        if asked.is_empty() {
            return Ok(columns);
        }
        // A column that a scope hides cannot be found by another name, nor by an error.
        let hides = |table| scope.is_some_and(|scope| scope.hides_columns(table));
        let Some(table) = table else {
            let names: Vec<_> = asked.iter().map(|(_, column)| *column).collect();
            for table in tables_renamed(conn, &names).await? {
                if hides(table) {
                    continue;
                }
                let known = ColumnNames::look_up(conn, table).await?;
                for name in &names {
                    let spans = known.spans(name).into_iter();
                    let former = spans.filter(|span| span.name != *name);
                    let others = columns.others.entry((*name).to_owned()).or_default();
                    others.extend(former.map(|span| (table, span)));
                }
            }
            return Ok(columns);
        };
        if hides(table) {
            return Ok(columns);
        }
        let known = ColumnNames::look_up(conn, table).await?;
        for (name, column) in asked {
            let (name, column) = (name.to_owned(), column.to_owned());
            let table = filter.table.clone().unwrap_or_default();
            if let Some(near) = known.unknown(&column) {
                return Err(FilterError::UnknownColumn {
                    name,
                    table,
                    column,
                    near,
                }
                .into());
            } else if known.is_excluded(&column) {
                return Err(FilterError::ExcludedColumn {
                    name,
                    table,
                    column,
                }
                .into());
            }
            columns.own.insert(column.clone(), known.spans(&column));
        }
        Ok(columns)
    }
}

impl NamedColumns for AskedColumns {
    fn condition(
        &self,
        binds: &mut Binds,
        column: &str,
        of_name: impl Fn(&mut Binds, &str) -> String,
    ) -> String {
        let own = self.own.get(column).map_or(&[][..], Vec::as_slice);
        let others = self.others.get(column).map_or(&[][..], Vec::as_slice);
        let mut ways: Vec<_> = own
            .iter()
            .map(|span| within(binds, span, None, &of_name))
            .collect();
        if own.is_empty() {
            ways.push(of_name(binds, column));
        }
        ways.extend(
            others
                .iter()
                .map(|(table, span)| within(binds, span, Some(*table), &of_name)),
        );
        match ways.len() {
            1 => ways.swap_remove(0),
            // Passed to the planner as a whole, as in `json_equals`.
            _ => format!("coalesce({}, false)", ways.join(" OR ")),
        }
    }
}

fn within(
    binds: &mut Binds,
    span: &Span,
    table: Option<i32>,
    of_name: impl Fn(&mut Binds, &str) -> String,
) -> String {
    let mut conditions = vec![];
    conditions.extend(table.map(|table| format!("c.table_id = {table}")));
    for (operator, instant) in [(">=", span.from), ("<", span.until)] {
        if let Some(instant) = instant {
            let instant = binds.bind(Bind::Instant(instant));
            conditions.push(format!("c.captured_at {operator} {instant}"));
        }
    }
    conditions.push(of_name(binds, &span.name));
    format!("({})", conditions.join(" AND "))
}
