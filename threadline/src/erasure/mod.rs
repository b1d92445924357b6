//! What the law gives a person: that recorded values become unreadable, and to see what is
//! on record.

mod erase;
mod list;
#[cfg(feature = "export")]
mod subject;

pub use erase::{Erasure, resume_erasure};
pub use list::{Erased, erasures};
#[cfg(feature = "export")]
pub use subject::SubjectExport;
