//! Who acts, and on whose behalf: from the application to the database.

mod actor;
mod audit_context;
mod builder;
mod carried;
#[cfg(feature = "audited-connection")]
mod connection;
mod in_context;
pub(crate) mod limits;
mod not_future;
#[cfg(feature = "postgres")]
mod plain;
pub(crate) mod recorded_actor;
mod scope;
mod transaction;

pub use actor::{ActorRef, ActorType};
pub use audit_context::{AuditContext, AuditContextBuilder, ContextError};
pub use builder::AuditedTransactionBuilder;
#[cfg(all(feature = "audited-connection", feature = "r2d2"))]
pub use connection::AutocommitInContext;
#[cfg(feature = "audited-connection")]
pub use connection::{AuditedConnection, AuditedTransactionManager, AutocommitLoad};
pub use in_context::{InContext, InContextExt};
pub use transaction::{AuditConnection, AuditExt};

pub(crate) use audit_context::Origin;
#[cfg(feature = "postgres")]
pub(crate) use plain::plainly;
