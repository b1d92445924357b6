//! The state of records at an instant, and after each change.

mod all_as_of;
mod as_of;
mod fit;
pub(crate) mod outcome;
mod versions;

pub use all_as_of::{PastRecord, PastRecords, rows_as_of};
pub use as_of::as_of_json;
pub use versions::{Version, VersionedModel};
