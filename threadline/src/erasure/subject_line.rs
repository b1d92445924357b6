//! The lines of a [`SubjectExport`](super::SubjectExport).

use chrono::{DateTime, Utc};
use diesel::QueryableByName;
use diesel::sql_types::{Array, BigInt, Nullable, Text, Timestamptz};
use serde::Serialize;

use super::list::Erased;
use crate::action::AuditAction;
use crate::forms::FormatVersion;
#[cfg(feature = "schemars")]
use crate::forms::schema::Instant;
use crate::record::{AuditChange, AuditTransaction, portable};

/// A line of the output of `SubjectExport`: a record with its kind.
#[derive(Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum SubjectLine {
    /// A change of the person's record, or of a row that belonged to them.
    Change(Box<AuditChange>),
    /// A transaction of the person as an actor.
    Transaction(Box<AuditTransaction>),
    /// An action of the person as an actor.
    Action(Box<AuditAction>),
    /// A legal hold on the person's record.
    Hold(Held),
    /// An erasure of the person's values.
    Erasure(Erased),
    /// The last line. Without it, the export is incomplete.
    End(SubjectEnd),
}

/// A recorded `Hold`.
#[derive(Debug, Serialize, QueryableByName)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub(crate) struct Held {
    /// The number by which it is released.
    #[diesel(sql_type = BigInt)]
    id: i64,
    /// The reason.
    #[diesel(sql_type = Text)]
    reason: String,
    /// The schema of the table.
    #[diesel(sql_type = Text)]
    schema: String,
    /// The table that is held, or whose record is held.
    #[diesel(sql_type = Text)]
    table: String,
    /// Every key of the record that is held. `None` if the whole table is held.
    #[diesel(sql_type = Nullable<Array<Text>>)]
    record_keys: Option<Vec<String>>,
    /// The actor whose changes are held, such as `user:42`.
    #[diesel(sql_type = Nullable<Text>)]
    actor: Option<String>,
    /// The correlation id whose changes are held.
    #[diesel(sql_type = Nullable<Text>)]
    correlation_id: Option<String>,
    /// The time at which it was placed.
    #[diesel(sql_type = Timestamptz)]
    #[serde(with = "portable::instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Instant"))]
    placed_at: DateTime<Utc>,
    /// The role that placed it.
    #[diesel(sql_type = Text)]
    placed_by: String,
    /// The time at which it was released. `None` if it is in force.
    #[diesel(sql_type = Nullable<Timestamptz>)]
    #[serde(with = "portable::optional_instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Instant>"))]
    released_at: Option<DateTime<Utc>>,
    /// The role that released it.
    #[diesel(sql_type = Nullable<Text>)]
    released_by: Option<String>,
}

/// The last line of the output of `SubjectExport`.
#[derive(Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub(crate) struct SubjectEnd {
    pub(super) format_version: FormatVersion,
    /// The time at which it was written.
    #[serde(with = "portable::instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Instant"))]
    pub(super) generated_at: DateTime<Utc>,
    /// The table of the person's record.
    pub(super) table: String,
    /// The key of the record.
    pub(super) record_key: String,
    /// The number of lines before this one.
    pub(super) count: u64,
}
