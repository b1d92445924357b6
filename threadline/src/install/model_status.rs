use crate::forms::open_text;

/// The audit status of a model's table.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ModelStatus {
    /// Audited under the model's policy.
    Current,
    /// Audited under the model's policy. Columns were added, dropped or renamed since the
    /// capture function was built, and all columns are recorded.
    ColumnsAdded,
    /// Audited under a policy that differs from the model's.
    PolicyDiffers,
    /// The columns or the key have changed since the capture function was built, or it was
    /// built by an older version; see `threadline.refresh`.
    CaptureOutdated,
    /// Its triggers are missing, disabled or altered; see `threadline.refresh`.
    TriggersAltered,
    /// The audit schema is older than this crate, which cannot query it.
    SchemaOutdated,
    /// Not audited.
    NotAudited,
    /// The table does not exist.
    TableMissing,
    /// A status that a newer version recorded and this version does not know.
    Unrecognized(String),
}

impl ModelStatus {
    /// Returns the text in the JSON form, such as `current`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Current => "current",
            Self::ColumnsAdded => "columns_added",
            Self::PolicyDiffers => "policy_differs",
            Self::CaptureOutdated => "capture_outdated",
            Self::TriggersAltered => "triggers_altered",
            Self::SchemaOutdated => "schema_outdated",
            Self::NotAudited => "not_audited",
            Self::TableMissing => "table_missing",
            Self::Unrecognized(status) => status,
        }
    }

    fn named(status: String) -> Self {
        match status.as_str() {
            "current" => Self::Current,
            "columns_added" => Self::ColumnsAdded,
            "policy_differs" => Self::PolicyDiffers,
            "capture_outdated" => Self::CaptureOutdated,
            "triggers_altered" => Self::TriggersAltered,
            "schema_outdated" => Self::SchemaOutdated,
            "not_audited" => Self::NotAudited,
            "table_missing" => Self::TableMissing,
            _ => Self::Unrecognized(status),
        }
    }
}

open_text!(
    ModelStatus,
    ModelStatus::named,
    "The audit status of a model's table: current, columns_added, policy_differs, capture_outdated, triggers_altered, schema_outdated, not_audited, table_missing, or a value of a newer version."
);
