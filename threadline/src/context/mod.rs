//! The context of changes: actor, request and origin.

mod actor;
mod audit_context;
mod carried;
mod in_context;
pub(crate) mod limits;
mod not_future;
pub(crate) mod recorded_actor;
mod scope;

pub use actor::{ActorRef, ActorType};
pub use audit_context::{AuditContext, AuditContextBuilder, ContextError};
pub use in_context::{InContext, InContextExt};

pub(crate) use audit_context::Origin;
