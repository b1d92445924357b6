//! What was there at an instant, and putting it back.

mod all_as_of;
mod as_of;
pub(crate) mod outcome;
mod unavailable;
mod unavailable_form;

pub use all_as_of::{PastRecord, PastRecords, rows_as_of};
pub use as_of::as_of_json;
pub use unavailable::{OpenTransaction, Unavailable};

pub(crate) use all_as_of::load_all_as_of;
pub(crate) use as_of::load_as_of;
