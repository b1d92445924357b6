//! How long the audit is kept, and what is kept from being removed.

mod hold;
mod purge;

pub use hold::{Hold, release_hold};
pub use purge::{PurgePreview, purge, purge_preview};
