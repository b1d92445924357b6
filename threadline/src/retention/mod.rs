//! Retention of the audit, and legal holds.

mod hold;
mod purge;

pub use hold::{Hold, release_hold};
pub use purge::{PurgePreview, purge, purge_preview};
