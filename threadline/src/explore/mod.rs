//! The questions of an incident: who did what, and all of what was done
//! together.

mod action_filter;
mod actions;
mod actor_history;
mod binds;
mod blame;
mod conditions;
mod except;
mod filter;
mod filter_error;
mod filter_parse;
mod filter_table;
mod filter_values;
mod keeping;
mod known_table;
mod lookups;
mod named_filter;
mod other_actions;
mod overview;
mod page;
mod page_request;
mod record_history;
mod record_key;
mod reference;
mod report;
mod scope;
mod summary;
mod tables;
mod timeline;
mod typed;

pub use action_filter::ActionFilter;
pub use actions::{Actions, actions};
pub use actor_history::{ActorEntry, ActorHistory, actor_history};
pub use blame::Blame;
pub use filter::Filter;
pub use filter_error::FilterError;
pub use page::{Cursor, Page};
pub use page_request::{PageRequest, PageRules, Question};
pub use record_key::RecordKey;
pub use reference::{Moved, Reference};
pub use report::{Correlated, TransactionReport, correlated, transaction};
pub use scope::{Scope, TableScope};
pub use summary::{ActorCount, DayCount, OperationCount, Summary, TableCount, summary};

pub use timeline::{Timeline, TimelineEntry, timeline};

pub use blame::blame;
pub use filter_parse::{Day, instant, record};
pub use keeping::{HoldInForce, holds, terms};
pub use known_table::{KnownTable, known_table};
pub use lookups::{ForeignKey, action_by_id, ends_of, foreign_keys, image_within, record_now};
pub use named_filter::{Filters, NamedFilter};
pub use overview::{Overview, overview};
#[cfg(feature = "utoipa")]
pub(crate) use page_request::{CURSOR, LIMIT};
pub(crate) use report::change_by_id;
pub use report::transaction_up_to;
pub use tables::{TableInfo, tables};
#[cfg(feature = "export")]
pub(crate) use timeline::{ExportSql, Plan};
pub(crate) use typed::{Bind, Typed};
