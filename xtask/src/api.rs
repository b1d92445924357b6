//! The public API of each library crate as text, one item per line, in `api/`. A change of
//! the API shows in review as a change of a file.

use std::{env, fs};

use public_api::Builder;
use serde_json::Value;
use threadline_test_server::root;

use crate::run::{cargo, run};

const CRATES: [&str; 4] = [
    "threadline",
    "threadline-cli",
    "threadline-tower",
    "threadline-web",
];

/// The version of rustdoc's JSON format that `public_api` reads. The format is unstable,
/// and may change with any version of Rust.
const FORM: u64 = 57;

/// Writes the files.
pub(crate) fn write() -> Result<u8, String> {
    let Some(apis) = apis()? else { return Ok(1) };
    fs::create_dir_all(root().join("api")).map_err(|error| format!("api: {error}"))?;
    for (path, text) in apis {
        fs::write(root().join(&path), text).map_err(|error| format!("{path}: {error}"))?;
    }
    Ok(0)
}

/// Fails if a file differs from the crate. Only prints a note if this version of Rust
/// writes another version of the JSON format.
pub(crate) fn check() -> Result<u8, String> {
    let Some(apis) = apis()? else { return Ok(0) };
    let mut different = vec![];
    for (path, text) in apis {
        let noted = fs::read_to_string(root().join(&path)).unwrap_or_default();
        if noted == text {
            continue;
        }
        let gone = noted
            .lines()
            .filter(|line| !text.lines().any(|l| l == *line));
        let new = text
            .lines()
            .filter(|line| !noted.lines().any(|l| l == *line));
        let lines = gone
            .map(|line| format!("  - {line}"))
            .chain(new.map(|line| format!("  + {line}")));
        different.push(format!("{path}\n{}", lines.collect::<Vec<_>>().join("\n")));
    }
    if different.is_empty() {
        println!("the public API matches api/");
        return Ok(0);
    }
    Err(format!(
        "the public API differs from api/; if the change is intended, run `cargo xtask api` and commit:\n{}",
        different.join("\n")
    ))
}

/// Returns each file with its correct content; nothing, and the reason, if the API cannot
/// be read.
fn apis() -> Result<Option<Vec<(String, String)>>, String> {
    let mut apis = vec![];
    for name in CRATES {
        let json = rustdoc_json(name)?;
        let text = fs::read_to_string(&json).map_err(|error| format!("{json}: {error}"))?;
        let form: Value =
            serde_json::from_str(&text).map_err(|error| format!("{json}: {error}"))?;
        if form["format_version"] != FORM {
            eprintln!(
                "NOT CHECKED: this rustdoc writes JSON format {}, and only format {FORM} of Rust 1.95 is supported",
                form["format_version"]
            );
            return Ok(None);
        }
        let api = Builder::from_rustdoc_json(&json)
            .omit_blanket_impls(true)
            .omit_auto_trait_impls(true)
            .omit_auto_derived_impls(true)
            .build()
            .map_err(|error| format!("{json}: {error}"))?;
        let lines = api.items().map(ToString::to_string);
        let lines: Vec<String> = lines.filter(|line| !is_noise(line)).collect();
        apis.push((format!("api/{name}.txt"), lines.join("\n") + "\n"));
    }
    Ok(Some(apis))
}

/// The guides, and the items that Diesel's `table!` generates for the views: those repeat
/// the views' columns, which are on the page of the SQL interface.
fn is_noise(line: &str) -> bool {
    const TABLES: &str = "threadline::schema::";
    let is_a_view = line.starts_with("pub mod") && !line.ends_with("::columns");
    let is_a_column = line.starts_with("pub struct") && line.contains("::columns::");
    line.starts_with("pub mod threadline::docs")
        || line.contains(TABLES) && !is_a_view && !is_a_column
}

fn rustdoc_json(name: &str) -> Result<String, String> {
    let mut command = cargo();
    command
        .args([
            "rustdoc",
            "--quiet",
            "--lib",
            "--all-features",
            "--package",
            name,
        ])
        .args(["--", "-Z", "unstable-options", "--output-format", "json"])
        .args(["--cap-lints", "allow"])
        .env(
            "THREADLINE_RUSTDOC",
            env::var_os("RUSTDOC").unwrap_or("rustdoc".into()),
        )
        .env("RUSTDOC", root().join("xtask/src/rustdoc_json.sh"));
    if run(&mut command)? != 0 {
        return Err(format!("no documentation of {name}, see above"));
    }
    let target = env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "target".to_owned());
    let file = format!("doc/{}.json", name.replace('-', "_"));
    let path = root().join(target).join(file);
    Ok(path.display().to_string())
}
