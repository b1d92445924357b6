//! What was there at an instant, and putting it back.

mod all_as_of;
mod as_of;
mod unavailable;

pub use all_as_of::PastRecord;
pub use unavailable::{OpenTransaction, Unavailable};

pub(crate) use all_as_of::load_all_as_of;
#[cfg(feature = "cli")]
pub(crate) use all_as_of::rows_as_of;
#[cfg(feature = "cli")]
pub(crate) use as_of::as_of_json;
pub(crate) use as_of::{load_as_of, load_as_of_json};
