//! A second implementation of filters: each change is checked, one by one.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use threadline::Operation;
use threadline_tests::value;

use crate::criterion::{Criterion, Id, Table};

/// The ids of a transaction or an action.
#[derive(Debug, Deserialize)]
struct Ids {
    request_id: Option<String>,
    correlation_id: Option<String>,
    job_id: Option<String>,
}

impl Ids {
    fn has(&self, id: &Id, value: &str) -> bool {
        let own = match id {
            Id::Request => &self.request_id,
            Id::Correlation => &self.correlation_id,
            Id::Job => &self.job_id,
        };
        own.as_deref() == Some(value)
    }
}

/// A change with its transaction. Texts are members as PostgreSQL writes them.
#[derive(Debug, Deserialize)]
pub struct Change {
    pub id: i64,
    pub transaction_id: i64,
    pub captured_at: DateTime<Utc>,
    pub schema_name: Option<String>,
    pub table_name: Option<String>,
    pub op: String,
    pub statement: Option<i32>,
    pub key: Option<Vec<String>>,
    pub previous_key: Option<Vec<String>>,
    pub changed_from: Value,
    pub changed_from_texts: Value,
    pub changed_to: Value,
    pub changed_to_texts: Value,
    pub row_data: Value,
    pub row_data_texts: Value,
    pub key_columns: Option<Vec<String>>,
    pub session_user_name: Option<String>,
    pub actor_type: Option<String>,
    pub actor_id: Option<String>,
    #[serde(flatten)]
    ids: Ids,
    pub source: Option<String>,
    pub meta: Value,
    pub meta_texts: Value,
}

#[derive(Debug, Deserialize)]
pub struct Action {
    pub id: i64,
    pub transaction_id: Option<i64>,
    pub name: String,
    pub category: Option<String>,
    pub status: String,
    #[serde(flatten)]
    ids: Ids,
}

/// Returns the rows of a query, read from their JSON.
fn all<T: DeserializeOwned>(conn: &mut PgConnection, sql: &str) -> Vec<T> {
    let rows = value(conn, &format!("SELECT json_agg(q) FROM ({sql}) AS q"));
    serde_json::from_str(&rows.unwrap()).unwrap()
}

type Lineages = HashMap<Vec<String>, Vec<i64>>;

/// Everything recorded.
#[derive(Debug)]
pub struct Recorded {
    /// Oldest change first.
    pub changes: Vec<Change>,
    pub actions: HashMap<i64, Vec<Action>>,
    lineages: HashMap<(String, String), Lineages>,
}

impl Recorded {
    pub fn load(conn: &mut PgConnection) -> Self {
        let key = |column: &str| {
            format!(
                "CASE WHEN cardinality(t.key_columns) = 1 THEN ARRAY[c.{column}]
                      WHEN c.{column} IS NOT NULL THEN ARRAY(SELECT jsonb_array_elements_text(c.{column}::jsonb)) END"
            )
        };
        let texts = |document: &str| {
            format!(
                "coalesce((SELECT jsonb_object_agg(key, value) FROM jsonb_each_text({document})), '{{}}')"
            )
        };
        let changes: Vec<Change> = all(conn, &format!(
            "SELECT c.id, c.transaction_id, c.captured_at, t.schema_name, t.table_name, c.op::text, c.statement,
                    CASE WHEN c.record_key IS NOT NULL THEN {} END AS key,
                    CASE WHEN c.previous_key IS NOT NULL THEN {} END AS previous_key,
                    coalesce(c.changed_from, '{{}}') AS changed_from, {} AS changed_from_texts,
                    coalesce(c.changed_to, '{{}}') AS changed_to, {} AS changed_to_texts,
                    coalesce(c.row_data, '{{}}') AS row_data, {} AS row_data_texts,
                    t.key_columns, x.session_user_name,
                    x.actor_type, x.actor_id, x.request_id, x.correlation_id, x.job_id, x.source,
                    coalesce(x.meta, '{{}}') AS meta, {} AS meta_texts
             FROM threadline.audit_changes AS c
             LEFT JOIN threadline.audited_tables AS t ON t.id = c.table_id
             LEFT JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id
             ORDER BY c.id",
            key("record_key"),
            key("previous_key"),
            texts("c.changed_from"),
            texts("c.changed_to"),
            texts("c.row_data"),
            texts("x.meta"),
        ));
        let mut actions: HashMap<i64, Vec<Action>> = HashMap::new();
        let recorded: Vec<Action> = all(
            conn,
            "SELECT id, transaction_id, name, category, status, request_id, correlation_id, job_id
             FROM threadline.audit_actions ORDER BY id",
        );
        for action in recorded {
            if let Some(transaction) = action.transaction_id {
                actions.entry(transaction).or_default().push(action);
            }
        }
        Self {
            lineages: lineages(&changes),
            changes,
            actions,
        }
    }

