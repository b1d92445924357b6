use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::forms::open_text;
#[cfg(feature = "schemars")]
use crate::forms::schema::Columns;
use crate::record::portable;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Changes are lost, recorded wrongly, or have been.
    Error,
    /// Nothing is lost yet, or what was lost cannot be told.
    Warning,
    /// To be known.
    Info,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        })
    }
}

/// The codes with what they mean: one list, of which everything else is made.
macro_rules! codes {
    ($($(#[$doc:meta])+ $name:ident $text:literal $severity:ident,)+) => {
        /// What was found. As text it is stable: `trigger-missing`.
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FindingCode {
            $($(#[$doc])+ $name,)+
            /// What only a newer version of the audit schema or of this crate finds. It counts
            /// as an error, as nobody can say that it is harmless.
            Unrecognized(String),
        }

        impl FindingCode {
            /// Every code that this version knows.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// The code as text.
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$name => $text,)+
                    Self::Unrecognized(text) => text,
                }
            }

            /// How bad it is.
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
    /// A capture trigger is not there.
    TriggerMissing "trigger-missing" Error,
    /// A capture trigger does not fire.
    TriggerDisabled "trigger-disabled" Error,
    /// A further trigger calls the table's capture function. It records nothing.
    TriggerDuplicated "trigger-duplicated" Warning,
    /// A capture trigger is not as it was made, or fires when it should not.
    TriggerAltered "trigger-altered" Error,
    /// A trigger calls the capture function of another table: one that was made by hand,
    /// or that a detached partition kept. It records nothing.
    TriggerStray "trigger-stray" Warning,
    /// A capture function is not what was written, or not there.
    FunctionAltered "function-altered" Error,
    /// A partition's row trigger is not there or does not fire.
    PartitionUnseen "partition-unseen" Error,
    /// A partition came since: a `TRUNCATE` of it alone leaves no trace.
    PartitionTruncateUnseen "partition-truncate-unseen" Warning,
    /// A partition was detached or dropped; by which role and when, where
    /// `threadline.watch()` saw it. `threadline.refresh()` notes that it was seen.
    PartitionLeft "partition-left" Info,
    /// The table became a partition of another.
    TableAttached "table-attached" Warning,
    /// Columns were added, dropped, renamed or given other types since the capture
    /// was built. Of a table with redaction, new columns are not recorded.
    ColumnsChanged "columns-changed" Error,
    /// Columns were added to a table without redaction since the capture was built. They
    /// are recorded.
    ColumnsAdded "columns-added" Info,
    /// The primary key is another than the one by which records are kept.
    KeyChanged "key-changed" Error,
    /// The capture is of an older version.
    CaptureOutdated "capture-outdated" Warning,
    /// The table was restored since its capture was built.
    TableRestored "table-restored" Warning,
    /// The table was created anew, and is not audited.
    TableRecreated "table-recreated" Error,
    /// The table was dropped without a word to the audit.
    TableDropped "table-dropped" Info,
    /// The table is captured, and its policy is not on record.
    PolicyMissing "policy-missing" Error,
    /// The policy in force is another than the model's.
    PolicyDiffers "policy-differs" Error,
    /// The policy in force replaced that of the model: this process is older than the
    /// database, as in a rolling deploy. Only [`Models::health`](crate::Models::health)
    /// tells it from `policy-differs`.
    PolicyReplaced "policy-replaced" Info,
    /// The table of a model is not audited.
    ModelNotAudited "model-not-audited" Error,
    /// The table of a model does not exist.
    ModelTableMissing "model-table-missing" Error,
    /// A column looks secret by its name, is recorded as it is, and nobody said that
    /// it may be.
    SecretLooking "secret-looking" Warning,
    /// The table has the name of an audited one, which is called otherwise now; nobody
    /// audits it.
    TableReplaced "table-replaced" Warning,
    /// Nobody audits the table.
    TableUnaudited "table-unaudited" Info,
    /// A change did not find what the change before it had left.
    ChainBroken "chain-broken" Error,
    /// A row is not what its last change left.
    RowAltered "row-altered" Error,
    /// A row is gone, and no change says so.
    RowMissing "row-missing" Error,
    /// A row is there that was deleted, and no change says how it came back.
    RowUnrecorded "row-unrecorded" Error,
    /// An erasure was begun and is not done: it was stopped, or what it is about is held.
    ErasureUnfinished "erasure-unfinished" Warning,
    /// Values of a person were recorded after they had been erased.
    ErasedRecordedAgain "erased-recorded-again" Warning,
    /// Some of the newest transactions have no actor.
    Unattributed "unattributed" Info,
    /// Somebody who may had capture suspended, and what was written meanwhile is not
    /// recorded.
    CaptureSuspended "capture-suspended" Info,
    /// The table's audit was stopped and began again, and what was written meanwhile is
    /// not recorded.
    AuditInterrupted "audit-interrupted" Info,
    /// A command took triggers of the audit from a table, detached a partition that came
    /// back, or dropped the table; they may be back since. What was written meanwhile is not recorded.
    TriggersChanged "triggers-changed" Warning,
    /// An object in the schema of the audit was not installed by Threadline, is not as it
    /// was installed, or belongs to another role than the schema.
    AuditAltered "audit-altered" Error,
    /// The audit has an owner of its own, and another role can write to it, or can become
    /// its owner.
    AuditExposed "audit-exposed" Error,
    /// The objects in the schema of the audit could not be compared with those that were
    /// installed.
    AuditUnchecked "audit-unchecked" Warning,
    /// The database has no audit schema.
    SchemaMissing "schema-missing" Error,
    /// The audit schema is older than this crate.
    SchemaOutdated "schema-outdated" Error,
    /// The audit schema is newer than this crate, as in a rolling deploy.
    SchemaNewer "schema-newer" Info,
    /// Much waits in the journal, or since long: answers take longer, and nobody posts.
    JournalWaiting "journal-waiting" Warning,
    /// Entries of the journal could not be posted; they are in `threadline.unposted`.
    EntriesSetAside "entries-set-aside" Error,
    /// The sequence of ids is behind the ledger, after a restore or a switch-over.
    SequenceBehind "sequence-behind" Error,
    /// The table's history could not be compared with its rows.
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

    /// What is wrong with some records, which were written past the triggers.
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
                "row is gone, and no recorded change says so",
                "rows are gone, and no recorded change says so",
            ),
            _ => (
                "row is there that was deleted, and no recorded change says how it came back",
                "rows are there that were deleted, and no recorded change says how they came back",
            ),
        };
        format!("{records} {}", if records == 1 { one } else { many })
    }
}

