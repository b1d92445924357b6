use std::fmt;

use chrono::{DateTime, Utc};
use diesel::deserialize::{self, Queryable};
use diesel::pg::Pg;
use diesel::sql_types::{BigInt, Jsonb, Nullable, Text, Timestamptz};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::context::{ActorRef, recorded_actor};
#[cfg(feature = "schemars")]
use crate::forms::schema::{Columns, Instant};
use crate::forms::text_column;
use crate::record::{AnyJson, AnyTime, clean, portable, via};

/// A recorded action, a semantic event of the application: its actor, name, reason and
/// outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct AuditAction {
    /// The id of the action. Ids increase.
    pub id: i64,
    /// The id of its AuditTransaction; `None` if it was recorded outside a transaction.
    pub transaction_id: Option<i64>,
    /// The time at which it was recorded.
    #[serde(with = "portable::instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Instant"))]
    pub occurred_at: DateTime<Utc>,
    /// The name of the action, such as `member.role_changed`.
    pub name: String,
    /// The kind of object that it concerns: `member`.
    pub category: Option<String>,
    /// The verb of the action: `role_changed`.
    pub verb: Option<String>,
    /// The actor.
    #[serde(with = "recorded_actor::named")]
    #[cfg_attr(feature = "schemars", schemars(with = "ActorRef"))]
    pub actor: ActorRef,
    /// The outcome.
    pub status: ActionStatus,
    /// The reason.
    pub reason: Option<String>,
    /// A further comment.
    pub comment: Option<String>,
    /// The id of the request that was being served.
    pub request_id: Option<String>,
    /// The id that ties the action to other requests, jobs and services.
    pub correlation_id: Option<String>,
    /// The id of the job that was running.
    pub job_id: Option<String>,
    /// The channel of the action, such as `web` or `cli`.
    pub source: Option<String>,
    /// The address of the client, as PostgreSQL writes it.
    pub remote_ip: Option<String>,
    /// All other entries: the metadata of the context and of the action.
    #[serde(default, with = "portable::optional")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Columns>"))]
    pub metadata: Option<Value>,
}

/// Writes the action in one line: `member.role_changed by admin:grace: asked by the board`.
impl fmt::Display for AuditAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} by {}",
            clean(&self.name),
            clean(&self.actor.to_string())
        )?;
        if self.status != ActionStatus::Ok {
            write!(f, " ({})", clean(self.status.as_str()))?;
        }
        match &self.reason {
            Some(reason) => write!(f, ": {}", clean(reason)),
            None => Ok(()),
        }
    }
}

text_column! {
    /// The outcome of an action.
    #[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
    pub enum ActionStatus: "The outcome of an action" {
        /// It succeeded.
        #[default]
        Ok = "ok",
        /// It failed or was refused.
        Error = "error",
        /// A recorded status that this version does not know.
        Unrecognized(String),
    }

    /// Returns `ok` or `error`.
    pub fn as_str;
}

impl AuditAction {
    /// Returns source, request, job, correlation id and address in one line.
    #[doc(hidden)]
    pub fn via(&self) -> Option<String> {
        via([
            &self.source,
            &self.request_id,
            &self.job_id,
            &self.correlation_id,
            &self.remote_ip,
        ])
    }

    /// Reads actions from the rows of `audit_actions` as JSON.
    #[cfg(feature = "export")]
    pub(crate) fn from_json_rows(rows: Option<Value>) -> Vec<Self> {
        let Some(Value::Array(rows)) = rows else {
            return vec![];
        };
        rows.into_iter()
            .map(|row| {
                let text = |column: &str| Some(row.get(column)?.as_str()?.to_owned());
                let instant =
                    |column: &str| DateTime::parse_from_rfc3339(row.get(column)?.as_str()?).ok();
                Self {
                    id: row["id"].as_i64().unwrap_or_default(),
                    transaction_id: row["transaction_id"].as_i64(),
                    occurred_at: instant("occurred_at")
                        .map_or(DateTime::<Utc>::MAX_UTC, |instant| instant.to_utc()),
                    name: text("name").unwrap_or_default(),
                    category: text("category"),
                    verb: text("verb"),
                    actor: ActorRef::recorded(
                        text("actor_type").unwrap_or_default(),
                        text("actor_id"),
                    ),
                    status: ActionStatus::named(text("status").unwrap_or_default()),
                    reason: text("reason"),
                    comment: text("comment"),
                    request_id: text("request_id"),
                    correlation_id: text("correlation_id"),
                    job_id: text("job_id"),
                    source: text("source"),
                    remote_ip: text("remote_ip"),
                    metadata: row.get("meta").filter(|meta| !meta.is_null()).cloned(),
                }
            })
            .collect()
    }
}

type NText = Nullable<Text>;

/// The columns of `audit_actions` as the queries select them.
pub type ActionSql = (
    BigInt,
    Nullable<BigInt>,
    Timestamptz,
    Text,
    NText,
    NText,
    Text,
    NText,
    Text,
    NText,
    NText,
    (NText, NText, NText, NText, NText, Nullable<Jsonb>),
);

/// The same as a select list on `a`.
pub(crate) const ACTION_COLUMNS: &str = "a.id, a.transaction_id, a.occurred_at, a.name, a.category, a.verb, \
     a.actor_type, a.actor_id, a.status, a.reason, a.comment, \
     a.request_id, a.correlation_id, a.job_id, a.source, abbrev(a.remote_ip), a.meta";

impl Queryable<ActionSql, Pg> for AuditAction {
    type Row = (
        i64,
        Option<i64>,
        AnyTime,
        String,
        Option<String>,
        Option<String>,
        String,
        Option<String>,
        String,
        Option<String>,
        Option<String>,
        (
            Option<String>,
            Option<String>,
            Option<String>,
            Option<String>,
            Option<String>,
            Option<AnyJson>,
        ),
    );

    fn build(row: Self::Row) -> deserialize::Result<Self> {
        let (
            id,
            transaction_id,
            occurred_at,
            name,
            category,
            verb,
            actor_type,
            actor_id,
            status,
            reason,
            comment,
            (request_id, correlation_id, job_id, source, remote_ip, metadata),
        ) = row;
        Ok(Self {
            id,
            transaction_id,
            occurred_at: occurred_at.into_inner(),
            name,
            category,
            verb,
            actor: ActorRef::recorded(actor_type, actor_id),
            status: ActionStatus::named(status),
            reason,
            comment,
            request_id,
            correlation_id,
            job_id,
            source,
            remote_ip,
            metadata: metadata.map(AnyJson::into_inner),
        })
    }
}
