use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::error::FilterError;
use super::named::{Filters, NamedFilter, TWICE, field, named, repeated};
use super::parse::{Day, actor, actor_type, instant, metadata, status, transaction};
use super::shared::shared_conditions;
use crate::action::ActionStatus;
use crate::context::{ActorRef, ActorType};
#[cfg(feature = "schemars")]
use crate::forms::schema::Instant;
use crate::record::portable;
use crate::setters::{metadata_setter, setters};
use crate::statement::{Bind, Binds};

/// A filter for actions, for [`actions`](crate::actions) and the command line. An empty
/// filter matches all actions; several conditions must all hold.
///
/// ```
/// use threadline::{ActionFilter, ActionStatus, ActorRef};
///
/// let refused = ActionFilter::new()
///     .name("session.opened")
///     .status(ActionStatus::Error)
///     .actor(&ActorRef::user(42)?);
///
/// // The same from a query string or a form.
/// let same = ActionFilter::parse([
///     ("name", "session.opened"),
///     ("status", "error"),
///     ("actor", "user:42"),
/// ])?;
/// assert_eq!(same, refused);
/// # Ok::<(), threadline::Error>(())
/// ```
///
/// A page by name, failure, actor, transaction or time span is read along an index. By
/// category, source or one of the ids, all actions that have it are read. Verb, metadata
/// and text are searched among the actions that match the other conditions, newest first:
/// combine them with a time span.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ActionFilter {
    pub(crate) name: Option<String>,
    pub(crate) category: Option<String>,
    pub(crate) verb: Option<String>,
    pub(crate) status: Option<ActionStatus>,
    pub(crate) actor: Option<ActorRef>,
    #[cfg_attr(feature = "schemars", schemars(with = "Option<String>"))]
    pub(crate) actor_type: Option<ActorType>,
    #[serde(with = "portable::optional_instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Instant>"))]
    pub(crate) from: Option<DateTime<Utc>>,
    #[serde(with = "portable::optional_instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Instant>"))]
    pub(crate) to: Option<DateTime<Utc>>,
    pub(crate) correlation_id: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) job_id: Option<String>,
    pub(crate) transaction: Option<i64>,
    pub(crate) source: Option<String>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) text: Option<String>,
    pub(crate) without_changes: bool,
}

shared_conditions!(ActionFilter, "actions", "recorded");

impl ActionFilter {
    /// Creates a filter that matches every action.
    pub fn new() -> Self {
        Self::default()
    }

    setters! {
        /// Matches actions of this name, such as `member.role_changed`.
        name,
        /// Matches actions of this category, such as `member`.
        category,
        /// Matches actions with this verb, such as `role_changed`.
        verb,
        /// Matches actions with this status.
        status(status: ActionStatus),
    }

    metadata_setter! {
        /// Matches actions that have this metadata, their own or that of their context.
        /// Repeated calls must all match. A text matches the text of the value.
        key
    }

    setters! {
        /// Matches actions whose reason or comment contains this text, ignoring case.
        text,
    }

    /// Matches actions whose transaction changed nothing, or that belong to none. No
    /// [`timeline`](crate::timeline) shows them among its changes.
    pub fn without_changes(mut self) -> Self {
        self.without_changes = true;
        self
    }

    /// Checks that the conditions can hold together.
    ///
    /// # Errors
    ///
    /// Returns an error that names two conditions that exclude each other.
    pub fn check(&self) -> Result<(), FilterError> {
        match self.contradiction() {
            Some((first, second)) => Err(FilterError::Contradiction { first, second }),
            None => Ok(()),
        }
    }

    /// Parses a filter from names and texts, as in a query string, a form or a command
    /// line: `name`, `category`, `verb`, `status`, `actor`, `actor_type`, `from`, `to`,
    /// `correlation_id`, `request_id`, `job_id`, `transaction`, `source`, `metadata`,
    /// `text` and `without_changes` (`yes`). The texts are those of
    /// [`Filter::parse`](crate::Filter::parse).
    ///
    /// # Errors
    ///
    /// Same as [`Filter::parse`](crate::Filter::parse).
    pub fn parse<N, T>(pairs: impl IntoIterator<Item = (N, T)>) -> Result<Self, FilterError>
    where
        N: AsRef<str>,
        T: AsRef<str>,
    {
        Self::set_all(pairs)?.checked()
    }

    /// Returns its conditions on `audit_actions` as `a`.
    pub(crate) fn conditions(&self, binds: &mut Binds) -> Vec<String> {
        let mut all = vec![];
        for (column, value) in [
            ("name", &self.name),
            ("category", &self.category),
            ("verb", &self.verb),
            ("request_id", &self.request_id),
            ("correlation_id", &self.correlation_id),
            ("job_id", &self.job_id),
            ("source", &self.source),
        ] {
            if let Some(value) = value {
                let value = binds.text(value);
                all.push(format!("a.{column} = {value}"));
            }
        }
        let status = self.status.as_ref();
        all.extend(status.map(|status| of_status(status, binds)));
        if let Some(actor) = &self.actor {
            all.push(by_actor("a", actor, binds));
        } else if let Some(kind) = &self.actor_type {
            let kind = binds.text(kind.as_str());
            all.push(format!("a.actor_type = {kind}"));
        }
        for (operator, instant) in [(">=", self.from), ("<=", self.to)] {
            if let Some(instant) = instant {
                let instant = binds.bind(Bind::Instant(instant));
                all.push(format!("a.occurred_at {operator} {instant}"));
            }
        }
        if let Some(id) = self.transaction {
            all.push(format!("a.transaction_id = {id}"));
        }
        for (key, value) in &self.metadata {
            all.push(binds.json_equals("a.meta", key, value));
        }
        if let Some(text) = &self.text {
            let text = binds.text(&pattern(text));
            all.push(format!("(a.reason ILIKE {text} OR a.comment ILIKE {text})"));
        }
        if self.without_changes {
            all.push(format!("(a.transaction_id IS NULL OR {CHANGED_NOTHING})"));
        }
        all
    }
}

