//! Who acts, and on whose behalf: from the application to the database.

mod actor;
#[cfg(feature = "diesel-async")]
mod async_ext;
#[cfg(feature = "diesel-async")]
mod asynchronous;
mod audit_connection;
mod audit_context;
mod blocking;
mod builder;
mod carried;
#[cfg(feature = "audited-connection")]
mod connection;
mod in_context;
pub(crate) mod limits;
mod not_future;
mod open;
#[cfg(any(feature = "postgres", feature = "audited-connection"))]
mod plain;
pub(crate) mod recorded_actor;
mod scope;
mod transaction;

pub use actor::{ActorRef, ActorType};
#[cfg(feature = "diesel-async")]
pub use async_ext::{AsyncAuditExt, AsyncWork};
pub use audit_connection::{AuditConnection, StreamConnection};
pub use audit_context::{AuditContext, AuditContextBuilder, ContextError};
pub use blocking::BlockingConnection;
pub use builder::AuditedTransactionBuilder;
#[cfg(feature = "diesel-async")]
pub use builder::Awaited;
#[cfg(all(feature = "audited-connection", feature = "r2d2"))]
pub use connection::AutocommitInContext;
#[cfg(feature = "audited-connection")]
pub use connection::{AuditedConnection, AuditedTransactionManager, AutocommitLoad};
pub use in_context::{InContext, InContextExt};
pub use transaction::AuditExt;

#[cfg(any(
    feature = "export-async",
    all(feature = "diesel-async", feature = "testing")
))]
pub(crate) use asynchronous::Asynchronous;
pub(crate) use audit_connection::{BuildRow, Columns, EachRow};
pub(crate) use audit_context::Origin;
pub use blocking::ready;
pub(crate) use open::Open;
#[cfg(feature = "postgres")]
pub(crate) use plain::plainly;
