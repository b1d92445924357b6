//! The recorded data of a record, in Rust and as JSON.

mod change;
mod conflict;
mod diff;
mod display;
pub(crate) mod portable;
mod row;
mod transaction;
mod unavailable;
mod unavailable_form;

pub use change::{AuditChange, Operation};
pub use conflict::RevertConflict;
pub use diff::{Diff, FieldDiff, PriorState};
pub use display::{DisplayStyle, NOBODY, TIME_FORMAT, actor_name, clean, plain, table_name};
pub use transaction::{AuditTransaction, ContextOrigin};
pub use unavailable::{OpenTransaction, Unavailable};

pub(crate) use display::via;
pub(crate) use row::{AnyJson, AnyTime, CHANGE_COLUMNS, ChangeSql, TransactionSql};
