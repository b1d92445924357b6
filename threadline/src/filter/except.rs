//! The exceptions of a filter.

use serde::{Deserialize, Serialize};

use super::Filter;
use super::error::FilterError;
use super::parse::{actor, actor_type, operation};
use super::table::{NOT_A_TABLE_NAME, is_table_name};
use crate::context::{ActorRef, ActorType};
use crate::record::{NOBODY, Operation};
use crate::statement::Binds;

/// The columns that a filter names, under the names that they had when a change was captured.
pub(crate) trait NamedColumns {
    /// Returns a condition on a column, under each name that it had.
    fn condition(
        &self,
        binds: &mut Binds,
        column: &str,
        of_name: impl Fn(&mut Binds, &str) -> String,
    ) -> String;
}

/// A filter that must not match, by name and value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schemars",
    derive(schemars::JsonSchema),
    schemars(rename = "FilterException")
)]
#[serde(deny_unknown_fields)]
pub(crate) struct Exception {
    filter: String,
    value: String,
}

/// A parsed exception.
enum Left {
    Table,
    Operation(Operation),
    Nobody,
    Actor(ActorRef),
    ActorType(ActorType),
    Source,
    Changed,
}

impl Exception {
    /// Parses an exception such as `source=web`.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (filter, value) = text
            .split_once('=')
            .ok_or("write it as filter=value, as in source=web")?;
        let exception = Self {
            filter: filter.to_owned(),
            value: value.to_owned(),
        };
        exception.understood().map(|_| exception)
    }

    fn understood(&self) -> Result<Left, String> {
        let value = self.value.as_str();
        Ok(match self.filter.as_str() {
            "table" if is_table_name(value) => Left::Table,
            "table" => return Err(NOT_A_TABLE_NAME.to_owned()),
            "operation" => Left::Operation(operation(value)?),
            "actor" if value == NOBODY => Left::Nobody,
            "actor" => Left::Actor(actor(value)?),
            "actor_type" => Left::ActorType(actor_type(value)?),
            "source" => Left::Source,
            "changed" => Left::Changed,
            _ => {
                return Err(
                    "the filters that `except` takes are: table, operation, actor, actor_type, source, changed"
                        .to_owned(),
                );
            }
        })
    }

    /// Returns the condition, and whether it is on the transaction.
    fn condition(&self, binds: &mut Binds, columns: &impl NamedColumns) -> Option<(bool, String)> {
        let value = |binds: &mut Binds| binds.text(&self.value);
        Some(match self.understood().ok()? {
            Left::Table => (
                false,
                format!(
                    "c.table_id IS DISTINCT FROM (SELECT threadline.find_audited_table({}))",
                    value(binds)
                ),
            ),
            Left::Operation(operation) => {
                let letter = match operation {
                    Operation::Insert => "I",
                    Operation::Update => "U",
                    Operation::Delete => "D",
                    Operation::Truncate => "T",
                    Operation::Unrecognized(_) => return None,
                };
                (false, format!("c.op <> '{letter}'"))
            }
            Left::Changed => {
                let changed = columns.condition(binds, &self.value, |binds, column| {
                    let column = binds.text(column);
                    format!(
                        "(c.changed_to ? {column} OR c.op <> 'U' AND c.row_data ->> {column} IS NOT NULL)"
                    )
                });
                (false, format!("NOT coalesce({changed}, false)"))
            }
            Left::Nobody => (true, "x.actor_type IS NOT NULL".to_owned()),
            Left::Actor(actor) => {
                let kind = binds.text(actor.actor_type().as_str());
                let id = match actor.id() {
                    Some(id) => format!("x.actor_id = {}", binds.text(id)),
                    None => "x.actor_id IS NULL".to_owned(),
                };
                (
                    true,
                    format!("NOT coalesce(x.actor_type = {kind} AND {id}, false)"),
                )
            }
            Left::ActorType(kind) => {
                let kind = binds.text(kind.as_str());
                (true, format!("x.actor_type IS DISTINCT FROM {kind}"))
            }
            Left::Source => (true, format!("x.source IS DISTINCT FROM {}", value(binds))),
        })
    }
}

impl Filter {
    /// Limits the filter to changes that another filter does not match. The other filter is
    /// given by name and text as in [`parse`](Self::parse): `table`, `operation`, `actor`,
    /// `actor_type`, `source` or `changed`. After several calls, none of them may match.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let conn = &mut *connection;
    /// use threadline::{Filter, timeline};
    ///
    /// let by_others = Filter::new().except("actor", "nobody")?.except("source", "web")?;
    /// assert!(timeline(by_others).page(conn)?.entries.is_empty());
    /// # Ok::<(), threadline::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns a [`FilterError`] if `except` does not take the filter, or
    /// the filter does not accept the text.
    pub fn except(mut self, filter: &str, text: &str) -> Result<Self, FilterError> {
        let text = format!("{filter}={text}");
        let exception = Exception::parse(&text).map_err(|message| not_taken(text, message))?;
        self.except.push(exception);
        Ok(self)
    }

    /// Returns the columns that must not have changed.
    pub(crate) fn except_changed(&self) -> impl Iterator<Item = &String> {
        self.except
            .iter()
            .filter(|exception| exception.filter == "changed")
            .map(|exception| &exception.value)
    }

    /// Returns the conditions on changes, and those on transactions.
    pub(crate) fn exceptions(
        &self,
        binds: &mut Binds,
        columns: &impl NamedColumns,
    ) -> (Vec<String>, Vec<String>) {
        let (mut of_changes, mut of_transactions) = (vec![], vec![]);
        for exception in &self.except {
            match exception.condition(binds, columns) {
                Some((true, condition)) => of_transactions.push(condition),
                Some((false, condition)) => of_changes.push(condition),
                // `check_exceptions` has refused it.
                None => of_changes.push("false".to_owned()),
            }
        }
        (of_changes, of_transactions)
    }

    pub(crate) fn check_exceptions(&self) -> Result<(), FilterError> {
        for exception in &self.except {
            exception.understood().map_err(|message| {
                not_taken(format!("{}={}", exception.filter, exception.value), message)
            })?;
        }
        Ok(())
    }
}

fn not_taken(value: String, message: String) -> FilterError {
    FilterError::Value {
        name: "except".to_owned(),
        value,
        message,
    }
}
