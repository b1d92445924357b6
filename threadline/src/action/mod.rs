//! What the application meant: semantic events beside the changes of rows.

mod audit_action;
mod failure;
mod record;
mod suspend;
mod unmasked;

pub use audit_action::{ActionStatus, AuditAction};
pub use record::{Action, ActionError, record_action};
pub use suspend::suspend;
pub use unmasked::unmasked;

pub(crate) use audit_action::{ACTION_COLUMNS, ActionSql};
pub(crate) use failure::kind_of;
pub(crate) use record::record_in;
#[cfg(feature = "diesel-async")]
pub(crate) use unmasked::begin_unmasked;
