//! The part of the audit that a reader may see.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::action::AuditAction;
use crate::context::ActorRef;
use crate::record::AuditChange;

/// The part of the audit that a reader may see: tables, columns and rows.
/// [`Filter::within`] limits a filter to a scope.
///
/// An empty scope contains nothing. A change that is not known to be inside the scope is
/// outside of it.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::{Filter, Scope, TableScope, timeline};
///
/// let scope = Scope::new().table(TableScope::new("users").rows("id", 42).hide(["name"]));
/// let page = timeline(Filter::new().within(scope)).page(conn)?;
/// assert_eq!(page.entries[0].change.row_data.as_ref().unwrap()["email"], "***");
/// assert!(page.entries[0].change.row_data.as_ref().unwrap().get("name").is_none());
///
/// let others = Scope::new().table(TableScope::new("users").rows("id", 43));
/// assert!(timeline(Filter::new().within(others)).page(conn)?.entries.is_empty());
/// # Ok::<(), threadline::Error>(())
/// ```
///
/// [`Filter::within`]: crate::Filter::within
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
#[must_use = "a scope narrows nothing before `Filter::within`"]
pub struct Scope {
    pub(crate) tables: Vec<TableScope>,
    pub(crate) every_table: bool,
    pub(crate) actor: Option<ActorRef>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) with_context: bool,
    #[serde(skip)]
    pub(crate) found: FoundTables,
}

/// The tables that a scope names, if they were looked up already. No part of the scope itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct FoundTables(pub(crate) Option<Arc<[FoundTable]>>);

impl PartialEq for FoundTables {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

/// A table of a scope, in the audit.
#[derive(Debug, Clone)]
pub(crate) struct FoundTable {
    /// Its place among the tables of the scope.
    pub(crate) place: usize,
    pub(crate) id: i32,
    pub(crate) schema: String,
    pub(crate) name: String,
    pub(crate) key: Vec<String>,
}

impl Scope {
    /// Creates an empty scope.
    pub fn new() -> Self {
        Self::default()
    }

    /// Creates a scope of every table. [`table`](Self::table) narrows the tables that it
    /// names.
    pub fn every_table() -> Self {
        Self {
            every_table: true,
            ..Self::default()
        }
    }

    /// Adds a table.
    pub fn table(mut self, table: TableScope) -> Self {
        self.found = FoundTables::default();
        self.tables.push(table);
        self
    }

    /// Limits the scope to changes by this actor.
    pub fn actor(mut self, actor: &ActorRef) -> Self {
        self.actor = Some(actor.clone());
        self
    }

    /// Limits the scope to changes whose context has this metadata. After several calls, all
    /// of it must match.
    pub fn metadata(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.metadata.insert(key.into(), value.into());
        self
    }

    /// Shows the address, the metadata and the database role of a change's transaction, and
    /// the metadata and the comment of its actions. Otherwise the scope hides them, because
    /// one transaction may change rows inside and outside of the scope.
    pub fn with_context(mut self) -> Self {
        self.with_context = true;
        self
    }

    /// Returns the named tables, in order.
    #[doc(hidden)]
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.tables.iter().map(|table| table.table.as_str())
    }

    /// Returns whether a table is limited to some of its rows.
    #[doc(hidden)]
    pub fn compares_rows(&self) -> bool {
        self.tables.iter().any(|table| !table.rows.is_empty())
    }

    /// Returns whether the scope contains every table.
    #[doc(hidden)]
    pub fn has_every_table(&self) -> bool {
        self.every_table
    }

    /// Returns whether the scope has conditions on the context of a change.
    #[doc(hidden)]
    pub fn asks_for_context(&self) -> bool {
        self.actor.is_some() || !self.metadata.is_empty()
    }

    /// Returns whether the context of a change is shown.
    #[doc(hidden)]
    pub fn shows_context(&self) -> bool {
        self.with_context
    }

