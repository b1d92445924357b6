//! The legal rights of a person: erasure of recorded values, and access to the recorded
//! data.

mod erase;
mod list;
#[cfg(feature = "export")]
mod subject;
#[cfg(feature = "export")]
mod subject_form;
#[cfg(feature = "export")]
mod subject_line;

pub use erase::{Erasure, resume_erasure};
pub use list::{Erased, TextsLeft, erasures};
#[cfg(feature = "export")]
pub use subject::SubjectExport;
#[cfg(all(feature = "export", feature = "schemars"))]
pub(crate) use subject_line::SubjectLine;
