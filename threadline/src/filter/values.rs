//! Filters on the values of rows.

use serde_json::Value;

use super::Filter;
use crate::record::Operation;

impl Filter {
    /// Matches changes that gave this column another value: updates that changed it, and
    /// inserts and deletions of rows with a value other than NULL in it. Repeated calls must
    /// all match.
    ///
    /// Changes under former names of the column match too. A name that no column has now
    /// means the columns that had it. In a filter without a table, it means every column
    /// that has or had the name.
    pub fn changed(mut self, column: impl Into<String>) -> Self {
        self.changed.push(column.into());
        self
    }

    /// Matches changes before which a column had this value: updates that changed it from
    /// this value, and deletions. A text matches the text of the value, so `"10.50"`
    /// matches the number too. `Value::Null` is SQL's NULL.
    pub fn changed_from(mut self, column: impl Into<String>, value: impl Into<Value>) -> Self {
        self.changed_from.push((column.into(), value.into()));
        self
    }

    /// Matches changes after which a column had this value: updates that changed it to this
    /// value, and inserts. Compares as [`changed_from`](Self::changed_from) does.
    pub fn changed_to(mut self, column: impl Into<String>, value: impl Into<Value>) -> Self {
        self.changed_to.push((column.into(), value.into()));
        self
    }

    /// Matches changes in which a column has this value, before or after. Repeated calls
    /// must all match. Compares as [`changed_from`](Self::changed_from) does.
    ///
    /// An insert or a deletion shows the whole row. An update shows the columns that it
    /// changed and the key, so an update that did not change the column is not found by it.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let conn = &mut *connection;
    /// use threadline::{Filter, timeline};
    ///
    /// let ada = Filter::new().model::<User>().value("name", "Ada");
    /// for entry in timeline(ada).page(conn)?.entries {
    ///     println!("{}", entry.change);
    /// }
    /// # Ok::<(), threadline::Error>(())
    /// ```
    pub fn value(mut self, column: impl Into<String>, value: impl Into<Value>) -> Self {
        self.values.push((column.into(), value.into()));
        self
    }

    /// Matches changes of records that have this value in a column of their primary key,
    /// including changes by which a record got or lost this key. Repeated calls must all
    /// match. The value is text, as in [`RecordKey`](crate::RecordKey). If the primary key of
    /// a table was another before, a change is found by the columns of the key with which
    /// it was recorded.
    ///
    /// An index serves the first columns of the key, in its order. For other columns, the
    /// changes of the table are read, newest first, until the page is full; for a large
    /// table, add a time span.
    ///
    /// ```
    /// use threadline::Filter;
    ///
    /// // The key is (package_id, owner_id, kind).
    /// let owners = Filter::new().table("package_owners").key("package_id", 11);
    /// # let same = Filter::parse([("table", "package_owners"), ("key", "package_id=11")])?;
    /// # assert_eq!(owners, same);
    /// # Ok::<(), threadline::Error>(())
    /// ```
    pub fn key(mut self, column: impl Into<String>, value: impl ToString) -> Self {
        self.key.push((column.into(), value.to_string()));
        self
    }

    /// Matches changes by sessions of this database role, the role that logged in. There is
    /// no index by role: transactions are read, newest first, until the page is full. Add a
    /// time span for a role that wrote little.
    pub fn session_user(mut self, role: impl Into<String>) -> Self {
        self.session_user = Some(role.into());
        self
    }

    /// Matches changes with this text anywhere: in a value, before or after, in the key, in
    /// the context, or in an action of the transaction. The search is case-sensitive.
    ///
    /// No index serves it: every change that matches the other conditions is read. It
    /// therefore requires [`from`](Self::from), and returns
    /// [`FilterError::TextCap`](crate::FilterError::TextCap) if they match more than
    /// 100,000 changes, instead of a partial result that would look complete. Actions
    /// without changes are not found.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let conn = &mut *connection;
    /// use threadline::{Filter, timeline};
    ///
    /// let last_day = chrono::Utc::now() - chrono::TimeDelta::days(1);
    /// let found = timeline(Filter::new().from(last_day).text("grace")).page(conn)?;
    /// # assert!(!found.has_more);
    /// # Ok::<(), threadline::Error>(())
    /// ```
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }

    /// Returns the columns that the filter compares, each with the name of its condition.
    pub(crate) fn asked_columns(&self) -> Vec<(&'static str, &str)> {
        let changed = self.changed.iter().map(|column| ("changed", column));
        let except = self.except_changed().map(|column| ("except", column));
        let values = [
            ("changed_from", &self.changed_from),
            ("changed_to", &self.changed_to),
            ("value", &self.values),
        ];
        let values = values
            .into_iter()
            .flat_map(|(name, list)| list.iter().map(move |(column, _)| (name, column)));
        changed
            .chain(except)
            .chain(values)
            .map(|(name, column)| (name, column.as_str()))
            .collect()
    }

    /// Returns the filter without its text, if it has one.
    pub(crate) fn without_text(&self) -> Option<Self> {
        self.text.as_ref()?;
        Some(Self {
            text: None,
            ..self.clone()
        })
    }

    /// Returns the condition that a change of this kind cannot meet.
    pub(crate) fn side_missing(&self, operation: &Operation) -> Option<&'static str> {
        match operation {
            Operation::Insert if !self.changed_from.is_empty() => {
                Some("changed_from, as there is nothing before an insert")
            }
            Operation::Delete | Operation::Truncate if !self.changed_to.is_empty() => {
                Some("changed_to, as there is nothing after a deletion")
            }
            _ => None,
        }
    }
}
