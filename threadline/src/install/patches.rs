/// One step of the audit schema, as a Diesel migration.
#[derive(Debug)]
pub(crate) struct Patch {
    pub(crate) version: i32,
    pub(crate) name: &'static str,
    pub(crate) up: &'static str,
    pub(crate) down: &'static str,
}

macro_rules! patch {
    ($version:literal, $name:literal) => {
        Patch {
            version: $version,
            name: $name,
            up: include_str!(concat!("../../migrations/", $name, "/up.sql")),
            down: include_str!(concat!("../../migrations/", $name, "/down.sql")),
        }
    };
}

/// All patches, oldest first.
pub(crate) const PATCHES: &[Patch] = &[patch!(1, "0001_tables"), patch!(2, "0002_code")];

/// The version of the audit schema that this crate works with.
pub(crate) const SCHEMA_VERSION: i32 = PATCHES.len() as i32;
