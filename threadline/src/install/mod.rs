//! The audit schema itself, and putting it and the policies into a database.

mod installer;
#[cfg(feature = "diesel-async")]
mod migrate_async;
mod model_status;
mod policy;
mod protection;
mod run_pending;
mod script;
mod versions;

pub use installer::{Status, TableStatus};
pub use model_status::ModelStatus;
pub use protection::Protection;
pub use run_pending::run_pending_migrations;
#[cfg(feature = "diesel-async")]
pub use run_pending::{AnyError, Migrates};

pub(crate) use installer::{installed_version, model_status};
pub use installer::{owner, watched};
#[cfg(feature = "diesel-async")]
pub(crate) use migrate_async::run_pending;
pub(crate) use policy::{PolicyCall, as_before, unaudit_call, without_continues};
#[cfg(test)]
pub(crate) use script::{Index, Step, Version};
pub(crate) use script::{Schema, Way};
pub(crate) use versions::VERSIONS;

/// The version of the audit schema that this crate works with.
pub(crate) const SCHEMA_VERSION: i32 = VERSIONS[VERSIONS.len() - 1].number;