    /// Returns the ids of the changes for which all of it holds, in the order of a
    /// timeline.
    pub fn answer(&self, criteria: &[Criterion]) -> Vec<i64> {
        let mut found: Vec<_> = self
            .changes
            .iter()
            .filter(|change| self.holds(criteria, change))
            .map(|change| (change.transaction_id, change.id))
            .collect();
        let of_a_record = criteria
            .iter()
            .any(|criterion| matches!(criterion, Criterion::Record(..)));
        found.sort_unstable_by_key(|&(transaction, id)| {
            std::cmp::Reverse((if of_a_record { 0 } else { transaction }, id))
        });
        found.into_iter().map(|(_, id)| id).collect()
    }

    pub fn holds(&self, criteria: &[Criterion], change: &Change) -> bool {
        let actions = self.actions_of(change);
        criteria
            .iter()
            .all(|criterion| self.holds_one(criterion, change))
            && (actions
                .iter()
                .any(|action| criteria.iter().all(|criterion| holds_of(criterion, action)))
                || !criteria.iter().any(is_of_an_action))
    }

    pub fn actions_of(&self, change: &Change) -> &[Action] {
        self.actions
            .get(&change.transaction_id)
            .map_or(&[], Vec::as_slice)
    }

    fn holds_one(&self, criterion: &Criterion, change: &Change) -> bool {
        match criterion {
            Criterion::Table(table) => is_of(change, table),
            Criterion::Record(table, key) => self
                .lineages
                .get(&(table.schema.to_owned(), table.name.to_owned()))
                .and_then(|lineages| lineages.get(key))
                .is_some_and(|lineage| lineage.contains(&change.id)),
            Criterion::Operation(operation) => {
                change.op
                    == match operation {
                        Operation::Insert => "I",
                        Operation::Update => "U",
                        Operation::Delete => "D",
                        Operation::Truncate => "T",
                        other => other.as_str(),
                    }
            }
            Criterion::Actor(actor) => {
                change.actor_type.as_deref() == Some(actor.actor_type().as_str())
                    && change.actor_id.as_deref() == actor.id()
            }
            Criterion::ActorType(kind) => change.actor_type.as_deref() == Some(kind.as_str()),
            Criterion::From(instant) => change.captured_at >= *instant,
            Criterion::To(instant) => change.captured_at <= *instant,
            Criterion::Id(id, value) => {
                let mut actions = self.actions_of(change).iter();
                change.ids.has(id, value) || actions.any(|action| action.ids.has(id, value))
            }
            Criterion::Changed(column) => {
                change.changed_to.get(column).is_some()
                    || change.op != "U"
                        && change
                            .row_data
                            .get(column)
                            .is_some_and(|value| !value.is_null())
            }
            Criterion::ChangedFrom(column, value) => {
                change.op != "T" && changed_from(change, column, value)
                    || matches!(change.op.as_str(), "D" | "T") && in_row(change, column, value)
            }
            Criterion::ChangedTo(column, value) => {
                changed_to(change, column, value)
                    || change.op == "I" && in_row(change, column, value)
            }
            Criterion::Value(column, value) => {
                change.op != "T" && changed_from(change, column, value)
                    || changed_to(change, column, value)
                    || in_row(change, column, value)
                    || in_key(change, column, value)
            }
            Criterion::Key(table, column, value) => {
                is_of(change, table) && in_key(change, column, &Value::String(value.clone()))
            }
            Criterion::SessionUser(role) => change.session_user_name.as_deref() == Some(role),
            Criterion::Source(source) => change.source.as_deref() == Some(source),
            Criterion::Metadata(key, value) => {
                is_value(value, key, &change.meta, &change.meta_texts)
            }
            Criterion::Action(_) | Criterion::Category(_) | Criterion::Status(_) => true,
        }
    }
}

