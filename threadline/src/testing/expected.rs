use std::fmt;

use serde_json::Value;

use crate::context::ActorRef;
use crate::record::{Operation, clean};

/// An expected change, made by [`insert`], [`update`], [`delete`] or [`truncate`], or an
/// expected action, made by [`action`].
///
/// Only what it specifies is compared, with one exception: if it specifies any column of an
/// update, the update must have changed exactly these columns, unless
/// [`and_others`](Self::and_others) is called too.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "an expectation is compared by `assert_recorded!`"]
pub struct Expected {
    pub(super) what: What,
    pub(super) columns: Vec<(String, Column)>,
    pub(super) other_columns: bool,
    pub(super) actor: Option<Who>,
    pub(super) texts: Vec<(Field, String)>,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum What {
    Change {
        operation: Operation,
        table: String,
        key: Option<Value>,
    },
    Action {
        name: String,
    },
}

/// The expectation of a column.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Column {
    After(Value),
    Before(Value),
    Recorded,
    Masked,
    Absent,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Who {
    Actor(ActorRef),
    Nobody,
}

/// A text of the context or of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Status,
    Reason,
    RequestId,
    CorrelationId,
    JobId,
    Source,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Status => "status",
            Self::Reason => "reason",
            Self::RequestId => "request id",
            Self::CorrelationId => "correlation id",
            Self::JobId => "job id",
            Self::Source => "source",
        })
    }
}

/// Expects an inserted row in a table, `"users"` or `"app.users"`. Add the key of the
/// record with [`key`](Expected::key).
pub fn insert(table: impl Into<String>) -> Expected {
    Expected::change(Operation::Insert, table, None)
}

/// Expects an update of the record with this key.
///
/// The key is the value of the primary-key column. With several columns it is an object:
///
/// ```
/// use serde_json::json;
/// use threadline::testing::update;
///
/// update("users", 42).set("name", "Ada");
/// update("roles", json!({"member_id": 42, "role": "clerk"})).set("until", "2026-12-31");
/// ```
pub fn update(table: impl Into<String>, key: impl Into<Value>) -> Expected {
    Expected::change(Operation::Update, table, Some(key.into()))
}

/// Expects a deletion of the record with this key.
pub fn delete(table: impl Into<String>, key: impl Into<Value>) -> Expected {
    Expected::change(Operation::Delete, table, Some(key.into()))
}

/// Expects a row to be removed by a `TRUNCATE` of a table.
pub fn truncate(table: impl Into<String>) -> Expected {
    Expected::change(Operation::Truncate, table, None)
}

/// Expects an action, such as `member.role_changed`.
pub fn action(name: impl Into<String>) -> Expected {
    Expected::new(What::Action { name: name.into() })
}

impl Expected {
    fn new(what: What) -> Self {
        Self {
            what,
            columns: vec![],
            other_columns: false,
            actor: None,
            texts: vec![],
        }
    }

    fn change(operation: Operation, table: impl Into<String>, key: Option<Value>) -> Self {
        Self::new(What::Change {
            operation,
            table: table.into(),
            key,
        })
    }

    /// Sets the key of the record, if it is known.
    pub fn key(mut self, expected: impl Into<Value>) -> Self {
        if let What::Change { key, .. } = &mut self.what {
            *key = Some(expected.into());
        }
        self
    }

    /// Sets the value that an insert or update gave to a column, in the form of the audit:
    /// `numeric` values are strings with all their digits, and times are ISO 8601 in UTC.
    pub fn set(self, column: impl Into<String>, value: impl Into<Value>) -> Self {
        self.column(column, Column::After(value.into()))
    }

    /// Sets the value that a column had before an update, or in the deleted row.
    pub fn was(self, column: impl Into<String>, value: impl Into<Value>) -> Self {
        self.column(column, Column::Before(value.into()))
    }

    /// Expects the column to be recorded, with any value.
    pub fn changed(self, column: impl Into<String>) -> Self {
        self.column(column, Column::Recorded)
    }

    /// Expects the column to be recorded without its value: the policy masks it or records
    /// a keyed hash.
    pub fn masked(self, column: impl Into<String>) -> Self {
        self.column(column, Column::Masked)
    }

