#![doc = include_str!("docs/overview.md")]
#![warn(missing_docs)]

// The derive's output names this crate from outside.
extern crate self as threadline;

#[cfg(feature = "cli")]
pub mod cli;

mod context;
mod error;
mod install;
mod migrations;
mod model;
mod record;
mod sql;

pub use context::{
    ActorRef, ActorType, AuditConnection, AuditContext, AuditContextBuilder, AuditExt,
    ContextError, ContextGuard,
};
pub use error::{Error, ErrorKind, is_actor_required};
pub use install::{ModelStatus, Status};
pub use model::{Audited, KeyExpression, KeyOf, Models, Policy, TableSpec};
pub use record::{
    AuditChange, AuditTransaction, ContextOrigin, History, Operation, Unavailable, Version,
    VersionedModel, history,
};
pub use threadline_derive::Audited;

/// What `#[derive(Audited)]` expands to; not for use by hand.
#[doc(hidden)]
pub mod __private {
    pub use diesel;

    pub use crate::model::{
        Audited, CompositeKey, Policy, SingleKey, TableSpec, assert_key, same_name, single_key_name,
    };
}
