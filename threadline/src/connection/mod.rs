//! The operations that the library needs of a connection, blocking or not.

#[cfg(feature = "diesel-async")]
pub(crate) mod asynchronous;
pub(crate) mod audit_connection;
mod blocking;
#[cfg(any(feature = "postgres", feature = "audited-connection"))]
mod plain;

pub use audit_connection::{AuditConnection, StreamConnection};
pub use blocking::{BlockingConnection, ready};

#[cfg(feature = "diesel-async")]
pub(crate) use asynchronous::Asynchronous;
pub(crate) use audit_connection::{BuildRow, Columns, EachRow};
#[cfg(feature = "audited-connection")]
pub(crate) use plain::is_plain;
#[cfg(feature = "postgres")]
pub(crate) use plain::plainly;
