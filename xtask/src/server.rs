//! The server of demo and tests, and databases on it.

use std::process::{Command, Stdio};

use threadline_test_server::{AtEnd, OLDEST, Server};

/// Returns the server of `DATABASE_URL` if it is supported, or a new one.
pub(crate) fn server() -> Result<Server, String> {
    let server = Server::find_or_start()?;
    if !server.is_throw_away() {
        let version = major_version(&server)
            .map_err(|error| format!("the server of DATABASE_URL does not answer: {error}"))?;
        if version < OLDEST {
            return Err(format!(
                "the server of DATABASE_URL has version {version}; PostgreSQL {OLDEST} or later is needed"
            ));
        }
    }
    Ok(server)
}

/// Returns the server's major version.
pub(crate) fn major_version(server: &Server) -> Result<u32, String> {
    let number = psql(server, "SHOW server_version_num")?;
    let number: u32 = number
        .parse()
        .map_err(|_| format!("{number} is no version"))?;
    Ok(number / 10_000)
}

/// A database that is dropped with this value, and also when Ctrl-C ends the process: a
/// leftover on a shared server would not be noticed.
#[derive(Debug)]
pub(crate) struct Database {
    url: String,
    _removal: Option<AtEnd>,
}

impl Database {
    pub(crate) fn create(server: &Server, purpose: &str) -> Result<Self, String> {
        let name = server.fresh_name(purpose);
        psql(server, &format!("CREATE DATABASE {name}"))
            .map_err(|error| format!("no database on the server: {error}"))?;
        let removal = psql_command(server, &format!("DROP DATABASE {name} WITH (FORCE)"));
        let removal = (!server.is_throw_away()).then(|| AtEnd::run(&removal));
        Ok(Self {
            url: server.url_of(&name),
            _removal: removal
                .transpose()
                .map_err(|error| format!("sh: {error}"))?,
        })
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }
}

/// Runs one statement and returns its value.
fn psql(server: &Server, statement: &str) -> Result<String, String> {
    let output = psql_command(server, statement)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("psql: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

fn psql_command(server: &Server, statement: &str) -> Command {
    let mut command = server.command("psql");
    // Without the user's settings, and without a password prompt.
    command.args([
        "--no-psqlrc",
        "--no-password",
        "--quiet",
        "--no-align",
        "--tuples-only",
    ]);
    command.args(["--dbname", server.url(), "--command", statement]);
    command
}
