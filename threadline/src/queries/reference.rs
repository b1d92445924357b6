use std::fmt;

use serde::{Deserialize, Serialize};

use crate::forms::open_text;

/// How the row of a change referred to the record whose history was asked for
/// [with](crate::History::with) that of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Reference {
    /// By which columns, as `posts.user_id`; of rows that refer to such rows, from the
    /// record on: `versions.crate_id/dependencies.version_id`.
    pub through: String,
    /// Whether this update is the one by which the row came to refer to the record, or
    /// ceased to. `None` for updates between, insertions and deletions.
    pub moved: Option<Moved>,
}

/// What an update did to a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Moved {
    /// The row refers to the record since.
    In,
    /// The row has ceased to refer to the record.
    Out,
    /// What a newer version wrote and this version does not know.
    Unrecognized(String),
}

impl Moved {
    /// `in` or `out`.
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

impl fmt::Display for Moved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

open_text!(
    Moved,
    Moved::named,
    "What an update did to a reference: in, out, or what a newer version knows."
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
