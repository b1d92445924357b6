//! Queries for incidents: the actions of an actor, and everything that belongs to one
//! transaction or correlation id.

mod actions;
mod actor_history;
mod blame;
mod column_names;
mod gaps;
mod history;
mod keeping;
mod known_table;
mod lookups;
mod other_actions;
mod overview;
mod page;
mod page_request;
mod reference;
mod report;
mod summary;
mod tables;
mod timeline;

pub use actions::{Actions, actions};
pub use actor_history::{ActorEntry, ActorHistory, actor_history};
pub use blame::{Blame, blame, last_changes};
pub use gaps::Gaps;
pub use history::{History, HistoryWith, Referring, TextKey, history};
pub use known_table::{FormerKey, KnownTable, UnseenRemoval, known_table, unseen_removals};
pub use page::{Cursor, Page};
pub use page_request::{PageRequest, PageRules, Question};
pub use reference::{Moved, Reference};
pub use report::{Correlated, TransactionReport, correlated, transaction, transaction_up_to};
pub use summary::{ActorCount, DayCount, OperationCount, Summary, TableCount, summary};
pub use timeline::{
    Timeline, TimelineEntry, count_within_reach, page_within_reach, timeline, with_tables,
};

pub use keeping::{HoldInForce, holds, terms};
pub use lookups::{ForeignKey, action_by_id, ends_of, foreign_keys, image_within, record_now};
pub use overview::{Overview, overview, overview_and_page, overview_within_reach};
pub use tables::{TableInfo, tables};

pub(crate) use history::RECORD_CHANGES;
#[cfg(feature = "utoipa")]
pub(crate) use page_request::{CURSOR, LIMIT};
pub(crate) use report::change_by_id;
#[cfg(feature = "export")]
pub(crate) use timeline::{ExportSql, Plan};
