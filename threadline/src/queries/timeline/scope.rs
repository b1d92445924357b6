//! Applies a scope to queries and their results.

use std::collections::BTreeMap;
use std::sync::Arc;

use diesel::sql_types::{Array, Integer, Text};
use serde_json::{Value, json};

use super::query::Parts;
use crate::connection::AuditConnection;
use crate::error::{Error, ErrorKind};
use crate::filter::{
    Columns, Filter, FilterError, FoundTable, FoundTables, Rows, Scope, TableScope, by_actor,
};
use crate::record::AuditChange;
use crate::run;
use crate::statement::{Bind, Typed, all_of};

/// A scope with its tables resolved.
#[derive(Debug)]
pub(crate) struct KnownScope<'a> {
    scope: &'a Scope,
    tables: Vec<KnownTable<'a>>,
}

#[derive(Debug)]
struct KnownTable<'a> {
    id: i32,
    schema: String,
    name: String,
    key: Vec<String>,
    scope: &'a TableScope,
}

impl KnownTable<'_> {
    fn shows(&self, column: &str) -> bool {
        self.scope.columns.show(column) || self.key.iter().any(|key| key == column)
    }
}

/// Returns the scope with its tables looked up, for several queries in one transaction.
pub async fn with_tables<C: AuditConnection>(conn: &mut C, scope: &Scope) -> Result<Scope, Error> {
    let mut scope = scope.clone();
    scope.found = FoundTables(Some(find_tables(conn, &scope).await?));
    Ok(scope)
}

async fn find_tables<C: AuditConnection>(
    conn: &mut C,
    scope: &Scope,
) -> Result<Arc<[FoundTable]>, Error> {
    let names: Vec<&str> = scope.tables().collect();
    if names.is_empty() {
        return Ok(Arc::default());
    }
    type Row = (i32, i32, String, String, Vec<String>);
    let query = Typed::<(Integer, Integer, Text, Text, Array<Text>)>::new(
        include_str!("scope_tables.sql"),
        [Bind::Json(json!(names))],
    );
    let rows: Vec<Row> = run::read(conn, query).await?;
    Ok(rows
        .into_iter()
        .filter_map(|(place, id, schema, name, key)| {
            Some(FoundTable {
                place: usize::try_from(place).ok()?.checked_sub(1)?,
                id,
                schema,
                name,
                key,
            })
        })
        .collect())
}

impl<'a> KnownScope<'a> {
    pub(crate) async fn look_up<C: AuditConnection>(
        conn: &mut C,
        scope: &'a Scope,
    ) -> Result<Self, Error> {
        let found = match &scope.found.0 {
            Some(found) => found.clone(),
            None => find_tables(conn, scope).await?,
        };
        let tables = found
            .iter()
            .filter_map(|found| {
                Some(KnownTable {
                    id: found.id,
                    schema: found.schema.clone(),
                    name: found.name.clone(),
                    key: found.key.clone(),
                    scope: scope.tables.get(found.place)?,
                })
            })
            .collect();
        Ok(Self { scope, tables })
    }

