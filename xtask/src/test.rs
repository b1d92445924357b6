use std::path::{Path, PathBuf};
use std::process::Command;

use threadline_test_server::packages::Piece;
use threadline_test_server::{Server, diesel_cli};

use crate::newest::{self, NEWEST};
use crate::provision::{Missing, provision, provision_tests};
use crate::run::{cargo, run};
use crate::schema;
use crate::server::{major_version, server};

/// Runs every test of the workspace on one server, and those that depend on the version
/// also on the newest one. With arguments, only the selected ones.
pub(crate) fn test(arguments: &[String], then: Missing) -> Result<u8, String> {
    let diesel = provision_tests(then)?;
    schema::write()?;
    let server = server()?;
    // Installed before the tests run; a failure does not prevent them.
    let newest = if !arguments.is_empty() {
        Ok(None)
    } else if major_version(&server)? >= NEWEST {
        eprintln!("the server is of PostgreSQL {NEWEST} or later, the newest known here");
        Ok(None)
    } else {
        newest::programs(then)
    };
    let status = run(tests(&server, &diesel).args(arguments))?;
    drop(server);
    if status != 0 {
        return Ok(status);
    }
    match newest? {
        Some(programs) => newest::test_with(programs, &diesel, &[]),
        None => Ok(0),
    }
}

/// Returns a cargo command that runs tests of the workspace on a server.
pub(crate) fn tests(server: &Server, diesel: &Path) -> Command {
    let mut command = cargo();
    command
        .args(["test", "--workspace", "--all-features"])
        .env("DATABASE_URL", server.url())
        .env("DIESEL_CLI", diesel);
    command
}

/// Returns a diesel program, built if there is none and the user requests it.
pub(crate) fn diesel(then: Missing) -> Result<PathBuf, String> {
    match (diesel_cli::find(), then) {
        (Some(diesel), _) => Ok(diesel),
        (None, Missing::Name) => Err(diesel_cli::MISSING.to_owned()),
        (None, Missing::Install) => {
            provision(&[Piece::Libpq], then)?;
            diesel_cli::install()
        }
    }
}
