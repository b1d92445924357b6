//! The audit schema in this repository: what a release froze stays as it is, each file of
//! `threadline/sql` is installed, and the quickstart has a migration of the schema.
//!
//! A release freezes its version of the schema, because databases have run it: `cargo
//! xtask freeze` copies its code and records the checksums of all files that may not
//! change from then on. Later changes make the next version, see
//! `threadline/src/install/versions.rs`.

use std::{fs, io};

use threadline_test_server::root;

use crate::code::{CODE, FILES};
use crate::frozen;
use crate::script::{Schema, Way};
use crate::versions::VERSIONS;

const MIGRATIONS: &str = "examples/quickstart/migrations";

/// The quickstart's folder for the schema, without the version.
const FOLDER: &str = "2026-11-23-124242-0001_threadline_schema_v";

/// Writes the quickstart's migration of the schema, as its `audit generate` would. An
/// application commits that folder; here it would repeat `threadline/sql`.
pub(crate) fn write() -> Result<(), String> {
    remove_other_versions()?;
    let folder = format!("{MIGRATIONS}/{FOLDER}{}", newest());
    let (time, _) = FOLDER.split_once('_').unwrap_or_default();
    let migration = time.replace('-', "");
    let way = Way {
        from: 0,
        to: newest(),
    };
    let schema = Schema(VERSIONS);
    fs::create_dir_all(root().join(&folder)).map_err(|error| format!("{folder}: {error}"))?;
    write_if_changed(
        &format!("{folder}/up.sql"),
        &schema.up(way, Some(&migration)),
    )?;
    write_if_changed(&format!("{folder}/down.sql"), &schema.down(way, &migration))
}

/// Fails if a frozen file has changed, or a file is installed nowhere.
pub(crate) fn check() -> Result<(), String> {
    every_file_is_installed()?;
    every_function_is_replaced()?;
    frozen::check()?;
    newest_is_declared()
}

pub(crate) fn newest() -> i32 {
    VERSIONS.last().map_or(0, |version| version.number)
}

/// Leaves an equal file alone, so that Cargo does not compile the quickstart again.
fn write_if_changed(path: &str, text: &str) -> Result<(), String> {
    if read(path).ok().as_deref() == Some(text) {
        return Ok(());
    }
    fs::write(root().join(path), text).map_err(|error| format!("{path}: {error}"))?;
    println!("wrote {path}");
    Ok(())
}

fn remove_other_versions() -> Result<(), String> {
    let failed = |error: io::Error| format!("{MIGRATIONS}: {error}");
    let current = format!("{FOLDER}{}", newest());
    for entry in fs::read_dir(root().join(MIGRATIONS)).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(FOLDER) && name != current {
            fs::remove_dir_all(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

/// Fails if code that a release froze changed without a new version.
fn newest_is_declared() -> Result<(), String> {
    let frozen = frozen::code_file(newest());
    match read(&frozen) {
        Ok(text) if text != CODE => Err(format!(
            "threadline/sql makes other code than {frozen}, which is frozen: declare version {} in threadline/src/install/versions.rs, with the code CODE, and give version {} its frozen code",
            newest() + 1,
            newest()
        )),
        _ => Ok(()),
    }
}

pub(crate) fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(root().join(path)).map_err(|error| format!("{path}: {error}"))
}

fn every_file_is_installed() -> Result<(), String> {
    let sql = root().join("threadline/sql");
    let unreadable = |error: io::Error| format!("threadline/sql: {error}");
    for folder in fs::read_dir(&sql).map_err(unreadable)? {
        let folder = folder.map_err(unreadable)?.path();
        // The README is next to the folders.
        if !folder.is_dir() {
            continue;
        }
        for file in fs::read_dir(folder).map_err(unreadable)? {
            let path = file.map_err(unreadable)?.path().with_extension("");
            let name = path
                .strip_prefix(&sql)
                .unwrap_or(&path)
                .display()
                .to_string();
            if !FILES.contains(&name.as_str()) {
                return Err(format!(
                    "threadline/sql/{name}.sql is installed nowhere: add it to threadline/src/install/code.rs, after what it calls"
                ));
            }
        }
    }
    Ok(())
}

/// Fails if a function is created in a way that fails where it exists. Replaced in place, a
/// write that calls it meanwhile continues.
fn every_function_is_replaced() -> Result<(), String> {
    let created = ["\nCREATE FUNCTION ", "\nCREATE AGGREGATE "];
    let Some(at) = created.iter().find_map(|text| CODE.find(text)) else {
        return Ok(());
    };
    let line = CODE[at..].trim_start().lines().next().unwrap_or_default();
    Err(format!(
        "threadline/sql has `{line}`: write CREATE OR REPLACE, because an upgrade replaces the function in place"
    ))
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_sql_is_installed_and_frozen_files_stay() {
        super::check().unwrap();
    }
}
