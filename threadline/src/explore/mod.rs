//! The questions of an incident: who did what, and all of what was done
//! together.

mod actor_history;
mod blame;
mod page;
mod report;
mod typed;

pub use actor_history::{ActorEntry, ActorHistory, actor_history};
pub use blame::Blame;
pub use page::{Cursor, Page};
pub use report::{TransactionReport, correlated, transaction};

pub(crate) use blame::blame;