fn is_of(change: &Change, table: &Table) -> bool {
    change.schema_name.as_deref() == Some(table.schema)
        && change.table_name.as_deref() == Some(table.name)
}

fn is_of_an_action(criterion: &Criterion) -> bool {
    matches!(
        criterion,
        Criterion::Action(_) | Criterion::Category(_) | Criterion::Status(_)
    )
}

fn holds_of(criterion: &Criterion, action: &Action) -> bool {
    match criterion {
        Criterion::Action(name) => action.name == *name,
        Criterion::Category(category) => action.category.as_deref() == Some(category),
        Criterion::Status(status) => action.status == status.as_str(),
        _ => true,
    }
}

fn changed_from(change: &Change, column: &str, value: &Value) -> bool {
    is_value(
        value,
        column,
        &change.changed_from,
        &change.changed_from_texts,
    )
}

fn changed_to(change: &Change, column: &str, value: &Value) -> bool {
    is_value(value, column, &change.changed_to, &change.changed_to_texts)
}

fn in_row(change: &Change, column: &str, value: &Value) -> bool {
    is_value(value, column, &change.row_data, &change.row_data_texts)
}

/// Returns whether a column of the key has a value, now or before.
fn in_key(change: &Change, column: &str, value: &Value) -> bool {
    let asked = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return false,
    };
    let place = change
        .key_columns
        .as_ref()
        .and_then(|columns| columns.iter().position(|its| its == column));
    [&change.key, &change.previous_key]
        .into_iter()
        .flatten()
        .any(|key| place.and_then(|place| key.get(place)) == Some(&asked))
}

fn is_value(asked: &Value, member: &str, document: &Value, texts: &Value) -> bool {
    match asked {
        Value::String(_) => texts.get(member) == Some(asked),
        Value::Number(number) => {
            let its = document.get(member).and_then(Value::as_f64);
            its.is_some() && its == number.as_f64()
        }
        other => document.get(member) == Some(other),
    }
}

/// Returns the changes of each record, by its last key. A record that takes a key keeps
/// its own past; the past of an earlier record with that key is another's. One statement
/// moves its keys at the same moment.
fn lineages(changes: &[Change]) -> HashMap<(String, String), Lineages> {
    let mut tables: HashMap<(String, String), Lineages> = HashMap::new();
    let mut rest = changes;
    while let Some(first) = rest.first() {
        let statement = |change: &Change| (change.transaction_id, change.statement);
        let together = match first.statement {
            None => 1,
            Some(_) => rest
                .iter()
                .take_while(|change| statement(change) == statement(first))
                .count(),
        };
        let (moved, others) = rest.split_at(together);
        rest = others;
        let (Some(schema), Some(table)) = (&first.schema_name, &first.table_name) else {
            continue;
        };
        let lineages = tables.entry((schema.clone(), table.clone())).or_default();
        let before = lineages.clone();
        let past = |key: &Vec<String>| before.get(key).cloned().unwrap_or_default();
        for change in moved {
            let Some(key) = &change.key else { continue };
            let from = change.previous_key.as_ref().unwrap_or(key);
            let mut lineage = past(from);
            lineage.push(change.id);
            lineages.insert(key.clone(), lineage.clone());
            let followed = moved.iter().any(|other| other.key.as_ref() == Some(from));
            if !followed {
                lineages.insert(from.clone(), lineage);
            }
        }
    }
    tables
}
