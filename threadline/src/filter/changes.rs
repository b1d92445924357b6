use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::actions::ActionFilter;
use super::conditions;
#[cfg(feature = "schemars")]
use super::conditions::Condition;
use super::error::FilterError;
use super::except::Exception;
use super::record_key::{Key, RecordKey};
use super::scope::Scope;
use super::shared::shared_conditions;
use super::table::check_table_name;
use crate::action::ActionStatus;
use crate::context::{ActorRef, ActorType};
#[cfg(feature = "schemars")]
use crate::forms::schema::Instant;
use crate::model::{AuditedModel, KeyOf};
use crate::record::{Operation, portable};
use crate::setters::{metadata_setter, setters};
use crate::statement::TypedKey;

/// A filter for changes, for [`timeline`](crate::timeline), the exports and the command
/// line. An empty filter matches all changes; several conditions must all hold.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// use threadline::{ActorRef, Filter, Operation};
///
/// let by_grace = Filter::new()
///     .model::<User>()
///     .operation(Operation::Update)
///     .changed("email")
///     .actor(&ActorRef::admin("grace")?);
///
/// // The same from a query string or a form.
/// let same = Filter::parse([
///     ("table", "\"users\""),
///     ("operation", "update"),
///     ("changed", "email"),
///     ("actor", "admin:grace"),
/// ])?;
/// assert_eq!(same, by_grace);
/// # Ok::<(), threadline::Error>(())
/// ```
///
/// Properties of a transaction (actor, ids, source, metadata) are compared with its
/// context. A correlation, request or job id also matches if an action of the transaction
/// has it. All conditions on an action must hold for the same action.
///
/// No filter finds a value that readers do not see because its column is masked or excluded
/// now.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Filter {
    pub(crate) table: Option<String>,
    pub(crate) record: Option<RecordKey>,
    pub(crate) operation: Option<Operation>,
    pub(crate) actor: Option<ActorRef>,
    pub(crate) without_actor: bool,
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
    pub(crate) action: Option<String>,
    pub(crate) category: Option<String>,
    pub(crate) status: Option<ActionStatus>,
    pub(crate) changed: Vec<String>,
    #[serde(with = "conditions")]
    #[cfg_attr(feature = "schemars", schemars(with = "Vec<Condition<String, Value>>"))]
    pub(crate) changed_from: Vec<(String, Value)>,
    #[serde(with = "conditions")]
    #[cfg_attr(feature = "schemars", schemars(with = "Vec<Condition<String, Value>>"))]
    pub(crate) changed_to: Vec<(String, Value)>,
    #[serde(rename = "value", with = "conditions")]
    #[cfg_attr(feature = "schemars", schemars(with = "Vec<Condition<String, Value>>"))]
    pub(crate) values: Vec<(String, Value)>,
    #[serde(with = "conditions")]
    #[cfg_attr(
        feature = "schemars",
        schemars(with = "Vec<Condition<String, String>>")
    )]
    pub(crate) key: Vec<(String, String)>,
    pub(crate) session_user: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) metadata: Map<String, Value>,
    pub(crate) transaction: Option<i64>,
    pub(crate) except: Vec<Exception>,
    pub(crate) within: Option<Scope>,
}

shared_conditions!(Filter, "changes", "captured");

impl Filter {
    /// Creates a filter that matches every change.
    pub fn new() -> Self {
        Self::default()
    }

    /// Matches changes of the table of a model.
    pub fn model<M: AuditedModel>(self) -> Self {
        self.table(M::spec().table)
    }

    setters! {
        /// Matches changes of the table of this name, written as in SQL: `members`,
        /// `app.members`, `"Order"`. The table may have been dropped since.
        table,
    }

    /// Matches changes of one record of the table, including those under earlier keys.
    pub fn record(mut self, key: impl Into<RecordKey>) -> Self {
        self.record = Some(key.into());
        self
    }

    /// Matches changes of one record of a model's table, including those under earlier
    /// keys. Takes the same keys as [`history_of`](crate::Audited::history_of), such as a
    /// newtype or a tuple. The key must own its values.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let conn = &mut *connection;
    /// use threadline::{Filter, timeline};
    ///
    /// let names = Filter::new().record_of::<User, _>(42).changed("name");
    /// assert_eq!(timeline(names).page(conn)?.entries.len(), 1);
    /// # Ok::<(), threadline::Error>(())
    /// ```
    pub fn record_of<M: AuditedModel, K>(self, key: K) -> Self
    where
        K: KeyOf<M::Key>,
        K::Values: Send + Sync + 'static,
    {
        let key = RecordKey(Key::Typed(TypedKey::new(key.into_key())));
        Self {
            record: Some(key),
            ..self.model::<M>()
        }
    }

