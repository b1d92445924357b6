//! The versions of the audit schema. `cargo xtask schema` compiles this file, too.

use super::code::CODE;
use super::script::{Step, Version};

/// Dropping the schema drops the tables of the first version.
const TABLES: Step = Step {
    name: "0001_tables",
    up: include_str!("../../migrations/0001_tables/up.sql"),
    down: "",
    concurrently: &[],
};

/// All versions, oldest first. The newest one has the code of `threadline/sql`. A release
/// freezes it with `cargo xtask freeze`; the next change adds a version with a step of its own
/// and gives the frozen one the code in `threadline/migrations/frozen`.
pub(crate) const VERSIONS: &[Version] = &[Version {
    number: 1,
    step: Some(TABLES),
    code: CODE,
}];