    /// Removes the parts of a change's context that the scope hides.
    pub(crate) fn narrow_context(&self, change: &mut AuditChange) {
        if !self.with_context {
            let transaction = &mut change.transaction;
            transaction.remote_ip = None;
            transaction.metadata = None;
            transaction.session_user = None;
            transaction.context_error = None;
        }
    }

    /// Removes the parts of an action that the scope hides.
    pub(crate) fn narrow_action(&self, action: &mut AuditAction) {
        if !self.with_context {
            action.remote_ip = None;
            action.metadata = None;
            action.comment = None;
        }
    }
}

/// A table in a [`Scope`], with all rows and columns by default.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[must_use = "a table is in no scope before `Scope::table`"]
pub struct TableScope {
    pub(crate) table: String,
    #[serde(default)]
    pub(crate) rows: Vec<Rows>,
    #[serde(default)]
    pub(crate) columns: Columns,
}

/// Rows with one of these values in a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schemars",
    derive(schemars::JsonSchema),
    schemars(rename = "ScopeRows")
)]
#[serde(deny_unknown_fields)]
pub struct Rows {
    pub(crate) column: String,
    pub(crate) values: Vec<String>,
}

/// The visible columns of a table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schemars",
    derive(schemars::JsonSchema),
    schemars(rename = "ScopeColumns")
)]
#[serde(rename_all = "snake_case")]
pub enum Columns {
    /// All columns.
    #[default]
    All,
    /// Only these columns.
    Only(Vec<String>),
    /// All columns except these.
    Except(Vec<String>),
}

impl Columns {
    /// Returns whether a column is shown.
    #[doc(hidden)]
    pub fn show(&self, column: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(columns) => columns.iter().any(|shown| shown == column),
            Self::Except(columns) => columns.iter().all(|hidden| hidden != column),
        }
    }
}

impl TableScope {
    /// Creates a scope of the table with this name, written as in SQL: `members`,
    /// `app.members`, `"Order"`.
    pub fn new(table: impl Into<String>) -> Self {
        Self {
            table: table.into(),
            rows: vec![],
            columns: Columns::All,
        }
    }

    /// Limits the scope to rows with this value in a column. After several calls, all values
    /// must match. Values are compared as text.
    ///
    /// A change is in the scope if the row had the value before and after the change. An
    /// update of other columns does not contain the value of this one. The scope then uses
    /// the value in earlier or later changes of the record, or in the current row.
    pub fn rows(self, column: impl Into<String>, value: impl ToString) -> Self {
        self.rows_with_any(column, [value])
    }

    /// Same as [`rows`](Self::rows), with any of several values.
    pub fn rows_with_any<T: ToString>(
        mut self,
        column: impl Into<String>,
        values: impl IntoIterator<Item = T>,
    ) -> Self {
        self.rows.push(Rows {
            column: column.into(),
            values: values.into_iter().map(|value| value.to_string()).collect(),
        });
        self
    }

    /// Shows only these columns and the key. An update of other columns alone is outside of
    /// the scope.
    pub fn only<T: Into<String>>(mut self, columns: impl IntoIterator<Item = T>) -> Self {
        self.columns = Columns::Only(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Hides these columns. An update of these alone is outside of the scope. The key is
    /// always shown, because it identifies the changed record.
    pub fn hide<T: Into<String>>(mut self, columns: impl IntoIterator<Item = T>) -> Self {
        self.columns = Columns::Except(columns.into_iter().map(Into::into).collect());
        self
    }

    /// Returns whether an image of a row has the required values.
    pub(crate) fn has_row(&self, image: &Value) -> bool {
        self.rows.iter().all(|rows| {
            let value = match image.get(&rows.column) {
                None | Some(Value::Null) => return false,
                Some(Value::String(text)) => text.clone(),
                Some(other) => other.to_string(),
            };
            rows.values.contains(&value)
        })
    }
}
