//! The audit schema itself, and putting it and the policies into a database.

mod installer;
mod patches;
mod policy;
mod protection;

pub use installer::{ModelStatus, Status};
pub use protection::Protection;

pub(crate) use installer::{installed_version, model_status, watched};
pub(crate) use patches::{PATCHES, SCHEMA_VERSION};
pub(crate) use policy::{PolicyCall, unaudit_call};
