//! One criterion of a filter.

use chrono::{DateTime, Utc};
use serde_json::Value;
use threadline::{ActionStatus, ActorRef, ActorType, Filter, Operation, RecordKey};

/// A table in the filter's form, and in the recorded form.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Table {
    pub asked: &'static str,
    pub schema: &'static str,
    pub name: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Id {
    Request,
    Correlation,
    Job,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Criterion {
    Table(Table),
    Record(Table, Vec<String>),
    Operation(Operation),
    Actor(ActorRef),
    ActorType(ActorType),
    From(DateTime<Utc>),
    To(DateTime<Utc>),
    Id(Id, String),
    Action(String),
    Category(String),
    Status(ActionStatus),
    Changed(String),
    ChangedFrom(String, Value),
    ChangedTo(String, Value),
    Value(String, Value),
    Key(Table, String, String),
    SessionUser(String),
    Source(String),
    Metadata(String, Value),
}

impl Criterion {
    pub fn ask(&self, filter: Filter) -> Filter {
        match self.clone() {
            Self::Table(table) => filter.table(table.asked),
            Self::Record(table, key) => filter.table(table.asked).record(RecordKey::of(key)),
            Self::Operation(operation) => filter.operation(operation),
            Self::Actor(actor) => filter.actor(&actor),
            Self::ActorType(kind) => filter.actor_type(kind),
            Self::From(instant) => filter.from(instant),
            Self::To(instant) => filter.to(instant),
            Self::Id(Id::Request, id) => filter.request_id(id),
            Self::Id(Id::Correlation, id) => filter.correlation_id(id),
            Self::Id(Id::Job, id) => filter.job_id(id),
            Self::Action(name) => filter.action(name),
            Self::Category(category) => filter.category(category),
            Self::Status(status) => filter.status(status),
            Self::Changed(column) => filter.changed(column),
            Self::ChangedFrom(column, value) => filter.changed_from(column, value),
            Self::ChangedTo(column, value) => filter.changed_to(column, value),
            Self::Value(column, value) => filter.value(column, value),
            Self::Key(table, column, value) => filter.table(table.asked).key(column, value),
            Self::SessionUser(role) => filter.session_user(role),
            Self::Source(source) => filter.source(source),
            Self::Metadata(key, value) => filter.metadata(key, value),
        }
    }

    /// Returns whether a filter can hold both.
    pub fn is_compatible_with(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Key(a, ..), Self::Table(b) | Self::Record(b, _))
            | (Self::Table(b) | Self::Record(b, _), Self::Key(a, ..)) => a == b,
            (Self::Key(a, ..), Self::Key(b, ..)) => a == b && self != other,
            (Self::Table(_) | Self::Record(..), Self::Table(_) | Self::Record(..)) => false,
            (Self::Id(a, _), Self::Id(b, _)) => a != b,
            (Self::Metadata(a, _), Self::Metadata(b, _)) => a != b,
            (Self::Changed(_), Self::Changed(_))
            | (Self::ChangedFrom(..), Self::ChangedFrom(..))
            | (Self::ChangedTo(..), Self::ChangedTo(..))
            | (Self::Value(..), Self::Value(..)) => self != other,
            _ => std::mem::discriminant(self) != std::mem::discriminant(other),
        }
    }
}

pub fn filter(criteria: &[Criterion]) -> Filter {
    criteria
        .iter()
        .fold(Filter::new(), |f, criterion| criterion.ask(f))
}
