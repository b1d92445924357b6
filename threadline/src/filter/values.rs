//! What a filter asks of the rows themselves.

use serde_json::Value;

use super::Filter;
use crate::record::Operation;

impl Filter {
    /// Changes that gave this column another value, by the name that it had then;
    /// several times, all of them: updates that changed it, and inserts and deletions
    /// of rows with a value other than NULL in it.
    pub fn changed(mut self, column: impl Into<String>) -> Self {
        self.changed.push(column.into());
        self
    }

    /// Changes before which a column had this value: updates that changed it from
    /// there, and deletions. Text is compared with the value's text, so that `"10.50"`
    /// finds the number too; `Value::Null` is SQL's NULL.
    pub fn changed_from(mut self, column: impl Into<String>, value: impl Into<Value>) -> Self {
        self.changed_from.push((column.into(), value.into()));
        self
    }

    /// Changes after which a column had this value: updates that changed it to that, and
    /// inserts. Compared as in [`changed_from`](Self::changed_from).
    pub fn changed_to(mut self, column: impl Into<String>, value: impl Into<Value>) -> Self {
        self.changed_to.push((column.into(), value.into()));
        self
    }

    /// Changes in which a column has this value, before or after; several times, all of
    /// them. Compared as in [`changed_from`](Self::changed_from).
    ///
    /// An insert and a deletion show the whole row. An update shows the columns that it
    /// changed and the key: one that left the column alone is not found by it.
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

    /// Changes of the records of the table that have this value in a column of their
    /// primary key, also by which such a key came or went; several times, all of them.
    /// The value is text, as in [`RecordKey`](crate::RecordKey).
    ///
    /// What an index finds at once: the first columns of the key, in its order. With
    /// others the changes of the table are read, newest first, until the page is full;
    /// give a span of time where there are many.
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

    /// Changes made by sessions of this database role, as it logged in. There is no
    /// index by role: transactions are read, newest first, until the page is full. Give
    /// a span of time for a role that wrote little.
    pub fn session_user(mut self, role: impl Into<String>) -> Self {
        self.session_user = Some(role.into());
        self
    }

    /// Changes with this text anywhere: in a value, before or after, in the key, in the
    /// context, or in an action of the transaction. Upper and lower case are told apart.
    ///
    /// No index serves it: every change that the rest of the filter leaves is read. So
    /// [`from`](Self::from) is needed, and what leaves more than 100,000 changes is
    /// refused ([`FilterError::TextCap`](crate::FilterError::TextCap)), because a part of
    /// the answer would look like all of it. Actions without changes are not found.
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

    /// The rest of the filter, if it looks for a text.
    pub(crate) fn without_text(&self) -> Option<Self> {
        self.text.as_ref()?;
        Some(Self {
            text: None,
            ..self.clone()
        })
    }

    /// What is asked that a change of this kind does not have.
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
