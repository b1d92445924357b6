//! Actions: semantic events of the application beside the changes of rows.

mod audit_action;
mod builder;

pub use audit_action::{ActionStatus, AuditAction};
pub use builder::{Action, ActionError};

pub(crate) use audit_action::{ACTION_COLUMNS, ActionSql};
