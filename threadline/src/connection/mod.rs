//! What the library asks of a connection, blocking or not.

#[cfg(feature = "diesel-async")]
mod asynchronous;
mod audit_connection;
mod blocking;
#[cfg(feature = "postgres")]
mod plain;

pub use audit_connection::{AuditConnection, StreamConnection};
pub use blocking::{BlockingConnection, ready};

#[cfg(feature = "diesel-async")]
pub(crate) use asynchronous::Asynchronous;
#[cfg(feature = "postgres")]
pub(crate) use audit_connection::EachRow;
pub(crate) use audit_connection::{BuildRow, Columns};
#[cfg(feature = "audited-connection")]
pub(crate) use plain::is_plain;
#[cfg(feature = "postgres")]
pub(crate) use plain::plainly;
