use std::path::PathBuf;

use threadline_test_server::diesel_cli;
use threadline_test_server::packages::Piece;

use crate::provision::{FOR_TESTS, provision};
use crate::run::{cargo, run};
use crate::server::server;

/// Runs every test of the workspace on one server.
pub(crate) fn test(arguments: &[String]) -> Result<u8, String> {
    provision(FOR_TESTS)?;
    let diesel = diesel()?;
    let server = server()?;
    run(cargo()
        .args(["test", "--workspace", "--all-features"])
        .args(arguments)
        .env("DATABASE_URL", server.url())
        .env("DIESEL_CLI", diesel))
}

/// A diesel program, built if there is none.
pub(crate) fn diesel() -> Result<PathBuf, String> {
    if let Some(diesel) = diesel_cli::find() {
        return Ok(diesel);
    }
    provision(&[Piece::Libpq])?;
    diesel_cli::install()
}
