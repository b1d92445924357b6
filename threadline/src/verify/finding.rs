use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

#[cfg(feature = "schemars")]
use crate::forms::schema::Columns;
use crate::forms::{open_text, text_enum};
use crate::record::{clean, portable};

text_enum! {
    /// How severe a finding is.
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub enum Severity: "How severe a finding is" {
        /// Changes are lost or recorded wrongly, or were.
        Error = "error",
        /// Nothing is lost yet, or the loss cannot be determined.
        Warning = "warning",
        /// A notice.
        Info = "info",
        /// A severity that a newer version recorded and this version does not know.
        Unrecognized(String),
    }

    /// Returns `error`, `warning` or `info`.
    pub fn as_str;
}

/// The one list of codes with their meanings, from which everything else is generated.
macro_rules! codes {
    ($($(#[$doc:meta])+ $name:ident $text:literal $severity:ident,)+) => {
        /// The kind of a finding. Its text form is stable: `trigger-missing`.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FindingCode {
            $($(#[$doc])+ $name,)+
            /// A finding that only a newer version of the audit schema or of this crate
            /// makes. It counts as an error, because it cannot be assumed harmless.
            Unrecognized(String),
        }

        impl FindingCode {
            /// All codes that this version knows.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Returns the code as text.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $text,)+
                    Self::Unrecognized(text) => text,
                }
            }

            /// Returns the severity of the code.
            pub fn severity(&self) -> Severity {
                match self {
                    $(Self::$name => Severity::$severity,)+
                    Self::Unrecognized(_) => Severity::Error,
                }
            }
        }
    };
}

codes! {
    /// A capture trigger is missing.
    TriggerMissing "trigger-missing" Error,
    /// A capture trigger does not fire.
    TriggerDisabled "trigger-disabled" Error,
    /// Another trigger calls the capture function of the table. It records nothing.
    TriggerDuplicated "trigger-duplicated" Warning,
    /// A capture trigger was altered, or fires when it should not.
    TriggerAltered "trigger-altered" Error,
    /// A trigger calls the capture function of another table. It was created by hand, or a
    /// detached partition kept it. It records nothing.
    TriggerStray "trigger-stray" Warning,
    /// A capture function was altered or is missing.
    FunctionAltered "function-altered" Error,
    /// The row trigger of a partition is missing or does not fire.
    PartitionUnseen "partition-unseen" Error,
    /// A partition was added since the capture was built: a `TRUNCATE` of that partition
    /// alone is not recorded.
    PartitionTruncateUnseen "partition-truncate-unseen" Warning,
    /// A partition was detached or dropped. If `threadline.watch()` recorded it, the
    /// message has the role and the time. `threadline.refresh()` acknowledges it.
    PartitionLeft "partition-left" Info,
    /// The table became a partition of another.
    TableAttached "table-attached" Warning,
    /// Columns of a table with redaction were added, dropped, renamed or given other types
    /// since the capture was built. New columns are not recorded.
    ColumnsChanged "columns-changed" Error,
    /// Columns of a table without redaction were dropped, renamed or given other types
    /// since the capture was built. All columns are recorded.
    ColumnsOutdated "columns-outdated" Warning,
    /// Columns were added to a table without redaction since the capture was built. They
    /// are recorded.
    ColumnsAdded "columns-added" Info,
    /// The primary key differs from the one by which records are identified.
    KeyChanged "key-changed" Error,
    /// The capture was built by an older version.
    CaptureOutdated "capture-outdated" Warning,
    /// The table was restored since its capture was built.
    TableRestored "table-restored" Warning,
    /// The table was created anew, and is not audited.
    TableRecreated "table-recreated" Error,
    /// The table was dropped without ending its audit.
    TableDropped "table-dropped" Info,
    /// The table is captured, but its policy is not recorded.
    PolicyMissing "policy-missing" Error,
    /// The policy in force differs from that of the model.
    PolicyDiffers "policy-differs" Error,
    /// The policy in force replaced that of the model: this process is older than the
    /// database, as in a rolling deploy. Only [`Models::health`](crate::Models::health)
    /// distinguishes it from `policy-differs`.
    PolicyReplaced "policy-replaced" Info,
    /// The table of a model is not audited.
    ModelNotAudited "model-not-audited" Error,
    /// The table of a model does not exist.
    ModelTableMissing "model-table-missing" Error,
    /// A column whose name suggests a secret is recorded as it is, without an explicit
    /// policy.
    SecretLooking "secret-looking" Warning,
    /// The table has the former name of an audited table that was renamed, and is not
    /// audited.
    TableReplaced "table-replaced" Warning,
    /// The table is not audited.
    TableUnaudited "table-unaudited" Info,
    /// A change did not find the row as the change before it had left it.
    ChainBroken "chain-broken" Error,
    /// A row differs from what its last change left.
    RowAltered "row-altered" Error,
    /// A row is gone without a recorded change.
    RowMissing "row-missing" Error,
    /// A deleted row exists again without a recorded change.
    RowUnrecorded "row-unrecorded" Error,
    /// An erasure was begun and is not complete: it was stopped, or its data is under a
    /// legal hold.
    ErasureUnfinished "erasure-unfinished" Warning,
    /// Values of a person were recorded after an erasure.
    ErasedRecordedAgain "erased-recorded-again" Warning,
    /// Changes may contain values of an erased person: under a name of no column that the
    /// audit knows; or a legal hold kept them, and a purge removed the changes that named
    /// their owner.
    ErasureUnreached "erasure-unreached" Warning,
    /// Some of the newest transactions have no actor.
    Unattributed "unattributed" Info,
    /// An authorized role suspended capture. Changes meanwhile are not recorded.
    CaptureSuspended "capture-suspended" Info,
    /// The audit of the table was stopped and started again. Changes meanwhile are not
    /// recorded.
    AuditInterrupted "audit-interrupted" Info,
    /// A command removed audit triggers from a table, detached a partition that was
    /// attached again, or dropped the table. The triggers may be back. Changes meanwhile
    /// are not recorded.
    TriggersChanged "triggers-changed" Warning,
    /// The owner of the audit has no right to read the table, or row-level security hides
    /// rows from it: a `TRUNCATE` would be recorded without its rows.
    TableUnreadable "table-unreadable" Warning,
    /// A `TRUNCATE` removed rows of which neither the content nor the number is recorded:
    /// the owner of the audit had no right to read them, or the snapshot of the transaction
    /// did not contain them.
    TruncateUnseen "truncate-unseen" Warning,
    /// An object in the audit schema was not installed by Threadline, was altered, or
    /// belongs to another role than the schema.
    AuditAltered "audit-altered" Error,
    /// The audit has its own owner, but another role can write to it or become its owner.
    AuditExposed "audit-exposed" Error,
    /// The objects in the audit schema could not be compared with those that were
    /// installed.
    AuditUnchecked "audit-unchecked" Warning,
    /// The database has no audit schema.
    SchemaMissing "schema-missing" Error,
    /// The audit schema is older than this crate.
    SchemaOutdated "schema-outdated" Error,
    /// The audit schema is newer than this crate, as in a rolling deploy.
    SchemaNewer "schema-newer" Info,
    /// Many entries wait in the journal, or have waited for long: queries take longer, and
    /// no worker posts.
    JournalWaiting "journal-waiting" Warning,
    /// Entries of the journal could not be posted. They are in `threadline.unposted`.
    EntriesSetAside "entries-set-aside" Error,
    /// The id sequence is behind the ledger, after a restore or a switchover.
    SequenceBehind "sequence-behind" Error,
    /// Old changes are gone, and no purge removed them. They were deleted by hand, and queries
    /// about the past do not know of them.
    ChangesMissing "changes-missing" Warning,
    /// The history of the table could not be compared with its rows.
    ChainUnchecked "chain-unchecked" Warning,
}

impl FindingCode {
    pub(crate) fn recorded(text: String) -> Self {
        Self::ALL
            .iter()
            .find(|code| code.as_str() == text)
            .cloned()
            .unwrap_or(Self::Unrecognized(text))
    }

    /// Describes records that were written bypassing the triggers.
    pub(super) fn of_records(&self, records: i64) -> String {
        let (one, many) = match self {
            Self::ChainBroken => (
                "record was changed between two recorded changes",
                "records were changed between two recorded changes",
            ),
            Self::RowAltered => (
                "row is not what its last recorded change left",
                "rows are not what their last recorded changes left",
            ),
            Self::RowMissing => (
                "row is gone without a recorded change",
                "rows are gone without a recorded change",
            ),
            _ => (
                "deleted row exists again without a recorded change",
                "deleted rows exist again without a recorded change",
            ),
        };
        format!("{records} {}", if records == 1 { one } else { many })
    }
}

open_text!(
    FindingCode,
    FindingCode::recorded,
    "What was found, as in trigger-missing; a newer version may find what this one does not know."
);

/// A problem or notice that a check found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Finding {
    /// The kind of the finding.
    pub code: FindingCode,
    /// The severity. For a code that is not known here, the one that its writer gave it.
    pub(crate) severity: Severity,
    /// The qualified name of the table, quoted as in SQL.
    pub table: Option<String>,
    /// The description of the finding.
    pub message: String,
    /// The SQL that fixes it. A write that bypassed the triggers cannot be recovered; for
    /// it, this SQL accepts the present rows as the new beginning. Run it only after an
    /// investigation: earlier states can no longer be queried then.
    pub fix: Option<String>,
    /// The number of records that disagree, if the finding concerns records. For
    /// `unattributed`, the number of transactions without an actor.
    #[serde(default)]
    pub records: i64,
    /// Some of these records.
    #[serde(default)]
    pub examples: Vec<BrokenRecord>,
}

