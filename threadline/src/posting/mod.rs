//! Posting: moving entries from the journal into the ledger.

mod post;
mod waiting;
mod worker;

pub use post::post;
pub(crate) use post::{POST, post_before_reading};
pub(crate) use waiting::how_many_wait;
pub use waiting::{Waiting, waiting};
pub use worker::{Worker, WorkerHandle};