    /// Expects nothing of the column to be recorded. The table must have the column, so that
    /// a misspelt name does not pass.
    pub fn without(self, column: impl Into<String>) -> Self {
        self.column(column, Column::Absent)
    }

    /// Allows an update to have changed other columns than those named.
    pub fn and_others(mut self) -> Self {
        self.other_columns = true;
        self
    }

    /// Sets the actor: an [`ActorRef`] or its text, such as `"user:42"`.
    ///
    /// # Panics
    ///
    /// Panics if the text is not an actor.
    #[track_caller]
    pub fn by(mut self, actor: impl ToString) -> Self {
        let actor = actor.to_string();
        self.actor = Some(Who::Actor(super::context::parse(&actor)));
        self
    }

    /// Expects that no actor is recorded.
    pub fn by_nobody(mut self) -> Self {
        self.actor = Some(Who::Nobody);
        self
    }

    /// Sets the status of an action, `ok` or `error`.
    pub fn status(self, status: impl ToString) -> Self {
        self.text(Field::Status, status.to_string())
    }

    /// Sets the reason of an action.
    pub fn reason(self, reason: impl Into<String>) -> Self {
        self.text(Field::Reason, reason.into())
    }

    /// Sets the id of the request.
    pub fn request_id(self, id: impl Into<String>) -> Self {
        self.text(Field::RequestId, id.into())
    }

    /// Sets the correlation id.
    pub fn correlation_id(self, id: impl Into<String>) -> Self {
        self.text(Field::CorrelationId, id.into())
    }

    /// Sets the id of the job.
    pub fn job_id(self, id: impl Into<String>) -> Self {
        self.text(Field::JobId, id.into())
    }

    /// Sets the source.
    pub fn source(self, source: impl Into<String>) -> Self {
        self.text(Field::Source, source.into())
    }

    fn column(mut self, name: impl Into<String>, column: Column) -> Self {
        self.columns.push((name.into(), column));
        self
    }

    fn text(mut self, field: Field, text: String) -> Self {
        self.texts.push((field, text));
        self
    }

    pub(super) fn is_action(&self) -> bool {
        matches!(self.what, What::Action { .. })
    }

    /// Returns a line for the change or action, then one line for each column and context
    /// value.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut first = match &self.what {
            What::Change {
                operation,
                table,
                key,
            } => format!("{operation} {}{}", clean(table), key_text(key.as_ref())),
            What::Action { name } => format!("action {}", clean(name)),
        };
        match &self.actor {
            Some(Who::Actor(actor)) => first += &format!(" by {}", clean(&actor.to_string())),
            Some(Who::Nobody) => first += " by nobody",
            None => {}
        }
        let columns = self.columns.iter().map(|(name, column)| {
            let name = clean(name);
            match column {
                Column::After(value) => format!("{name} = {}", json(value)),
                Column::Before(value) => format!("{name} was {}", json(value)),
                Column::Recorded => format!("{name} = anything"),
                Column::Masked => format!("{name} = anything, masked"),
                Column::Absent => format!("{name} is not recorded"),
            }
        });
        let others = self.other_columns.then(|| "any other column".to_owned());
        let texts = self
            .texts
            .iter()
            .map(|(field, text)| format!("{field}: {}", clean(text)));
        [first]
            .into_iter()
            .chain(columns)
            .chain(others)
            .chain(texts)
            .collect()
    }
}

/// Returns a key as text after the name of a table.
pub(super) fn key_text(key: Option<&Value>) -> String {
    match key {
        None => String::new(),
        Some(Value::Object(columns)) if columns.len() == 1 => columns
            .values()
            .map(|value| format!(" {}", json(value)))
            .collect(),
        Some(Value::Object(columns)) => columns
            .iter()
            .map(|(column, value)| format!(" {}={}", clean(column), json(value)))
            .collect(),
        Some(value) => format!(" {}", json(value)),
    }
}

/// The maximum length of a value that is shown in full, in characters.
const MAX_SHOWN: usize = 60;

/// Returns a value as JSON, so that a text of digits differs from a number.
pub(super) fn json(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
