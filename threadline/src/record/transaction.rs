use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::portable;
use crate::context::{ActorRef, recorded_actor};
use crate::forms::open_text;
#[cfg(feature = "schemars")]
use crate::forms::schema::{Columns, Instant};

/// One database transaction under one context that changed audited rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AuditTransaction {
    /// Identifies the transaction in the audit tables, for good.
    pub id: i64,
    /// PostgreSQL's transaction id. Starts again after a dump and restore.
    #[serde(default, with = "portable::optional_text")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<String>"))]
    pub xact_id: Option<u64>,
    /// When the database transaction began (not when it committed).
    #[serde(default, with = "portable::optional_instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Instant>"))]
    pub occurred_at: Option<DateTime<Utc>>,
    /// Who acted; `None` when nobody said.
    #[serde(default, with = "recorded_actor")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<ActorRef>"))]
    pub actor: Option<ActorRef>,
    /// Where the actor came from.
    pub origin: ContextOrigin,
    /// The id of the request that was served.
    pub request_id: Option<String>,
    /// What ties this to other requests, jobs and services.
    pub correlation_id: Option<String>,
    /// The id of the job that ran.
    pub job_id: Option<String>,
    /// Which way the change came.
    pub source: Option<String>,
    /// The client's address, as PostgreSQL writes it.
    pub remote_ip: Option<String>,
    /// Everything else the context held.
    #[serde(default, with = "portable::optional")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Columns>"))]
    pub metadata: Option<Value>,
    /// The database role that was logged in.
    pub session_user: Option<String>,
    /// Why the context could not be read in full, if so.
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
    /// The setting was made by hand, in SQL.
    Sql,
    /// There was no actor.
    None,
    /// There was a context that could not be read; see `context_error`.
    Unreadable,
    /// The transaction's row is not there.
    Missing,
    /// An origin that was recorded and that this version does not know.
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

    /// From what [`Display`](fmt::Display) writes.
    fn named(origin: String) -> Self {
        Self::recorded((origin != "missing").then_some(origin))
    }
}

impl fmt::Display for ContextOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Explicit => "explicit",
            Self::ThreadLocal => "thread-local",
            Self::TaskLocal => "task-local",
            Self::Sql => "sql",
            Self::None => "none",
            Self::Unreadable => "unreadable",
            Self::Missing => "missing",
            Self::Unrecognized(origin) => origin,
        })
    }
}

open_text!(
    ContextOrigin,
    ContextOrigin::named,
    "How the context reached the transaction: explicit, thread-local, task-local, sql, none, unreadable, missing, or what a newer version records."
);
