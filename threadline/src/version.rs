//! The version of the audit schema.

/// The version that this crate works with.
pub(crate) const SCHEMA_VERSION: i32 = 1;
