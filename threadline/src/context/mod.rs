//! Who acts, and on whose behalf: from the application to the database.

mod actor;
mod audit_context;
mod scope;
mod transaction;

pub use actor::{ActorRef, ActorType};
pub use audit_context::{AuditContext, AuditContextBuilder, ContextError};
pub use scope::ContextGuard;
pub use transaction::{AuditConnection, AuditExt};

pub(crate) use audit_context::Origin;

use actor::MAX_ID_BYTES;

/// What PostgreSQL or a reader could not take, said before it is too late.
fn check_text(field: &'static str, value: &str) -> Result<(), ContextError> {
    if value.contains('\0') {
        return Err(ContextError::NulByte { field });
    }
    if value.len() > MAX_ID_BYTES {
        return Err(ContextError::TooLong {
            field,
            bytes: value.len(),
            limit: MAX_ID_BYTES,
        });
    }
    Ok(())
}
