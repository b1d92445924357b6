//! Generation of migration folders in the application's `migrations/` from its models.

mod folder;
mod generate;
mod recorded;
mod statements;
mod views;

pub use generate::remarks;
