//! The JSON form of the public records: one, whoever writes it.

mod open_text;
#[cfg(feature = "schemars")]
pub(crate) mod schema;
mod version;

pub use version::FormatVersion;

pub(crate) use open_text::open_text;

/// How many there are.
#[derive(Debug, Clone, serde::Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Count {
    /// The entries.
    pub count: u64,
    /// Of changes: how many actions match that no change shows.
    pub other_actions: Option<u64>,
}

/// Whether an application's migrations are those of its models.
#[derive(Debug, Clone, serde::Serialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
pub struct Checked {
    /// Whether no migration is missing.
    pub up_to_date: bool,
    /// What would be written, one line each.
    pub missing: Vec<String>,
    /// Why the migrations are not up to date, and what to do.
    pub message: Option<String>,
}
