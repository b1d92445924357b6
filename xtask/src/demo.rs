use threadline_test_server::Server;

use crate::provision::provision;
use crate::run::{cargo, run};

/// Runs the quickstart on a database of its own.
pub(crate) fn demo() -> Result<(), String> {
    provision()?;
    // Built first: an error then leaves no server to be stopped.
    run(cargo().args(["build", "--quiet", "--package", "quickstart"]))?;
    let server = Server::find_or_start()?;
    let name = server.fresh_name("demo");
    sql(&server, &format!("CREATE DATABASE {name}"))?;
    let result = run(cargo()
        .args(["run", "--quiet", "--package", "quickstart"])
        .env("DATABASE_URL", server.url_of(&name)));
    let dropped = sql(&server, &format!("DROP DATABASE {name} WITH (FORCE)"));
    result.and(dropped)
}

fn sql(server: &Server, statement: &str) -> Result<(), String> {
    let output = server
        .command("psql")
        .args(["--dbname", server.url(), "-X", "-q", "-c", statement])
        .output()
        .map_err(|error| format!("psql: {error}; install PostgreSQL's client programs"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!(
        "`{statement}` failed on the server of DATABASE_URL: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    ))
}
