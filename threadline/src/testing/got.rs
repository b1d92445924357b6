use serde_json::{Map, Value};

use super::expected::{Column, Expected, Field, What, Who, json, key_text};
use super::recorded::TableColumns;
use crate::action::{ActionStatus, AuditAction};
use crate::context::ActorRef;
use crate::record::{AuditChange, NOBODY, Operation, actor_name, clean, table_name};

/// A recorded change or action.
#[derive(Debug, Clone, Copy)]
pub(super) enum Got<'a> {
    Change(&'a AuditChange, &'a TableColumns),
    Action(&'a AuditAction),
}

/// How a recorded change or action relates to an expectation.
#[derive(Debug)]
pub(super) enum Match {
    /// It is of another kind, table or operation.
    No,
    /// It differs, in the record or in its recorded values.
    Differs {
        other_record: bool,
        reasons: Vec<String>,
    },
    Yes,
}

impl Got<'_> {
    pub(super) fn matches(&self, expected: &Expected) -> Match {
        let mut reasons = vec![];
        let mut other_record = false;
        match (self, &expected.what) {
            (
                Self::Change(change, columns),
                What::Change {
                    operation,
                    table,
                    key,
                },
            ) if change.operation == *operation && is_table(change, table) => {
                if let Some(key) = key.as_ref().filter(|key| !is_key(change, key)) {
                    other_record = true;
                    reasons.push(format!(
                        "the record is{} instead of{}",
                        key_text(change.key.as_ref()),
                        key_text(Some(key))
                    ));
                }
                compare_columns(change, columns, expected, &mut reasons);
            }
            (Self::Action(action), What::Action { name }) if action.name == *name => {}
            _ => return Match::No,
        }
        self.compare_actor(expected, &mut reasons);
        self.compare_texts(expected, &mut reasons);
        if reasons.is_empty() {
            Match::Yes
        } else {
            Match::Differs {
                other_record,
                reasons,
            }
        }
    }

    fn actor(&self) -> Option<&ActorRef> {
        match self {
            Self::Change(change, _) => change.actor(),
            Self::Action(action) => Some(&action.actor),
        }
    }

    fn actor_text(&self) -> String {
        actor_name(self.actor())
    }

    fn compare_actor(&self, expected: &Expected, reasons: &mut Vec<String>) {
        let wanted = match &expected.actor {
            None => return,
            Some(Who::Nobody) => None,
            Some(Who::Actor(actor)) => Some(actor),
        };
        if self.actor() != wanted {
            let wanted = wanted.map_or(NOBODY.to_owned(), ToString::to_string);
            reasons.push(format!(
                "it is by {} instead of {}",
                self.actor_text(),
                clean(&wanted)
            ));
        }
        if let Self::Change(AuditChange { transaction, .. }, _) = self {
            if let Some(error) = &transaction.context_error {
                reasons.push(format!("its context was not read: {}", clean(error)));
            }
        }
    }

    fn compare_texts(&self, expected: &Expected, reasons: &mut Vec<String>) {
        for (field, wanted) in &expected.texts {
            match self.text(*field) {
                Some(text) if text == wanted => {}
                Some(text) => reasons.push(format!(
                    "the {field} is {} instead of {}",
                    clean(text),
                    clean(wanted)
                )),
                None if matches!(field, Field::Status | Field::Reason)
                    && matches!(self, Self::Change(..)) =>
                {
                    reasons.push(format!(
                        "a change has no {field}; expect the `action` that has it"
                    ));
                }
                None => reasons.push(format!(
                    "there is no {field}, and {} is expected",
                    clean(wanted)
                )),
            }
        }
    }

    fn text(&self, field: Field) -> Option<&str> {
        let (request, correlation, job, source) = match self {
            Self::Change(AuditChange { transaction: t, .. }, _) => {
                (&t.request_id, &t.correlation_id, &t.job_id, &t.source)
            }
            Self::Action(a) => (&a.request_id, &a.correlation_id, &a.job_id, &a.source),
        };
        let text = match (field, self) {
            (Field::Status, Self::Action(action)) => return Some(action.status.as_str()),
            (Field::Reason, Self::Action(action)) => &action.reason,
            (Field::Status | Field::Reason, Self::Change(..)) => return None,
            (Field::RequestId, _) => request,
            (Field::CorrelationId, _) => correlation,
            (Field::JobId, _) => job,
            (Field::Source, _) => source,
        };
        text.as_deref()
    }

    /// Returns it in one line.
    pub(super) fn title(&self) -> String {
        let what = match self {
            Self::Change(change, _) => {
                let table = table_name(change.schema.as_deref(), change.table.as_deref());
                format!(
                    "{} {}{}",
                    change.operation,
                    table,
                    key_text(change.key.as_ref())
                )
            }
            Self::Action(action) => format!("action {}", clean(&action.name)),
        };
        format!("{what} by {}", self.actor_text())
    }

    /// Returns a line for the change or action, then one line for each recorded column.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![self.title()];
        match self {
            Self::Change(change, _) => {
                let (before, after) = (before(change), after(change));
                for column in change.diff().fields.iter().map(|field| &field.column) {
                    let mut line = clean(column).into_owned();
                    if let Some(value) = after.and_then(|image| image.get(column)) {
                        line += &format!(" = {}", json(value));
                    }
                    if let Some(value) = before.and_then(|image| image.get(column)) {
                        line += &format!(" was {}", json(value));
                    }
                    if change.masked.contains(column) {
                        line += ", masked";
                    }
                    lines.push(line);
                }
            }
            Self::Action(action) => {
                if action.status != ActionStatus::Ok {
                    lines.push(format!("status: {}", clean(action.status.as_str())));
                }
                if let Some(reason) = &action.reason {
                    lines.push(format!("reason: {}", clean(reason)));
                }
            }
        }
        lines
    }
}