impl fmt::Display for FindingCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

open_text!(
    FindingCode,
    FindingCode::recorded,
    "What was found, as in trigger-missing; a newer version may find what this one does not know."
);

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Finding {
    /// What.
    pub code: FindingCode,
    /// How bad it is: of a code that is not known here, as whoever wrote it says.
    pub(crate) severity: Severity,
    /// Where: the table's qualified name, quoted as in SQL.
    pub table: Option<String>,
    /// The same for people.
    pub message: String,
    /// The SQL that fixes it. For what was written past the triggers, which nothing
    /// can bring back: the SQL that takes what is there now as the beginning, once
    /// it has been looked into. What was before cannot be asked for then.
    pub fix: Option<String>,
    /// How many records disagree, where records do; of `unattributed`, how many transactions
    /// have no actor.
    #[serde(default)]
    pub records: i64,
    /// Some of them.
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

    /// How bad it is.
    pub fn severity(&self) -> Severity {
        self.severity
    }
}

/// A record whose changes do not agree. What the policy masks or excludes is not
/// shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct BrokenRecord {
    /// Its key, such as `{"id": 42}`.
    #[serde(default, with = "portable::optional")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Columns>"))]
    pub key: Option<Value>,
    /// The change that did not find what was expected, or, where the row does not
    /// agree, the last one.
    pub change_id: i64,
    /// The transaction of that change.
    pub transaction_id: i64,
    /// What the recorded changes say, of the columns that differ; `None` for no row.
    #[serde(default, with = "portable::optional")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Columns>"))]
    pub expected: Option<Value>,
    /// What is shown instead; `None` for no row.
    #[serde(default, with = "portable::optional")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Columns>"))]
    pub found: Option<Value>,
}
