use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository, from wherever we are called.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the repository")
}

/// Cargo, to be run in the repository with what provisioning found.
pub(crate) fn cargo() -> Command {
    let cargo = env::var_os("CARGO").map_or("cargo".into(), PathBuf::from);
    let mut command = Command::new(cargo);
    command.current_dir(root());
    if let Some(dir) = crate::provision::libpq_dir() {
        command.env("PQ_LIB_DIR", dir);
    }
    command
}

/// Runs a command whose output the user sees.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let status = command
        .status()
        .map_err(|error| format!("{name}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy()).collect();
        Err(format!("`cargo {}` failed ({status})", arguments.join(" ")))
    }
}
