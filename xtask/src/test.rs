use threadline_test_server::{Server, diesel_cli::diesel_cli};

use crate::provision::provision;
use crate::run::{cargo, run};

/// Runs every test of the workspace on one server.
pub(crate) fn test(arguments: &[&str]) -> Result<(), String> {
    provision()?;
    let diesel = diesel_cli();
    let server = Server::find_or_start()?;
    run(cargo()
        .args(["test", "--workspace", "--all-features"])
        .args(arguments)
        .env("DATABASE_URL", server.url())
        .env("DIESEL_CLI", diesel))
}
