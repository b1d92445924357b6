//! Reading what was recorded.

mod change;
mod diff;
mod display;
pub(crate) mod fit;
mod history;
mod history_with;
pub(crate) mod portable;
mod row;
pub(crate) mod statement;
mod transaction;
mod versions;

pub use change::{AuditChange, Operation};
pub use diff::{Diff, FieldDiff, PriorState};
pub use history::{History, TextKey, history};
pub use history_with::{HistoryWith, Referring};
pub use transaction::{AuditTransaction, ContextOrigin};
pub use versions::{Version, VersionedModel};

pub(crate) use display::via;
pub use display::{DisplayStyle, clean, plain};
pub(crate) use history::STORY;
pub(crate) use row::{AnyJson, AnyTime, ChangeSql, TransactionSql};
