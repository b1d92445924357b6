//! The frozen parts of a release: the files that databases have run, and their checksums.

use std::collections::BTreeMap;
use std::fs;

use sha2::{Digest, Sha256};
use threadline_test_server::root;

use crate::code::CODE;
use crate::schema::{newest, read};
use crate::versions::VERSIONS;

const CHECKSUMS: &str = "threadline/migrations/frozen/CHECKSUMS";

/// Returns the path of the frozen code of a version.
pub(crate) fn code_file(version: i32) -> String {
    format!("threadline/migrations/frozen/v{version}_code.sql")
}

/// Freezes the newest version as it is now: its code, its step, and the scripts that lead
/// to it and back.
pub(crate) fn freeze(version: &str) -> Result<(), String> {
    if version != newest().to_string() {
        return Err(format!(
            "the newest version of the audit schema is {}, and only it can be frozen; see threadline/src/install/versions.rs",
            newest()
        ));
    }
    let frozen = code_file(newest());
    fs::create_dir_all(root().join("threadline/migrations/frozen"))
        .map_err(|error| format!("{frozen}: {error}"))?;
    fs::write(root().join(&frozen), CODE).map_err(|error| format!("{frozen}: {error}"))?;
    let mut text = String::new();
    for path in files() {
        text.push_str(&format!("{}  {path}\n", sha256(&path)?));
    }
    fs::write(root().join(CHECKSUMS), text).map_err(|error| format!("{CHECKSUMS}: {error}"))?;
    println!("froze version {version} of the audit schema in {frozen} and {CHECKSUMS}");
    Ok(())
}

/// Fails if a frozen file has changed or is gone.
pub(crate) fn check() -> Result<(), String> {
    let Ok(text) = read(CHECKSUMS) else {
        return Ok(());
    };
    let noted: BTreeMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.split_once("  "))
        .map(|(sum, path)| (path, sum))
        .collect();
    let changed: Vec<&str> = noted
        .iter()
        .filter(|(path, sum)| sha256(path).ok().as_deref() != Some(**sum))
        .map(|(path, _)| *path)
        .collect();
    if changed.is_empty() {
        return Ok(());
    }
    Err(format!(
        "frozen, and changed all the same:\n  {}\ndatabases have run them; take them back with `git checkout` and change the schema in a new version, see threadline/src/install/versions.rs",
        changed.join("\n  ")
    ))
}

/// Returns the files of the frozen versions.
fn files() -> Vec<String> {
    let scripts = [
        "finish_code",
        "refuse_users",
        "remove",
        "replace_code",
        "take_over",
    ];
    let mut files: Vec<String> = scripts
        .iter()
        .map(|name| format!("threadline/src/install/script/{name}.sql"))
        .collect();
    for version in VERSIONS {
        files.push(code_file(version.number));
        let Some(step) = version.step else { continue };
        files.push(format!("threadline/migrations/{}/up.sql", step.name));
        if !step.down.is_empty() {
            files.push(format!("threadline/migrations/{}/down.sql", step.name));
        }
    }
    files
}

fn sha256(path: &str) -> Result<String, String> {
    let digest = Sha256::digest(read(path)?);
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect())
}
