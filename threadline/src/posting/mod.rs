//! From the journal into the ledger.

mod post;
mod waiting;
mod worker;

pub use post::post;
pub(crate) use post::post_before_reading;
pub use waiting::{Waiting, waiting};
pub use worker::{Worker, WorkerHandle};