    /// Removes the parts of a change that the scope hides.
    pub(crate) fn narrow(&self, change: &mut AuditChange) {
        self.scope.narrow_context(change);
        let is_it = |table: &&KnownTable<'_>| {
            change.table.as_ref() == Some(&table.name)
                && change.schema.as_ref() == Some(&table.schema)
        };
        let tables: Vec<_> = self.tables.iter().filter(is_it).collect();
        let in_scope = self.scope.every_table || !tables.is_empty();
        let shows = |column: &str| in_scope && tables.iter().all(|table| table.shows(column));
        for image in [
            &mut change.changed_from,
            &mut change.changed_to,
            &mut change.row_data,
        ] {
            if let Some(Value::Object(image)) = image {
                image.retain(|column, _| shows(column));
            }
        }
        change.masked.retain(|column| shows(column));
    }

    /// Adds the conditions of the scope on changes and their transactions.
    pub(super) fn conditions(&self, filter: &Filter, parts: &mut Parts) {
        self.of_transaction(filter, parts);
        if !self.scope.every_table {
            let ids: Vec<_> = self.tables.iter().map(|t| t.id.to_string()).collect();
            parts.change.push(if ids.is_empty() {
                "false".to_owned()
            } else {
                format!("c.table_id IN ({})", ids.join(", "))
            });
        }
        let others = self.scope.every_table;
        let ways: String = self
            .groups(filter)
            .iter()
            .map(|group| format!(" WHEN {} THEN {}", group.ids(), group.condition(parts)))
            .collect();
        if !ways.is_empty() {
            parts.change.push(format!("CASE{ways} ELSE {others} END"));
        }
    }

    /// Groups the tables with the same conditions, which the planner then looks at once.
    fn groups(&self, filter: &Filter) -> Vec<Group<'_>> {
        // The entries of a table that is named twice must all match.
        let mut by_table = BTreeMap::<i32, (&str, Vec<Shown<'_>>)>::new();
        for table in &self.tables {
            let (_, shown) = by_table
                .entry(table.id)
                .or_insert_with(|| (&table.scope.table, vec![]));
            shown.push(table.shown(filter));
        }
        let mut groups: Vec<Group<'_>> = vec![];
        for (id, (name, shown)) in by_table {
            match groups.iter_mut().find(|group| group.shown == shown) {
                Some(group) => group.tables.push((id, name)),
                None => groups.push(Group {
                    tables: vec![(id, name)],
                    shown,
                }),
            }
        }
        groups
    }

    /// Adds the conditions of the scope on the transaction. A filter by hidden parts of the
    /// context matches nothing.
    fn of_transaction(&self, filter: &Filter, parts: &mut Parts) {
        let asks = !filter.metadata.is_empty() || filter.session_user.is_some();
        if asks && self.hides_context() {
            parts.change.push("false".to_owned());
        }
        if let Some(actor) = &self.scope.actor {
            let condition = by_actor("x", actor, &mut parts.binds);
            parts.transaction.push(condition);
        }
        for (key, value) in &self.scope.metadata {
            let condition = parts.binds.json_equals("x.meta", key, value);
            parts.transaction.push(condition);
        }
    }

    /// Returns the table that a filter names, if it is in the scope. The error does not
    /// reveal whether another table exists.
    pub(super) fn only_its_own(
        &self,
        name: &str,
        found: Result<(i32, Vec<String>), Error>,
    ) -> Result<i32, Error> {
        match found {
            Ok((id, _)) if self.has(id) => Ok(id),
            Ok(_) => Err(self.unknown(name)),
            Err(error) => match error.kind() {
                ErrorKind::Filter(FilterError::UnknownTable { .. }) if !self.scope.every_table => {
                    Err(self.unknown(name))
                }
                _ => Err(error),
            },
        }
    }

    /// Returns the visible part of an image of a row; `None` if the row is outside of the
    /// scope.
    pub(crate) fn image(&self, id: i32, image: Value) -> Option<Value> {
        let mut tables = self.tables.iter().filter(|table| table.id == id);
        let within = self.has(id)
            && !self.scope.asks_for_context()
            && tables.all(|table| table.scope.has_row(&image));
        let Value::Object(mut members) = image else {
            return None;
        };
        members.retain(|column, _| self.shows(id, column));
        within.then_some(Value::Object(members))
    }

    /// Returns whether the scope shows a column of a table.
    pub(crate) fn shows(&self, id: i32, column: &str) -> bool {
        let mut tables = self.tables.iter().filter(|table| table.id == id);
        self.has(id) && tables.all(|table| table.shows(column))
    }

    /// Returns whether a table is limited to some of its rows.
    pub(super) fn compares_rows(&self) -> bool {
        self.tables.iter().any(|table| !table.scope.rows.is_empty())
    }

    /// Returns whether the scope hides columns of a table.
    pub(super) fn hides_columns(&self, id: i32) -> bool {
        let mut tables = self.tables.iter().filter(|table| table.id == id);
        tables.any(|table| table.scope.columns != Columns::All)
    }

    /// Returns whether a table is in the scope.
    pub(crate) fn has(&self, id: i32) -> bool {
        self.scope.every_table || self.tables.iter().any(|table| table.id == id)
    }

    fn unknown(&self, name: &str) -> Error {
        let names: Vec<_> = self.tables.iter().map(|t| t.scope.table.as_str()).collect();
        FilterError::UnknownTable {
            table: name.to_owned(),
            audited: if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            },
        }
        .into()
    }

    /// Returns whether the contexts of changes are hidden.
    pub(super) fn hides_context(&self) -> bool {
        !self.scope.with_context
    }
}

