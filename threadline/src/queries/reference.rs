use std::fmt;

use serde::{Deserialize, Serialize};

use crate::forms::open_text;

/// How a changed row referred to the record, in a history
/// [with](crate::History::with) other rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Reference {
    /// The referring columns, as `posts.user_id`. For rows that refer to such rows, the
    /// path from the record on: `versions.crate_id/dependencies.version_id`.
    pub through: String,
    /// Whether this update made the row refer to the record, or ended that. `None` for
    /// updates in between, insertions and deletions.
    pub moved: Option<Moved>,
}

/// The effect of an update on a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Moved {
    /// The row refers to the record from this change on.
    In,
    /// The row no longer refers to the record from this change on.
    Out,
    /// A value that a newer version recorded and this version does not know.
    Unrecognized(String),
}

impl Moved {
    /// Returns `in` or `out`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::In => "in",
            Self::Out => "out",
            Self::Unrecognized(moved) => moved,
        }
    }

    fn named(moved: String) -> Self {
        match moved.as_str() {
            "in" => Self::In,
            "out" => Self::Out,
            _ => Self::Unrecognized(moved),
        }
    }
}

open_text!(
    Moved,
    Moved::named,
    "The effect of an update on a reference: in, out, or a value of a newer version."
);

/// ```text
/// refers by posts.user_id since this change
/// ```
impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "refers by {}", self.through)?;
        match &self.moved {
            Some(Moved::In) => f.write_str(" since this change"),
            Some(Moved::Out) => f.write_str(" until this change"),
            Some(Moved::Unrecognized(_)) | None => Ok(()),
        }
    }
}
