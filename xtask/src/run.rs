use std::env;
use std::path::PathBuf;
use std::process::Command;

use threadline_test_server::libpq::Libpq;
use threadline_test_server::root;

/// Returns a cargo command that runs in the repository with the provisioned programs.
pub(crate) fn cargo() -> Command {
    let cargo = env::var_os("CARGO").map_or("cargo".into(), PathBuf::from);
    let mut command = Command::new(cargo);
    command.current_dir(root());
    if let Some(libpq) = Libpq::find() {
        libpq.tell(&mut command);
    }
    command
}

/// Runs a command with visible output, and returns its exit status, which becomes that of
/// this program.
pub(crate) fn run(command: &mut Command) -> Result<u8, String> {
    let status = command
        .status()
        .map_err(|error| format!("{}: {error}", command.get_program().to_string_lossy()))?;
    Ok(status.code().map_or(1, |code| code as u8))
}