    /// Matches changes recorded without an actor: none was set, or the context could not be
    /// read. An unknown actor that was set explicitly is [`ActorRef::anonymous`].
    pub fn without_actor(mut self) -> Self {
        self.without_actor = true;
        self
    }

    setters! {
        /// Matches changes by this operation.
        operation(operation: Operation),
        /// Matches changes with an action of this name, such as `member.role_changed`.
        action,
        /// Matches changes with an action of this category.
        category,
        /// Matches changes with an action of this status.
        status(status: ActionStatus),
    }

    metadata_setter! {
        /// Matches changes whose context has this metadata. Repeated calls must all match.
        key
    }

    /// Changes in a scope, without what the scope hides of them. A filter of a name and text
    /// cannot widen it.
    ///
    /// Actions without changes are in no scope: [`Page::other_actions`](crate::Page::other_actions)
    /// is empty.
    pub fn within(mut self, scope: Scope) -> Self {
        self.within = Some(scope);
        self
    }

    /// Returns the same filter for actions, or `None` if it has a condition that only
    /// changes have.
    pub(crate) fn of_actions(&self) -> Option<ActionFilter> {
        let Self {
            table: None,
            record: None,
            operation: None,
            actor,
            // An action always has an actor.
            without_actor: false,
            actor_type,
            from,
            to,
            correlation_id,
            request_id,
            job_id,
            action,
            category,
            status,
            changed,
            changed_from,
            changed_to,
            values,
            key,
            source,
            session_user: None,
            text,
            metadata,
            transaction: None,
            except,
            within: None,
        } = self
        else {
            return None;
        };
        let of_rows = [changed_from, changed_to, values];
        (changed.is_empty()
            && key.is_empty()
            && except.is_empty()
            && of_rows.iter().all(|list| list.is_empty()))
        .then(|| ActionFilter {
            name: action.clone(),
            category: category.clone(),
            status: status.clone(),
            actor: actor.clone(),
            actor_type: actor_type.clone(),
            from: *from,
            to: *to,
            correlation_id: correlation_id.clone(),
            request_id: request_id.clone(),
            job_id: job_id.clone(),
            source: source.clone(),
            metadata: metadata.clone(),
            text: text.clone(),
            ..ActionFilter::new()
        })
    }

    /// Checks that the conditions can hold together.
    ///
    /// # Errors
    ///
    /// Returns an error that names two conditions that exclude each other, an invalid table
    /// name, or a record without a table.
    pub fn check(&self) -> Result<(), FilterError> {
        if let Some(table) = &self.table {
            check_table_name(table)?;
        }
        match self {
            Self {
                record: Some(_),
                table: None,
                ..
            } => Err(FilterError::RecordWithoutTable),
            Self {
                text: Some(text), ..
            } if text.is_empty() => Err(FilterError::Value {
                name: "text".to_owned(),
                value: String::new(),
                message: "give a text to look for".to_owned(),
            }),
            Self {
                text: Some(_),
                from: None,
                ..
            } => Err(FilterError::TextWithoutFrom),
            Self { table: None, .. } if !self.key.is_empty() => Err(FilterError::KeyWithoutTable),
            _ => Ok(()),
        }?;
        if let Some((first, second)) = self
            .contradiction()
            .or_else(|| self.contradiction_of_changes())
        {
            return Err(FilterError::Contradiction { first, second });
        }
        self.check_exceptions()
    }

    /// Returns two conditions that exclude each other, of those that only changes have.
    fn contradiction_of_changes(&self) -> Option<(String, String)> {
        let (first, second) = match self {
            Self {
                without_actor: true,
                actor: Some(actor),
                ..
            } => ("actor nobody".to_owned(), format!("actor {actor}")),
            Self {
                without_actor: true,
                actor_type: Some(kind),
                ..
            } => ("actor nobody".to_owned(), format!("actor_type {kind}")),
            Self {
                operation: Some(operation),
                ..
            } => (
                format!("operation {operation}"),
                self.side_missing(operation)?.to_owned(),
            ),
            _ => return None,
        };
        Some((first, second))
    }
}
