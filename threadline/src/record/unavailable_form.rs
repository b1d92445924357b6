use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{OpenTransaction, Unavailable};
#[cfg(feature = "schemars")]
use crate::forms::schema::Instant;
use crate::record::{AuditChange, portable};

/// The reason why a past record is not available as the type of the model.
#[derive(Default, Serialize, Deserialize)]
#[cfg_attr(
    feature = "schemars",
    derive(schemars::JsonSchema),
    schemars(rename = "Unavailable")
)]
#[serde(default)]
struct Form {
    /// never_existed, deleted, key_changed, before_audit, no_longer_kept, not_final, redacted, erased,
    /// converted, incomplete, does_not_fit, or a value of a newer version.
    reason: String,
    /// The reason as a message.
    message: String,
    /// For does_not_fit: the mismatch.
    detail: Option<String>,
    /// For deleted and key_changed: the change that did it.
    change: Option<Box<AuditChange>>,
    /// For before_audit and no_longer_kept: the time since which changes are recorded.
    #[serde(with = "portable::optional_instant")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<Instant>"))]
    since: Option<DateTime<Utc>>,
    /// For not_final: the transactions that are still open, as far as they can be named.
    open: Vec<OpenTransaction>,
    /// For redacted, erased and converted: the columns.
    columns: Vec<String>,
}

impl From<&Unavailable> for Form {
    fn from(unavailable: &Unavailable) -> Self {
        let mut form = Self {
            message: unavailable.to_string(),
            ..Self::default()
        };
        form.reason = match unavailable {
            Unavailable::NeverExisted => "never_existed",
            Unavailable::Deleted { .. } => "deleted",
            Unavailable::KeyChanged { .. } => "key_changed",
            Unavailable::BeforeAudit { .. } => "before_audit",
            Unavailable::NoLongerKept { .. } => "no_longer_kept",
            Unavailable::NotFinal { .. } => "not_final",
            Unavailable::Redacted { .. } => "redacted",
            Unavailable::Erased { .. } => "erased",
            Unavailable::Converted { .. } => "converted",
            Unavailable::Incomplete => "incomplete",
            Unavailable::DoesNotFit { .. } => "does_not_fit",
            Unavailable::Unrecognized { reason, .. } => reason,
        }
        .to_owned();
        match unavailable {
            Unavailable::Deleted { change } | Unavailable::KeyChanged { change } => {
                form.change = Some(change.clone());
            }
            Unavailable::BeforeAudit { since } | Unavailable::NoLongerKept { since } => {
                form.since = Some(*since);
            }
            Unavailable::NotFinal { open } => form.open.clone_from(open),
            Unavailable::Redacted { columns }
            | Unavailable::Erased { columns }
            | Unavailable::Converted { columns } => form.columns.clone_from(columns),
            Unavailable::DoesNotFit { message } => form.detail = Some(message.clone()),
            Unavailable::NeverExisted
            | Unavailable::Incomplete
            | Unavailable::Unrecognized { .. } => {}
        }
        form
    }
}

impl From<Form> for Unavailable {
    fn from(form: Form) -> Self {
        let Form {
            reason,
            message,
            detail,
            change,
            since,
            open,
            columns,
        } = form;
        match (reason.as_str(), change, since, detail) {
            ("never_existed", ..) => Self::NeverExisted,
            ("deleted", Some(change), ..) => Self::Deleted { change },
            ("key_changed", Some(change), ..) => Self::KeyChanged { change },
            ("before_audit", _, Some(since), _) => Self::BeforeAudit { since },
            ("no_longer_kept", _, Some(since), _) => Self::NoLongerKept { since },
            ("not_final", ..) => Self::NotFinal { open },
            ("redacted", ..) => Self::Redacted { columns },
            ("erased", ..) => Self::Erased { columns },
            ("converted", ..) => Self::Converted { columns },
            ("incomplete", ..) => Self::Incomplete,
            ("does_not_fit", _, _, Some(message)) => Self::DoesNotFit { message },
            _ => Self::Unrecognized { reason, message },
        }
    }
}

impl Serialize for Unavailable {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Form::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Unavailable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Form::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(feature = "schemars")]
impl schemars::JsonSchema for Unavailable {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        Form::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Form::json_schema(generator)
    }
}
