use std::collections::BTreeSet;
use std::process::Stdio;

use serde_json::Value;

use crate::run::cargo;

/// Checks the declared Rust version as far as possible without that version: no
/// dependency of the published crates may declare a newer one. Clippy's
/// `incompatible_msrv` checks the rest.
pub(crate) fn check() -> Result<(), String> {
    let output = cargo()
        .args([
            "metadata",
            "--format-version",
            "1",
            "--all-features",
            "--locked",
        ])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err("cargo metadata failed; see above".to_owned());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cargo metadata printed no JSON: {error}"))?;
    let packages = entries(&metadata["packages"]);
    let declared = packages
        .iter()
        .find(|package| package["name"] == "threadline")
        .and_then(|package| version(&package["rust_version"]))
        .ok_or("threadline declares no rust-version")?;

    let mut wanted: Vec<&str> = packages
        .iter()
        .filter(|package| {
            [
                "threadline",
                "threadline-cli",
                "threadline-tower",
                "threadline-web",
            ]
            .iter()
            .any(|name| package["name"] == *name)
        })
        .filter_map(|package| package["id"].as_str())
        .collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = wanted.pop() {
        if seen.insert(id) {
            wanted.extend(dependencies(&metadata, id));
        }
    }
    let newer: Vec<String> = packages
        .iter()
        .filter(|package| package["id"].as_str().is_some_and(|id| seen.contains(id)))
        .filter(|package| version(&package["rust_version"]) > Some(declared))
        .map(|package| format!("{} needs Rust {}", package["name"], package["rust_version"]))
        .collect();
    if newer.is_empty() {
        println!(
            "none of {} packages needs a Rust newer than {}.{}",
            seen.len(),
            declared.0,
            declared.1
        );
        return Ok(());
    }
    Err(format!(
        "rust-version {}.{} is declared, but {}; lower it with `cargo update --precise`, or declare a newer Rust",
        declared.0,
        declared.1,
        newer.join(", ")
    ))
}

/// Returns the dependencies of a package other than those of its tests.
fn dependencies<'m>(metadata: &'m Value, id: &str) -> Vec<&'m str> {
    entries(&metadata["resolve"]["nodes"])
        .iter()
        .filter(|node| node["id"] == id)
        .flat_map(|node| entries(&node["deps"]))
        .filter(|dependency| {
            entries(&dependency["dep_kinds"])
                .iter()
                .any(|kind| kind["kind"] != "dev")
        })
        .filter_map(|dependency| dependency["pkg"].as_str())
        .collect()
}

fn entries(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn version(value: &Value) -> Option<(u32, u32)> {
    let mut parts = value.as_str()?.split('.').map(|part| part.parse().ok());
    Some((parts.next()??, parts.next()??))
}
