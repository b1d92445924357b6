//! The versions of the audit schema. `cargo xtask schema` compiles this file, too.

use super::code::CODE;
use super::script::{Step, Version};

macro_rules! step {
    ($name:literal) => {
        Some(Step {
            name: $name,
            up: include_str!(concat!("../../migrations/", $name, "/up.sql")),
            down: include_str!(concat!("../../migrations/", $name, "/down.sql")),
            concurrently: &[],
        })
    };
}

macro_rules! frozen_code {
    ($name:literal) => {
        include_str!(concat!("../../migrations/frozen/", $name, ".sql"))
    };
}

/// Dropping the schema drops the tables of the first version.
const TABLES: Step = Step {
    name: "0001_tables",
    up: include_str!("../../migrations/0001_tables/up.sql"),
    down: "",
    concurrently: &[],
};

/// All versions, oldest first. The newest one has the code of `threadline/sql`. A release
/// freezes it with `cargo xtask freeze`, and the next change starts a new version.
pub(crate) const VERSIONS: &[Version] = &[
    Version {
        number: 1,
        step: Some(TABLES),
        code: frozen_code!("v1_code"),
    },
    Version {
        number: 2,
        step: step!("0002_operations"),
        code: CODE,
    },
];
