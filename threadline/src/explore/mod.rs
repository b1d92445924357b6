//! The questions of an incident: who did what, and all of what was done
//! together.

mod actor_history;
mod blame;
mod filter;
mod filter_error;
mod filter_parse;
mod filter_table;
mod filter_values;
mod page;
mod report;
mod summary;
mod timeline;
mod typed;

pub use actor_history::{ActorEntry, ActorHistory, actor_history};
pub use blame::Blame;
pub use filter::{Filter, RecordKey};
pub use filter_error::FilterError;
pub use page::{Cursor, Page};
pub use report::{TransactionReport, correlated, transaction};
pub use summary::{ActorCount, DayCount, OperationCount, Summary, TableCount, summary};

pub use timeline::{Timeline, TimelineEntry, timeline};

pub(crate) use blame::blame;
#[cfg(feature = "cli")]
pub(crate) use filter_parse::{Day, FILTERS, instant};
pub(crate) use report::change_by_id;
#[cfg(feature = "export")]
pub(crate) use timeline::{ExportSql, Plan};
pub(crate) use typed::{Bind, Typed};
