//! The JSON form of the public records, the same for all writers.

mod open_text;
#[cfg(feature = "schemars")]
pub(crate) mod schema;
mod version;

pub use version::FormatVersion;

pub(crate) use open_text::{open_text, text_column, text_enum};

/// The result of a count.
#[derive(Debug, Clone, serde::Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Count {
    /// The number of entries.
    pub count: u64,
    /// With changes: the number of matching actions that no change shows.
    pub other_actions: Option<u64>,
}

/// Whether the migrations of an application match its models.
#[derive(Debug, Clone, serde::Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Checked {
    /// Whether no migration is missing.
    pub up_to_date: bool,
    /// The missing migrations, one line each.
    pub missing: Vec<String>,
    /// Why the migrations are not up to date, and what to do.
    pub message: Option<String>,
}
