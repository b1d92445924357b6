//! Installation of the audit schema and the policies in a database.

mod code;
mod installer;
#[cfg(feature = "diesel-async")]
mod migrate_async;
mod model_status;
mod protection;
mod run_pending;
mod script;
mod versions;

pub use installer::{Status, TableStatus};
pub use model_status::ModelStatus;
pub use protection::Protection;
pub use run_pending::run_pending_migrations;

pub(crate) use installer::model_status;
pub use installer::{owner, watched};
#[cfg(test)]
pub(crate) use script::Index;
pub(crate) use script::{Schema, Step, Version, Way};
pub(crate) use versions::VERSIONS;

const _: () = assert!(
    VERSIONS[VERSIONS.len() - 1].number == crate::version::SCHEMA_VERSION,
    "the newest version is the one that the crate works with"
);
