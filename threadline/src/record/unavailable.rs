use std::fmt::{self, Display, Formatter};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[cfg(feature = "schemars")]
use crate::forms::schema::Instant;
use crate::record::{AuditChange, actor_name, portable};

/// The reason why a past record is not available as the type of the model.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// No record of this key existed by then.
    #[error("there was no such record by then")]
    NeverExisted,
    /// The record had been deleted by then. The change has the time and the actor.
    #[error("the record had been deleted by then, at {} by {}", .change.captured_at, actor(.change))]
    Deleted {
        /// The deletion.
        change: Box<AuditChange>,
    },
    /// The record had another key by then.
    #[error(
        "the record had another key by then, {}: since {} by {}",
        .change.key.as_ref().map(ToString::to_string).unwrap_or_default(), .change.captured_at, actor(.change)
    )]
    KeyChanged {
        /// The change of the key.
        change: Box<AuditChange>,
    },
    /// The state is unknown: the table was not audited then, or not without interruption
    /// since.
    #[error("the table has been audited only since {since}")]
    BeforeAudit {
        /// The time since which it is audited.
        since: DateTime<Utc>,
    },
    /// Changes of that time were purged, under the retention policy of the table.
    #[error("changes before {since} were purged")]
    NoLongerKept {
        /// The time since which changes are kept.
        since: DateTime<Utc>,
    },
    /// The result is not final yet: a transaction that wrote audited rows by then is still
    /// open and could change it by committing, the instant is in the future, or a standby
    /// has received nothing from its primary since.
    #[error(
        "the state at this instant is not final yet: {}; query again later, or an earlier instant",
        open_ones(.open)
    )]
    NotFinal {
        /// The open transactions. Empty if none can be named.
        open: Vec<OpenTransaction>,
    },
    /// The policy redacts a column that the model requires.
    #[error(
        "the model needs a value of a column that is masked or excluded ({}); use an Option for it, or read the image",
        .columns.join(", ")
    )]
    Redacted {
        /// The columns that the policy redacts.
        columns: Vec<String>,
    },
    /// A value that the model requires was erased, with an [`Erasure`](crate::Erasure).
    #[error(
        "the model needs a value of a column that was erased ({}); use an Option for it, or read the image",
        .columns.join(", ")
    )]
    Erased {
        /// The columns that were erased.
        columns: Vec<String>,
    },
    /// The values of columns that the model reads were not recorded at this instant; only
    /// later ones are available. A command such as `ALTER TABLE … TYPE … USING` has
    /// converted them since, or the columns were new in a table with redaction, which
    /// records them from the next refresh of its audit.
    #[error(
        "the values at this instant are not recorded, only later ones: {}; use a model without them, or read the image",
        .columns.join(", ")
    )]
    Converted {
        /// The columns.
        columns: Vec<String>,
    },
    /// The recorded changes do not make a complete row: neither the insertion nor the
    /// deletion of the record is recorded, or a write bypassed the triggers, or a later
    /// `TRUNCATE` recorded only the number of rows, or capture of the table was suspended
    /// later, or its primary key was another then, or its policy did not record every
    /// change. If the record has another key now, query that key.
    #[error(
        "what is on record does not give the whole row: its insertion and its deletion are not recorded, a later TRUNCATE recorded only the number of rows, or not every change was recorded, or the primary key was another; if the record has another key now, query that key, or read the image"
    )]
    Incomplete,
    /// The past row does not have the present types or columns of the model.
    #[error("the past row does not match the model: {message}; read the image")]
    DoesNotFit {
        /// The mismatch.
        message: String,
    },
    /// A reason that a newer version recorded. Occurs only when reading its JSON.
    #[error("{message}")]
    Unrecognized {
        /// The name of the reason.
        reason: String,
        /// The reason as a message.
        message: String,
    },
}

/// An open transaction that wrote audited rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct OpenTransaction {
    /// The process id of its session on the server. `None` if it is prepared.
    pub pid: Option<i32>,
    /// The name of a prepared transaction, for `COMMIT PREPARED` or `ROLLBACK PREPARED`.
    pub prepared: Option<String>,
    /// The time at which it began, or was prepared, if the querying role may see it.
    #[serde(default, with = "portable::optional_instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Instant>"))]
    pub since: Option<DateTime<Utc>>,
    /// The `application_name` of its session, if the querying role may see it.
    pub application_name: Option<String>,
}

impl Display for OpenTransaction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match (self.pid, &self.prepared) {
            (Some(pid), _) => write!(f, "pid {pid}")?,
            (None, Some(name)) => write!(f, "prepared transaction {name:?}")?,
            (None, None) => f.write_str("unknown session")?,
        }
        if let Some(since) = self.since {
            write!(f, ", since {since}")?;
        }
        match &self.application_name {
            Some(name) => write!(f, ", {name:?}"),
            None => Ok(()),
        }
    }
}

fn open_ones(open: &[OpenTransaction]) -> String {
    if open.is_empty() {
        return "a transaction that wrote audited rows by then is still open, the instant is in the future, or this standby has received nothing from its primary since".to_owned();
    }
    let open: Vec<_> = open.iter().map(ToString::to_string).collect();
    format!(
        "a transaction that wrote audited rows by then is still open ({})",
        open.join("; ")
    )
}

fn actor(change: &AuditChange) -> String {
    actor_name(change.actor())
}
