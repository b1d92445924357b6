use std::fmt;

use serde::{Deserialize, Serialize};

use super::ContextError;
use super::limits::{MAX_ID_BYTES, check_text};
use crate::characters::is_invisible;
use crate::forms::text_column;

/// The actor of a change: who acts.
///
/// Each constructor returns an error for an id that is empty, or that has only blanks and
/// other invisible characters, so every recorded actor can be found again.
///
/// ```
/// use threadline::ActorRef;
///
/// let alice = ActorRef::user(42)?;
/// assert_eq!(alice.to_string(), "user:42");
/// assert!(ActorRef::user("").is_err());
/// assert_eq!(ActorRef::anonymous().id(), None);
/// # Ok::<(), threadline::ContextError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Wire", into = "Wire")]
pub struct ActorRef {
    kind: ActorType,
    id: Option<String>,
}

text_column! {
    /// The kind of actor that an [`ActorRef`] names.
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub enum ActorType: "The kind of actor" {
        /// A person who uses the application.
        User = "user",
        /// A person who operates the application.
        Admin = "admin",
        /// Another program with its own account.
        ServiceAccount = "service_account",
        /// A background or scheduled job.
        Job = "job",
        /// The application itself, or a part of it.
        System = "system",
        /// An unknown actor, such as a visitor. Has no id.
        Anonymous = "anonymous",
        /// A recorded type that this version does not know. Occurs only when reading.
        Unrecognized(String),
    }

    /// Returns the name under which the type is recorded, such as `service_account`.
    pub fn as_str;
}

impl ActorRef {
    /// Names a person who uses the application.
    pub fn user(id: impl ToString) -> Result<Self, ContextError> {
        Self::with_id(ActorType::User, id)
    }

    /// Names a person who operates the application.
    pub fn admin(id: impl ToString) -> Result<Self, ContextError> {
        Self::with_id(ActorType::Admin, id)
    }

    /// Names another program with its own account.
    pub fn service_account(id: impl ToString) -> Result<Self, ContextError> {
        Self::with_id(ActorType::ServiceAccount, id)
    }

    /// Names a background or scheduled job.
    pub fn job(id: impl ToString) -> Result<Self, ContextError> {
        Self::with_id(ActorType::Job, id)
    }

    /// Names the application itself, or a part of it.
    pub fn system(id: impl ToString) -> Result<Self, ContextError> {
        Self::with_id(ActorType::System, id)
    }

    /// Names an unknown actor, such as a visitor who is not logged in.
    pub fn anonymous() -> Self {
        Self {
            kind: ActorType::Anonymous,
            id: None,
        }
    }

    /// Returns the kind of actor.
    pub fn actor_type(&self) -> &ActorType {
        &self.kind
    }

    /// Returns the id, or `None` for an anonymous actor.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    fn with_id(kind: ActorType, id: impl ToString) -> Result<Self, ContextError> {
        let id = id.to_string();
        if id.chars().all(is_invisible) {
            return Err(ContextError::ActorWithoutId {
                actor_type: kind.to_string(),
            });
        }
        check_text("actor id", &id, MAX_ID_BYTES)?;
        Ok(Self { kind, id: Some(id) })
    }

    /// Builds an actor from the values in the audit tables, without checks.
    pub(crate) fn recorded(kind: String, id: Option<String>) -> Self {
        Self {
            kind: ActorType::named(kind),
            id,
        }
    }
}

impl fmt::Display for ActorRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.id {
            Some(id) => write!(f, "{}:{id}", self.kind),
            None => write!(f, "{}", self.kind),
        }
    }
}

/// Parses the output of [`Display`](fmt::Display): `user:42`, `anonymous`.
impl std::str::FromStr for ActorRef {
    type Err = ContextError;

    fn from_str(text: &str) -> Result<Self, ContextError> {
        let (kind, id) = match text.split_once(':') {
            Some((kind, id)) => (kind, Some(id.to_owned())),
            None => (text, None),
        };
        Wire {
            kind: kind.to_owned(),
            id,
        }
        .try_into()
    }
}

#[derive(Serialize, Deserialize)]
struct Wire {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    id: Option<String>,
}

impl From<ActorRef> for Wire {
    fn from(actor: ActorRef) -> Self {
        Self {
            kind: actor.kind.to_string(),
            id: actor.id,
        }
    }
}

impl TryFrom<Wire> for ActorRef {
    type Error = ContextError;

    fn try_from(wire: Wire) -> Result<Self, ContextError> {
        match ActorType::named(wire.kind) {
            ActorType::Anonymous => Ok(Self::anonymous()),
            ActorType::Unrecognized(name) => Err(ContextError::UnknownActorType { name }),
            kind => Self::with_id(kind, wire.id.unwrap_or_default()),
        }
    }
}
