//! Text output of a change for people.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value};

use crate::characters::{controls_display, escaped};
use crate::context::ActorRef;
use crate::sql::Identifier;

use super::{AuditChange, AuditTransaction, Operation};

/// Writes the change in a few lines: time, operation and actor, then one line for each
/// column. Ends without a newline.
///
/// ```text
/// 2026-11-22 09:14:03 UTC  update of members 1 by admin:7
///     via     web, request r-3
///     role    member -> treasurer
/// ```
impl fmt::Display for AuditChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.styled(&Plain).fmt(f)
    }
}

/// Styles the parts of a change, for instance with colours.
pub trait DisplayStyle {
    /// Styles an instant.
    fn time(&self, text: &str) -> String {
        text.to_owned()
    }

    /// Styles the operation.
    fn operation(&self, op: &Operation) -> String {
        op.to_string()
    }

    /// Styles the table and key.
    fn table(&self, text: &str) -> String {
        text.to_owned()
    }

    /// Styles the actor.
    fn actor(&self, text: &str) -> String {
        text.to_owned()
    }

    /// Styles a value before.
    fn before(&self, text: &str) -> String {
        text.to_owned()
    }

    /// Styles a value after.
    fn after(&self, text: &str) -> String {
        text.to_owned()
    }
}

/// The form of times in texts.
pub const TIME_FORMAT: &str = "%Y-%m-%d %H:%M:%S UTC";

/// The text for a missing actor, which the filter `actor` takes too.
pub const NOBODY: &str = "nobody";

/// Returns the text of an actor.
pub fn actor_name(actor: Option<&ActorRef>) -> String {
    match actor {
        Some(actor) => clean(&actor.to_string()).into_owned(),
        None => NOBODY.to_owned(),
    }
}

/// Returns the name of a table as in SQL, with its schema unless that is `public`.
pub fn table_name(schema: Option<&str>, table: Option<&str>) -> String {
    let Some(table) = table else {
        return "an unknown table".to_owned();
    };
    let table = Identifier(table);
    let name = match schema {
        Some(schema) if schema != "public" => format!("{}.{table}", Identifier(schema)),
        _ => table.to_string(),
    };
    clean(&name).into_owned()
}

/// Without styling.
struct Plain;

impl DisplayStyle for Plain {}

/// A change with the style in which it is shown.
struct Styled<'a> {
    change: &'a AuditChange,
    style: &'a dyn DisplayStyle,
}

impl fmt::Display for Styled<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { change, style } = self;
        let table = table_name(change.schema.as_deref(), change.table.as_deref());
        let actor = actor_name(change.actor());
        write!(
            f,
            "{}  {} of {} by {}",
            style.time(&change.captured_at.format(TIME_FORMAT).to_string()),
            style.operation(&change.operation),
            style.table(&format!("{table}{}", key(change.key.as_ref()))),
            style.actor(&actor),
        )?;
        let mut lines: Vec<(Cow<'_, str>, String)> = vec![];
        if let Some(via) = change.via() {
            lines.push(("via".into(), via));
        }
        if let Some(error) = &change.transaction.context_error {
            lines.push(("context".into(), clean(error).into_owned()));
        }
        let to = change.changed_to.as_ref().or(change.row_data.as_ref());
        let from = change.changed_from.as_ref();
        if change.operation == Operation::Update
            && to.and_then(Value::as_object).is_some_and(Map::is_empty)
        {
            // Such as the null of JSON in place of that of SQL.
            lines.push(("values".into(), "no recorded value differs".to_owned()));
        }
        for (column, value) in to
            .and_then(Value::as_object)
            .into_iter()
            .flat_map(Map::iter)
        {
            let shown = |value: &Value| {
                // Without this, the placeholder of a number would look like a value.
                if change.masked.contains(column) && !value.is_null() && !is_hash(value) {
                    "***".to_owned()
                } else {
                    plain(value)
                }
            };
            let text = match from.and_then(|from| from.get(column)) {
                Some(before) => format!(
                    "{} -> {}",
                    style.before(&shown(before)),
                    style.after(&shown(value))
                ),
                None => shown(value),
            };
            lines.push((clean(column), text));
        }
        let width = lines.iter().map(|(name, _)| name.chars().count()).max();
        for (name, text) in lines {
            write!(f, "\n    {name:width$}  {text}", width = width.unwrap_or(0))?;
        }
        Ok(())
    }
}

/// Returns whether the value has the form that capture gives to a keyed hash.
fn is_hash(value: &Value) -> bool {
    value
        .as_str()
        .and_then(|text| text.strip_prefix("hash:"))
        .is_some_and(|hash| hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

impl AuditChange {
    /// Returns the output of [`Display`](fmt::Display) in a style.
    #[doc(hidden)]
    pub fn styled<'a>(&'a self, style: &'a dyn DisplayStyle) -> impl fmt::Display + 'a {
        Styled {
            change: self,
            style,
        }
    }

    fn via(&self) -> Option<String> {
        let AuditTransaction {
            source,
            request_id,
            job_id,
            correlation_id,
            remote_ip,
            ..
        } = &self.transaction;
        via([source, request_id, job_id, correlation_id, remote_ip])
    }
}

/// Returns source, request, job, correlation id and address in one line.
pub(crate) fn via(parts: [&Option<String>; 5]) -> Option<String> {
    let labels = ["", "request ", "job ", "correlation ", "from "];
    let parts: Vec<_> = labels
        .into_iter()
        .zip(parts)
        .filter_map(|(label, value)| Some(format!("{label}{}", clean(value.as_ref()?))))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn key(key: Option<&Value>) -> String {
    let Some(Value::Object(columns)) = key else {
        return String::new();
    };
    match columns.iter().next() {
        Some((_, value)) if columns.len() == 1 => format!(" {}", plain(value)),
        _ => columns
            .iter()
            .map(|(column, value)| format!(" {}={}", clean(column), plain(value)))
            .collect(),
    }
}

/// Escapes characters that could control the reader's terminal, or deceive the reader, in a
/// text of unknown origin.
pub fn clean(text: &str) -> Cow<'_, str> {
    if text.chars().any(controls_display) {
        text.escape_debug().to_string().into()
    } else {
        text.into()
    }
}

/// Returns a text without quotes where it cannot be misread. Characters that control the
/// display are escaped, so that a value cannot control the reader's terminal.
pub fn plain(value: &Value) -> String {
    match value {
        Value::String(text)
            if !text.is_empty() && text.trim() == text && !text.chars().any(controls_display) =>
        {
            text.clone()
        }
        Value::Null => "NULL".to_owned(),
        value => escaped(&value.to_string(), |_| false),
    }
}
