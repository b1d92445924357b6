//! Transactions under a context, and the actions recorded in them.

#[cfg(feature = "diesel-async")]
mod async_ext;
#[cfg(feature = "audited-connection")]
mod audited_connection;
mod builder;
mod open;
mod privileged;
mod record_action;
mod suspend;
mod transaction;
mod unmasked;

#[cfg(feature = "diesel-async")]
pub use async_ext::{AsyncAuditExt, AsyncWork, TransactionWork};
#[cfg(all(feature = "audited-connection", feature = "r2d2"))]
pub use audited_connection::AutocommitInContext;
#[cfg(feature = "audited-connection")]
pub use audited_connection::{AuditedConnection, AuditedTransactionManager, AutocommitLoad};
pub use builder::AuditedTransactionBuilder;
#[cfg(feature = "diesel-async")]
pub use builder::Awaited;
pub use record_action::record_action;
pub use suspend::suspend;
pub use transaction::AuditExt;
pub use unmasked::unmasked;

pub(crate) use open::Open;
pub(crate) use record_action::record_in;
#[cfg(feature = "diesel-async")]
pub(crate) use unmasked::begin_unmasked;
