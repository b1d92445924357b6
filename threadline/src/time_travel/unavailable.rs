use std::fmt::{self, Display, Formatter};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

#[cfg(feature = "schemars")]
use crate::forms::schema::Instant;
use crate::record::{AuditChange, portable};

/// Why a record of the past cannot be had as the model's type.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Unavailable {
    /// There was no record of this key by then.
    #[error("there was no such record by then")]
    NeverExisted,
    /// The record had been deleted by then; the change says when and by whom.
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
    /// Nobody knows: the table was not audited then, or has not been without
    /// interruption since.
    #[error("the table is audited since {since} only")]
    BeforeAudit {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// Changes of that time were removed, as the table's policy says.
    #[error("changes are kept since {since} only")]
    NoLongerKept {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// A transaction that wrote audited rows by then is still open; the answer
    /// could become another when it commits. Or the instant is still to come, or a
    /// standby has not heard from its primary since.
    #[error(
        "what was then is not final yet: {}; ask again later, or for an earlier instant",
        open_ones(.open)
    )]
    NotFinal {
        /// The transactions. Empty where none can be named.
        open: Vec<OpenTransaction>,
    },
    /// A column that the model must have is kept from the audit.
    #[error(
        "the model needs a value of a column that is masked or excluded ({}); use an Option for it, or read the image",
        .columns.join(", ")
    )]
    Redacted {
        /// The columns that the policy redacts.
        columns: Vec<String>,
    },
    /// The value of a column that the model must have was erased, with an
    /// [`Erasure`](crate::Erasure).
    #[error(
        "the model needs a value of a column that was erased ({}); use an Option for it, or read the image",
        .columns.join(", ")
    )]
    Erased {
        /// The columns that were erased.
        columns: Vec<String>,
    },
    /// A command altered the values of columns that the model reads, such as `ALTER TABLE …
    /// TYPE … USING`. What they held then is not on record; only what the command made
    /// of it is left.
    #[error(
        "what these columns held then is not on record, only what a later ALTER made of it: {}; use a model without them, or read the image",
        .columns.join(", ")
    )]
    Converted {
        /// The columns.
        columns: Vec<String>,
    },
    /// What is on record does not make a whole row: neither the record's
    /// beginning nor its end is there, or something wrote past the triggers. Of a
    /// record that has another key now, ask under that.
    #[error(
        "only what changed is on record, not the whole row; if the record has another key now, ask under that, or read the image"
    )]
    Incomplete,
    /// The row as it was then has not the types or columns of the model now.
    #[error("the row as it was then does not fit the model: {message}; read the image")]
    DoesNotFit {
        /// What did not fit.
        message: String,
    },
    /// A reason that a newer version knows; met only where one reads what another wrote.
    #[error("{message}")]
    Unrecognized {
        /// The reason's name.
        reason: String,
        /// The reason for people.
        message: String,
    },
}

/// An open transaction that wrote audited rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct OpenTransaction {
    /// The process of its session on the server.
    pub pid: i32,
    /// When it began, if the role that asks may see that.
    #[serde(default, with = "portable::optional_instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Instant>"))]
    pub since: Option<DateTime<Utc>>,
    /// The `application_name` of its session, if the role that asks may see that.
    pub application_name: Option<String>,
}

impl Display for OpenTransaction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "pid {}", self.pid)?;
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
        return "a transaction that wrote audited rows by then is still open, the instant is still to come, or this standby has not heard from its primary since".to_owned();
    }
    let open: Vec<_> = open.iter().map(ToString::to_string).collect();
    format!(
        "a transaction that wrote audited rows by then is still open ({})",
        open.join("; ")
    )
}

fn actor(change: &AuditChange) -> String {
    match change.actor() {
        Some(actor) => actor.to_string(),
        None => "nobody known".to_owned(),
    }
}
