use std::net::IpAddr;

use serde_json::{Map, Value};

use super::ActionStatus;
use crate::context::limits::{MAX_ID_BYTES, check_metadata, check_text};
use crate::context::{ActorRef, ActorType, AuditContext, ContextError};
use crate::setters::{metadata_setter, setters};

/// The maximum length of a name, category and verb, in bytes.
const MAX_NAME_BYTES: usize = 255;
/// The maximum length of a reason and comment, in bytes.
const MAX_TEXT_BYTES: usize = 8 * 1024;

/// An action to record.
///
/// Values that are not set come from the current [`AuditContext`]: the actor, the ids of
/// request, correlation and job, the source and the address. The metadata of the context is
/// recorded together with that of the action, which takes precedence. `member.role_changed`
/// means the verb `role_changed` and the category `member`, unless these are set.
#[derive(Debug, Clone)]
#[must_use = "an action is recorded by `record_action(conn, action)`"]
pub struct Action {
    pub(crate) name: String,
    pub(crate) category: Option<String>,
    pub(crate) verb: Option<String>,
    pub(crate) actor: Option<ActorRef>,
    pub(crate) status: ActionStatus,
    pub(crate) reason: Option<String>,
    pub(crate) comment: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) correlation_id: Option<String>,
    pub(crate) job_id: Option<String>,
    pub(crate) source: Option<String>,
    pub(crate) remote_ip: Option<IpAddr>,
    pub(crate) metadata: Map<String, Value>,
}

/// The reason why an action cannot be recorded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ActionError {
    /// No actor is set.
    #[error(
        "action `{name}` has no actor; enter an AuditContext with one, or name it with `Action::actor`"
    )]
    NoActor {
        /// The name of the action.
        name: String,
    },
    /// The actor cannot be recorded.
    #[error("action `{name}` is by an actor of the unknown type `{actor_type}`")]
    InvalidActor {
        /// The name of the action.
        name: String,
        /// The recorded type.
        actor_type: String,
    },
    /// An invalid name.
    #[error(
        "`{name}` is not an action's name; write lower-case words joined by `_`, parts joined by `.`, as in `member.role_changed`"
    )]
    InvalidName {
        /// The given name.
        name: String,
    },
    /// Capture cannot be suspended, because no transaction is open.
    #[error(
        "capture is suspended for a transaction, but none is open; call `suspend` inside `conn.audited_transaction(&context, |conn| ...)`"
    )]
    NoTransaction,
    /// Values cannot be unmasked inside a transaction, because it could roll back the
    /// record of the access.
    #[error(
        "values cannot be unmasked inside a transaction, which could roll back the record of the access; call `unmasked` when none is open"
    )]
    InTransaction,
    /// A text above its limit, or with a NUL. Texts are never cut.
    #[error("action `{name}`: {error}")]
    InvalidField {
        /// The name of the action.
        name: String,
        /// The field and its error.
        error: ContextError,
    },
}

impl Action {
    /// Creates an action of this name, with the status `ok`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            category: None,
            verb: None,
            actor: None,
            status: ActionStatus::Ok,
            reason: None,
            comment: None,
            request_id: None,
            correlation_id: None,
            job_id: None,
            source: None,
            remote_ip: None,
            metadata: Map::new(),
        }
    }

    setters! {
        /// Sets the kind of object that it concerns, if the name does not contain it.
        category,
        /// Sets what is done to the object, if the name does not contain it.
        verb,
        /// Sets the actor, instead of that of the current context.
        actor(actor: ActorRef),
    }

    /// Sets the status `error`: the action failed or was refused.
    pub fn failed(self) -> Self {
        self.status(ActionStatus::Error)
    }

    /// Sets the status.
    pub fn status(mut self, status: ActionStatus) -> Self {
        self.status = status;
        self
    }

    setters! {
        /// Sets the reason.
        reason,
        /// Sets a further comment.
        comment,
        /// Sets the request id, instead of that of the current context.
        request_id,
        /// Sets the correlation id, instead of that of the current context.
        correlation_id,
        /// Sets the job id, instead of that of the current context.
        job_id,
        /// Sets the source, instead of that of the current context.
        source,
        /// Sets the address of the client, instead of that of the current context.
        remote_ip(address: IpAddr),
    }

    metadata_setter! {
        /// Adds an entry of metadata. A later entry of the same name replaces an earlier one.
        name
    }

    /// Checks whether it can be recorded under a context.
    pub(crate) fn check(&self, context: &AuditContext) -> Result<(), ActionError> {
        self.clone().complete(Some(context)).map(|_| ())
    }

    /// Returns the same action as failed for a reason. A reason that was set before is kept
    /// too.
    pub(crate) fn failed_for(mut self, kind: String) -> Self {
        let reason = match &self.reason {
            Some(given) => format!("{kind} (reason given: {given})"),
            None => kind.clone(),
        };
        self.reason = Some(if reason.len() > MAX_TEXT_BYTES {
            kind
        } else {
            reason
        });
        self.failed()
    }

    /// Completes the action with the values of the context, if it can be recorded.
    pub(crate) fn complete(
        mut self,
        context: Option<&AuditContext>,
    ) -> Result<(Self, ActorRef), ActionError> {
        // The metadata of the context was checked when it was built.
        check_metadata(&self.metadata).map_err(|error| self.invalid(error))?;
        if let Some(context) = context {
            let from = |id: Option<&str>| id.map(str::to_owned);
            self.actor = self.actor.or_else(|| context.actor().cloned());
            self.request_id = self.request_id.or_else(|| from(context.request_id()));
            self.correlation_id = self
                .correlation_id
                .or_else(|| from(context.correlation_id()));
            self.job_id = self.job_id.or_else(|| from(context.job_id()));
            self.source = self.source.or_else(|| from(context.source()));
            self.remote_ip = self.remote_ip.or_else(|| context.remote_ip());
            let own = std::mem::replace(&mut self.metadata, context.metadata().clone());
            self.metadata.extend(own);
        }
        if !is_name(&self.name) {
            return Err(ActionError::InvalidName { name: self.name });
        }
        for (field, value, limit) in [
            ("name", Some(&self.name), MAX_NAME_BYTES),
            ("category", self.category.as_ref(), MAX_NAME_BYTES),
            ("verb", self.verb.as_ref(), MAX_NAME_BYTES),
            ("reason", self.reason.as_ref(), MAX_TEXT_BYTES),
            ("comment", self.comment.as_ref(), MAX_TEXT_BYTES),
            ("request id", self.request_id.as_ref(), MAX_ID_BYTES),
            ("correlation id", self.correlation_id.as_ref(), MAX_ID_BYTES),
            ("job id", self.job_id.as_ref(), MAX_ID_BYTES),
            ("source", self.source.as_ref(), MAX_ID_BYTES),
        ] {
            if let Some(value) = value {
                check_text(field, value, limit).map_err(|error| self.invalid(error))?;
            }
        }
        let Some(actor) = self.actor.clone() else {
            return Err(ActionError::NoActor { name: self.name });
        };
        if let ActorType::Unrecognized(actor_type) = actor.actor_type() {
            return Err(ActionError::InvalidActor {
                actor_type: actor_type.clone(),
                name: self.name,
            });
        }
        Ok((self, actor))
    }

    fn invalid(&self, error: ContextError) -> ActionError {
        ActionError::InvalidField {
            name: self.name.clone(),
            error,
        }
    }
}

impl From<&str> for Action {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

fn is_name(name: &str) -> bool {
    name.split('.').all(|part| {
        part.starts_with(|c: char| c.is_ascii_lowercase())
            && part
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    })
}
