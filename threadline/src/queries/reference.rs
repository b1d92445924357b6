use std::fmt;

use serde::{Deserialize, Serialize};

use crate::forms::text_enum;

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

text_enum! {
    /// The effect of an update on a reference.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub enum Moved: "The effect of an update on a reference" {
        /// The row refers to the record from this change on.
        In = "in",
        /// The row no longer refers to the record from this change on.
        Out = "out",
        /// A value that a newer version recorded and this version does not know.
        Unrecognized(String),
    }

    /// Returns `in` or `out`.
    pub fn as_str;
}

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
