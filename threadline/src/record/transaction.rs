use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::portable;
use crate::context::{ActorRef, recorded_actor};
#[cfg(feature = "schemars")]
use crate::forms::schema::{Columns, Instant};
use crate::forms::text_column;

/// A database transaction that changed audited rows under one context.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AuditTransaction {
    /// The permanent id of the transaction in the audit tables.
    pub id: i64,
    /// The transaction id of PostgreSQL. Restarts after a dump and restore.
    #[serde(default, with = "portable::optional_text")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<String>"))]
    pub xact_id: Option<u64>,
    /// The time at which the database transaction began (not when it committed).
    #[serde(default, with = "portable::optional_instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Instant>"))]
    pub occurred_at: Option<DateTime<Utc>>,
    /// The actor; `None` if none was set.
    #[serde(default, with = "recorded_actor")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<ActorRef>"))]
    pub actor: Option<ActorRef>,
    /// How the context reached the transaction.
    pub origin: ContextOrigin,
    /// The id of the request that was being served.
    pub request_id: Option<String>,
    /// The id that ties the transaction to other requests, jobs and services.
    pub correlation_id: Option<String>,
    /// The id of the job that was running.
    pub job_id: Option<String>,
    /// The channel of the change, such as `web` or `cli`.
    pub source: Option<String>,
    /// The address of the client, as PostgreSQL writes it.
    pub remote_ip: Option<String>,
    /// All other entries of the context.
    #[serde(default, with = "portable::optional")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Columns>"))]
    pub metadata: Option<Value>,
    /// The database role that was logged in.
    pub session_user: Option<String>,
    /// Why the context could not be read in full, if it could not.
    pub context_error: Option<String>,
}

text_column! {
    /// How the context of a transaction reached it.
    #[derive(Debug, Clone, PartialEq, Eq, Hash)]
    pub enum ContextOrigin: "How the context reached the transaction" {
        /// Passed to `audited_transaction`.
        Explicit = "explicit",
        /// Current on the thread and used by `audited`: [`AuditContext::scope`] or
        /// [`AuditContext::carry`](crate::AuditContext::carry).
        ///
        /// [`AuditContext::scope`]: crate::AuditContext::scope
        ThreadLocal = "thread-local",
        /// Current in a future and used by `audited`:
        /// [`in_context`](crate::InContextExt::in_context) or
        /// [`AuditContext::carry_future`](crate::AuditContext::carry_future).
        TaskLocal = "task-local",
        /// Set as a setting in SQL.
        Sql = "sql",
        /// No actor was set.
        None = "none",
        /// A context was set but could not be read; see `context_error`.
        Unreadable = "unreadable",
        /// The row of the transaction is missing.
        Missing = "missing",
        /// A recorded origin that this version does not know.
        Unrecognized(String),
    }

    /// Returns the text of the origin.
    fn as_str;
}

impl ContextOrigin {
    pub(crate) fn recorded(origin: Option<String>) -> Self {
        origin.map_or(Self::Missing, Self::named)
    }
}
