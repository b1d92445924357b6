//! The real `diesel` program.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, fs};

/// The path of a diesel program of version 2.3 or later: `DIESEL_CLI`, the one
/// on PATH, or one that is built once into the repository's `target/tools`.
///
/// # Panics
///
/// When there is none and it cannot be built.
pub fn diesel_cli() -> PathBuf {
    static DIESEL: OnceLock<PathBuf> = OnceLock::new();
    DIESEL.get_or_init(find_or_install).clone()
}

fn find_or_install() -> PathBuf {
    if let Some(path) = env::var_os("DIESEL_CLI") {
        return path.into();
    }
    if is_recent(Path::new("diesel")) {
        return "diesel".into();
    }
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools");
    fs::create_dir_all(&tools).unwrap_or_else(|e| panic!("{}: {e}", tools.display()));
    let tools = fs::canonicalize(&tools).unwrap_or_else(|e| panic!("{}: {e}", tools.display()));
    let diesel = tools.join("bin/diesel");
    if !is_recent(&diesel) {
        eprintln!("building the diesel program into target/tools, once");
        let status = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()))
            .args([
                "install",
                "diesel_cli",
                "--version",
                "^2.3",
                "--locked",
                "--quiet",
            ])
            .args(["--no-default-features", "--features", "postgres", "--root"])
            .arg(&tools)
            // Built as the release that it is, whoever builds it.
            .env_remove("CARGO_TARGET_DIR")
            .stdin(Stdio::null())
            .status();
        assert!(
            status.as_ref().is_ok_and(|status| status.success()),
            "the diesel program could not be built: {status:?}; install it with `cargo install diesel_cli --no-default-features --features postgres`"
        );
    }
    diesel
}

fn is_recent(diesel: &Path) -> bool {
    let Ok(output) = Command::new(diesel).arg("--version").output() else {
        return false;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let version = text
        .split_whitespace()
        .find_map(|word| word.split_once('.'))
        .and_then(|(major, rest)| {
            let minor = rest.split('.').next()?;
            Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
        });
    version >= Some((2, 3))
}
