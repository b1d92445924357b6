//! Who acts, and on whose behalf: from the application to the database.

mod actor;
mod audit_context;
mod carried;
mod in_context;
pub(crate) mod limits;
mod not_future;
mod scope;
mod transaction;

pub use actor::{ActorRef, ActorType};
pub use audit_context::{AuditContext, AuditContextBuilder, ContextError};
pub use in_context::{InContext, InContextExt};
pub use transaction::{AuditConnection, AuditExt};

pub(crate) use audit_context::Origin;