/// Tables of which the same is visible.
#[derive(Debug)]
struct Group<'a> {
    /// The number and the name of each.
    tables: Vec<(i32, &'a str)>,
    shown: Vec<Shown<'a>>,
}

/// The visible part of a table.
#[derive(Debug, PartialEq)]
enum Shown<'a> {
    /// Nothing: the filter asks for a hidden column, and must not reveal its values.
    Nothing,
    Rows {
        columns: ShownColumns<'a>,
        rows: &'a [Rows],
    },
}

/// The columns of which one must have changed for an update to be visible.
#[derive(Debug, PartialEq)]
enum ShownColumns<'a> {
    All,
    Only(Vec<&'a str>),
    Except(Vec<&'a str>),
}

impl KnownTable<'_> {
    fn shown(&self, filter: &Filter) -> Shown<'_> {
        // Hidden columns cannot be searched by value either.
        let asked = filter.changed.iter().chain(
            [&filter.changed_from, &filter.changed_to, &filter.values]
                .into_iter()
                .flatten()
                .map(|(column, _)| column),
        );
        let mut asked = asked.chain(filter.except_changed());
        let hidden = asked.any(|column| !self.shows(column))
            || filter.text.is_some() && self.scope.columns != Columns::All;
        if hidden {
            return Shown::Nothing;
        }
        let columns = match &self.scope.columns {
            Columns::All => ShownColumns::All,
            Columns::Only(columns) => {
                let shown = columns.iter().chain(&self.key);
                ShownColumns::Only(shown.map(String::as_str).collect())
            }
            Columns::Except(columns) => {
                let hidden = columns.iter().filter(|c| !self.key.contains(c));
                ShownColumns::Except(hidden.map(String::as_str).collect())
            }
        };
        Shown::Rows {
            columns,
            rows: &self.scope.rows,
        }
    }
}

impl Group<'_> {
    fn ids(&self) -> String {
        let ids: Vec<_> = self.tables.iter().map(|(id, _)| id.to_string()).collect();
        format!("c.table_id IN ({})", ids.join(", "))
    }

    fn condition(&self, parts: &mut Parts) -> String {
        let conditions: Vec<_> = self
            .shown
            .iter()
            .flat_map(|shown| match shown {
                Shown::Nothing => vec!["false".to_owned()],
                Shown::Rows { columns, rows } => self.of_rows(columns, rows, parts),
            })
            .collect();
        all_of(&conditions)
    }

    fn of_rows(&self, columns: &ShownColumns<'_>, rows: &[Rows], parts: &mut Parts) -> Vec<String> {
        let array = |columns: &[&str], parts: &mut Parts| {
            let columns: Vec<_> = columns.iter().map(|c| parts.binds.text(c)).collect();
            format!("ARRAY[{}]::text[]", columns.join(", "))
        };
        let mut conditions = vec![];
        match columns {
            ShownColumns::All => {}
            ShownColumns::Only(columns) => conditions.push(format!(
                "(c.op <> 'U' OR coalesce(c.changed_to ?| {}, false))",
                array(columns, parts)
            )),
            ShownColumns::Except(columns) => {
                let hidden = array(columns, parts);
                let nothing = parts.binds.bind(Bind::Json(json!({})));
                conditions.push(format!(
                    "(c.op <> 'U' OR coalesce(c.changed_to - {hidden} <> {nothing}, false))"
                ));
            }
        }
        if rows.is_empty() {
            return conditions;
        }
        let names: serde_json::Map<_, _> = self
            .tables
            .iter()
            .map(|(id, name)| (id.to_string(), json!(name)))
            .collect();
        let names = parts.binds.bind(Bind::Json(Value::Object(names)));
        for rows in rows {
            let column = parts.binds.text(&rows.column);
            let values = parts.binds.bind(Bind::Json(json!(rows.values)));
            let queries: String = self
                .tables
                .iter()
                .map(|(id, _)| include_str!("scope_live.sql").replace("{table}", &id.to_string()))
                .collect();
            conditions.push(
                include_str!("scope_row.sql")
                    .trim_end()
                    .replace("{queries}", &queries)
                    .replace("{values}", &values)
                    .replace("{column}", &column)
                    .replace("{tables}", &names),
            );
        }
        conditions
    }
}