impl Finding {
    pub(crate) fn new(
        code: FindingCode,
        table: Option<String>,
        message: String,
        fix: Option<String>,
    ) -> Self {
        Self {
            severity: code.severity(),
            code,
            table,
            message,
            fix,
            records: 0,
            examples: vec![],
        }
    }

    /// Returns the severity of the finding.
    pub fn severity(&self) -> Severity {
        self.severity.clone()
    }
}

/// Writes one line, for a log: `error columns-changed in public.members: its columns are
/// not those …`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            severity,
            code,
            table,
            message,
            ..
        } = self;
        let table = clean(table.as_deref().unwrap_or("the database"));
        write!(f, "{severity} {code} in {table}: {}", clean(message))
    }
}

/// A record whose recorded changes are inconsistent. Values that the policy masks or
/// excludes are not shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BrokenRecord {
    /// The key of the record, such as `{"id": 42}`.
    #[serde(default, with = "portable::optional")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Columns>"))]
    pub key: Option<Value>,
    /// The change that did not find the expected values, or the last change if the row
    /// disagrees with it.
    pub change_id: i64,
    /// The transaction of that change.
    pub transaction_id: i64,
    /// The recorded values of the columns that differ; `None` for no row.
    #[serde(default, with = "portable::optional")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Columns>"))]
    pub expected: Option<Value>,
    /// The values found instead; `None` for no row.
    #[serde(default, with = "portable::optional")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Columns>"))]
    pub found: Option<Value>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line() {
        let message = "its columns\nchanged".to_owned();
        let code = FindingCode::ColumnsChanged;
        let finding = Finding::new(code, Some("app.users".to_owned()), message, None);
        let line = finding.to_string();
        let begin = "error columns-changed in app.users: its columns";
        assert!(line.starts_with(begin), "{line}");
        assert!(!line.contains('\n'), "{line}");
    }
}
