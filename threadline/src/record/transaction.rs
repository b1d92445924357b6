use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::portable;
use crate::context::{ActorRef, recorded_actor};
use crate::forms::open_text;
#[cfg(feature = "schemars")]
use crate::forms::schema::{Columns, Instant};

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

/// How the context of a transaction reached it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)
)]
#[cfg_attr(feature = "schema", diesel(sql_type = diesel::sql_types::Text))]
#[non_exhaustive]
pub enum ContextOrigin {
    /// Passed to `audited_transaction`.
    Explicit,
    /// Current on the thread and used by `audited`: [`AuditContext::scope`] or
    /// [`AuditContext::carry`](crate::AuditContext::carry).
    ///
    /// [`AuditContext::scope`]: crate::AuditContext::scope
    ThreadLocal,
    /// Current in a future and used by `audited`:
    /// [`in_context`](crate::InContextExt::in_context) or
    /// [`AuditContext::carry_future`](crate::AuditContext::carry_future).
    TaskLocal,
    /// Set as a setting in SQL.
    Sql,
    /// No actor was set.
    None,
    /// A context was set but could not be read; see `context_error`.
    Unreadable,
    /// The row of the transaction is missing.
    Missing,
    /// A recorded origin that this version does not know.
    Unrecognized(String),
}

impl ContextOrigin {
    pub(crate) fn recorded(origin: Option<String>) -> Self {
        let Some(origin) = origin else {
            return Self::Missing;
        };
        match origin.as_str() {
            "explicit" => Self::Explicit,
            "thread-local" => Self::ThreadLocal,
            "task-local" => Self::TaskLocal,
            "sql" => Self::Sql,
            "none" => Self::None,
            "unreadable" => Self::Unreadable,
            _ => Self::Unrecognized(origin),
        }
    }

    fn as_str(&self) -> &str {
        match self {
            Self::Explicit => "explicit",
            Self::ThreadLocal => "thread-local",
            Self::TaskLocal => "task-local",
            Self::Sql => "sql",
            Self::None => "none",
            Self::Unreadable => "unreadable",
            Self::Missing => "missing",
            Self::Unrecognized(origin) => origin,
        }
    }

    /// Parses the output of [`as_str`](Self::as_str).
    fn named(origin: String) -> Self {
        Self::recorded((origin != "missing").then_some(origin))
    }
}

open_text!(
    ContextOrigin,
    ContextOrigin::named,
    "How the context reached the transaction: explicit, thread-local, task-local, sql, none, unreadable, missing, or a value of a newer version."
);