/// The condition that the transaction of the action `a` has no change. Evaluated for one
/// action after the other, because the planner would otherwise read all changes.
pub(crate) const CHANGED_NOTHING: &str = "NOT EXISTS (
    SELECT FROM threadline.audit_changes AS c WHERE c.transaction_id = a.transaction_id OFFSET 0)";

/// Returns the condition that a row is by an actor.
pub(crate) fn by_actor(row: &str, actor: &ActorRef, binds: &mut Binds) -> String {
    let kind = binds.text(actor.actor_type().as_str());
    match actor.id() {
        Some(id) => {
            let id = binds.text(id);
            format!("{row}.actor_type = {kind} AND {row}.actor_id = {id}")
        }
        None => format!("{row}.actor_type = {kind} AND {row}.actor_id IS NULL"),
    }
}

/// Returns the condition that the action `a` has a status.
pub(crate) fn of_status(status: &ActionStatus, binds: &mut Binds) -> String {
    match status {
        ActionStatus::Ok => "a.status = 'ok'".to_owned(),
        // The second half matches the partial index on failures.
        status => {
            let status = binds.text(status.as_str());
            format!("a.status = {status} AND a.status <> 'ok'")
        }
    }
}

/// Returns a LIKE pattern for texts that contain the given one.
fn pattern(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

impl Filters for ActionFilter {
    const HEADING: &'static str = "Filters";

    const ALL: &'static [NamedFilter<Self>] = &[
        field!(name, "Actions of this name: member.role_changed"),
        field!(category, "Actions of this category: member"),
        field!(verb, "Actions with this verb: role_changed"),
        field!(status, "Actions with this status: ok or error", status),
        field!(actor, "Actions by this actor: user:42, anonymous", actor),
        field!(
            actor_type,
            "Actions by actors of this type: user, admin, service_account, job, system, anonymous",
            actor_type
        ),
        field!(
            from,
            "Actions recorded at this instant or later: 2026-11-23T09:14:03Z, '2026-11-23 09:14' in UTC, or a day",
            |text| instant(text, Day::Start)
        ),
        field!(
            to,
            "Actions recorded at this instant or earlier; a day, or a second as in '2026-11-23 09:14:03', means its end",
            |text| instant(text, Day::End)
        ),
        field!(correlation_id, "Actions with this correlation id"),
        field!(request_id, "Actions of this request"),
        field!(job_id, "Actions of this job"),
        field!(
            transaction,
            "Actions of the transaction with this id in the audit tables",
            transaction
        ),
        field!(source, "Actions from this source: web"),
        repeated(
            "metadata",
            "Actions with this metadata: tenant=acme",
            |f, text| metadata(&mut f.metadata, text),
        ),
        field!(text, "Actions with this text in the reason or the comment"),
        NamedFilter {
            is_flag: true,
            ..named(
                "without_changes",
                "Actions whose transaction changed nothing, or that belong to none",
                |f, text| match (text, f.without_changes) {
                    ("yes", false) => {
                        f.without_changes = true;
                        Ok(())
                    }
                    ("yes", true) => Err(TWICE.to_owned()),
                    _ => Err("write `yes`, or remove it".to_owned()),
                },
            )
        },
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mistake_says_what_would_be_right() {
        let error = |pairs: &[(&str, &str)]| {
            ActionFilter::parse(pairs.iter().copied())
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            error(&[("table", "members")]),
            "there is no filter `table`; the filters are: name, category, verb, status, actor, actor_type, from, to, correlation_id, request_id, job_id, transaction, source, metadata, text, without_changes"
        );
        assert_eq!(
            error(&[("transaction", "first")]),
            "filter `transaction` cannot be `first`: the id of a transaction is a number"
        );
        assert_eq!(
            error(&[("without_changes", "maybe")]),
            "filter `without_changes` cannot be `maybe`: write `yes`, or remove it"
        );
        assert_eq!(
            error(&[("actor", "user:1"), ("actor_type", "admin")]),
            "nothing can be both: actor user:1, and actor_type admin; remove one of them"
        );
        assert_eq!(
            error(&[("name", "a.b"), ("name", "c.d")]),
            "filter `name` is given twice; remove one of them"
        );
    }

    #[test]
    fn special_characters_of_a_pattern_are_escaped() {
        assert_eq!(pattern("50%_a\\b"), "%50\\%\\_a\\\\b%");
    }
}
