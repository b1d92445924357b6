//! The real `diesel` program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, io};

use crate::find::{on_path, output_of};
use crate::libpq::Libpq;
use crate::root;

/// The message if there is no diesel program.
pub const MISSING: &str = "\
no diesel program of version 2.3 or later with support for PostgreSQL was found: not by DIESEL_CLI, on PATH, or in target/tools. Install with:

    cargo install diesel_cli --locked --no-default-features --features postgres
";

/// Returns the path of a diesel program of version 2.3 or later: `DIESEL_CLI`, the one on
/// PATH, or the one in the repository's `target/tools`.
///
/// # Panics
///
/// Panics if there is none.
pub fn diesel_cli() -> PathBuf {
    static DIESEL: OnceLock<PathBuf> = OnceLock::new();
    DIESEL
        .get_or_init(|| find().unwrap_or_else(|| panic!("{MISSING}")))
        .clone()
}

/// Returns the program, if there is one already.
pub fn find() -> Option<PathBuf> {
    let named = env::var_os("DIESEL_CLI").filter(|path| !path.is_empty());
    named.map(PathBuf::from).or_else(|| {
        on_path()
            .chain([tools().join("bin")])
            .map(|dir| dir.join("diesel"))
            .find(|program| program.is_file() && suits(program))
    })
}

/// Builds the program into `target/tools`; cargo's progress goes to standard error. Without
/// optimisation, because compiling with it takes longer than all its use in the tests.
pub fn install() -> Result<PathBuf, String> {
    let tools = tools();
    eprintln!("building the diesel program into {}, once", tools.display());
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo
        .args([
            "install",
            "diesel_cli",
            "--version",
            "^2.3",
            "--locked",
            "--debug",
        ])
        .args(["--no-default-features", "--features", "postgres", "--root"])
        .arg(&tools)
        // Another cargo may hold the lock of that folder for a long time.
        .env_remove("CARGO_TARGET_DIR")
        .stdin(Stdio::null())
        .stdout(io::stderr());
    if let Some(libpq) = Libpq::find() {
        libpq.tell(&mut cargo);
    }
    match cargo.status() {
        Ok(status) if status.success() => Ok(tools.join("bin").join("diesel")),
        failure => Err(format!(
            "the diesel program could not be built ({}); see above, or set DIESEL_CLI to one of version 2.3 or later",
            failure.map_or_else(|error| error.to_string(), |status| status.to_string())
        )),
    }
}

fn tools() -> PathBuf {
    root().join("target/tools")
}

fn suits(diesel: &Path) -> bool {
    output_of(diesel, &["--version"])
        .is_some_and(|text| version(&text) >= Some((2, 3)) && text.contains("postgres"))
}

/// Reads `diesel 2.1.0`, and since 2.2 ` Version: 2.2.0` on a line of its own.
fn version(text: &str) -> Option<(u32, u32)> {
    text.split_whitespace().find_map(|word| {
        let mut numbers = word.split('.').map(|number| number.parse().ok());
        Some((numbers.next()??, numbers.next()??))
    })
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn versions_are_read_from_what_diesel_prints() {
        let today = "diesel \n Version: 2.3.14\n Supported Backends: postgres";
        assert_eq!(version(today), Some((2, 3)));
        assert_eq!(version("diesel 1.4.1"), Some((1, 4)));
        assert_eq!(version("Diesel, an engine."), None);
    }
}