type Image<'a> = Option<&'a Map<String, Value>>;

fn after(change: &AuditChange) -> Image<'_> {
    match change.operation {
        Operation::Insert => change.row_data.as_ref(),
        Operation::Update => change.changed_to.as_ref(),
        _ => None,
    }
    .and_then(Value::as_object)
}

fn before(change: &AuditChange) -> Image<'_> {
    match change.operation {
        Operation::Insert => None,
        Operation::Update => change.changed_from.as_ref(),
        _ => change.row_data.as_ref(),
    }
    .and_then(Value::as_object)
}

fn is_table(change: &AuditChange, name: &str) -> bool {
    let Some(table) = change.table.as_deref() else {
        return false;
    };
    let qualified = |schema: &String| format!("{schema}.{table}") == name;
    table == name || change.schema.as_ref().is_some_and(qualified)
}

/// Returns whether the changed table has or had a column, if its columns are known.
fn has_column(change: &AuditChange, columns: &TableColumns, column: &str) -> bool {
    let (Some(schema), Some(table)) = (change.schema.clone(), change.table.clone()) else {
        return true;
    };
    let known = columns.get(&(schema, table));
    known.is_none_or(|known| known.iter().any(|name| name == column))
}

fn is_key(change: &AuditChange, wanted: &Value) -> bool {
    match (&change.key, wanted) {
        (Some(key), Value::Object(_)) => key == wanted,
        (Some(Value::Object(columns)), value) => {
            columns.len() == 1 && columns.values().all(|only| only == value)
        }
        _ => false,
    }
}

fn compare_columns(
    change: &AuditChange,
    columns: &TableColumns,
    expected: &Expected,
    reasons: &mut Vec<String>,
) {
    let (before, after) = (before(change), after(change));
    let value_in =
        |image: Image<'_>, column: &str| image.and_then(|image| image.get(column)).cloned();
    for (column, wanted) in &expected.columns {
        let now = value_in(after, column);
        let was = value_in(before, column);
        let name = clean(column);
        let missing = || match change.operation {
            Operation::Update => format!("{name} did not change"),
            _ => format!("{name} is not recorded"),
        };
        let instead = |is: &str, found: &Value, wanted: &Value| {
            let mut reason = format!("{name} {is} {} instead of {}", json(found), json(wanted));
            if change.masked.contains(column) {
                reason += &format!("; it is masked: expect `.masked(\"{name}\")`");
            }
            reason
        };
        match wanted {
            Column::After(_) if after.is_none() => reasons.push(format!(
                "a {} sets nothing; expect `.was(\"{name}\", …)`",
                change.operation
            )),
            Column::After(wanted) => match now {
                Some(found) if found == *wanted => {}
                Some(found) => reasons.push(instead("is", &found, wanted)),
                None => reasons.push(missing()),
            },
            Column::Before(_) if before.is_none() => reasons.push(format!(
                "before an {} there is nothing; expect `.set(\"{name}\", …)`",
                change.operation
            )),
            Column::Before(wanted) => match was {
                Some(found) if found == *wanted => {}
                Some(found) => reasons.push(instead("was", &found, wanted)),
                None => reasons.push(missing()),
            },
            Column::Recorded => {
                if now.is_none() && was.is_none() {
                    reasons.push(missing());
                }
            }
            Column::Masked => match now.or(was) {
                None => reasons.push(missing()),
                Some(_) if change.masked.contains(column) => {}
                Some(value) => reasons.push(format!(
                    "{name} is recorded as it is, {}, and not masked",
                    json(&value)
                )),
            },
            Column::Absent => {
                if let Some(value) = now.or(was) {
                    reasons.push(format!(
                        "{name} is recorded, as {}, instead of not at all",
                        json(&value)
                    ));
                } else if !has_column(change, columns, column) {
                    reasons.push(format!("the table has no column {name}"));
                }
            }
        }
    }
    let named = |column: &String| expected.columns.iter().any(|(name, _)| name == column);
    let says = expected
        .columns
        .iter()
        .any(|(_, column)| *column != Column::Absent);
    if change.operation == Operation::Update && says && !expected.other_columns {
        for (column, value) in after.into_iter().flatten().filter(|(name, _)| !named(name)) {
            reasons.push(format!("{} changed too, to {}", clean(column), json(value)));
        }
    }
}
