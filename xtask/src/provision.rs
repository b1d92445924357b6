//! The requirements of demo and tests besides Rust. Nothing is installed unless requested.
//! A C linker is not one of them: without it, this program would not have been built.

use std::env;
use std::path::PathBuf;

use threadline_test_server::diesel_cli;
use threadline_test_server::libpq::Libpq;
use threadline_test_server::packages::{PackageManager, Piece, how_to_install};
use threadline_test_server::{MissingServer, choice, find_program, find_programs};

/// The requirements of the demo, and of the benchmarks.
pub(crate) const FOR_DEMO: &[Piece] = &[Piece::Server, Piece::Client, Piece::Libpq];

/// The requirements of the tests: other programs read exports.
pub(crate) const FOR_TESTS: &[Piece] = &[
    Piece::Server,
    Piece::Pgbench,
    Piece::Client,
    Piece::Libpq,
    Piece::Python,
    Piece::Jq,
    Piece::Browser,
];

/// How to handle missing pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Fail, with the command that installs them.
    Name,
    /// `--install`: install them.
    Install,
}

/// Checks that the pieces are there, and installs them if requested.
pub(crate) fn provision(wanted: &[Piece], then: Missing) -> Result<(), String> {
    let missing = missing(wanted);
    if missing.is_empty() {
        return Ok(());
    }
    let manager = PackageManager::of_this_machine().filter(|_| then == Missing::Install);
    let Some(manager) = manager else {
        return Err(explain(&missing));
    };
    eprintln!("This machine lacks\n{}", names(&missing));
    eprintln!("Running: {}", manager.command_line(&missing));
    let installed = manager.install(&missing);
    let missing = self::missing(wanted);
    match installed {
        _ if missing.is_empty() => Ok(()),
        Err(error) => Err(format!("{error}\n{}", explain(&missing))),
        Ok(()) => Err(explain(&missing)),
    }
}

/// The same for the tests, and a diesel program.
pub(crate) fn provision_tests(then: Missing) -> Result<PathBuf, String> {
    let provisioned = provision(FOR_TESTS, then);
    match (provisioned, diesel_cli::find(), then) {
        (Ok(()), Some(diesel), _) => Ok(diesel),
        (Ok(()), None, Missing::Install) => diesel_cli::install(),
        (Ok(()), None, Missing::Name) => Err(format!("{}{OR_INSTALL}", diesel_cli::MISSING)),
        (Err(error), None, Missing::Name) => {
            Err(format!("{error}\n{}{OR_INSTALL}", diesel_cli::MISSING))
        }
        (Err(error), _, Missing::Name) => Err(format!("{error}{OR_INSTALL}")),
        (Err(error), _, Missing::Install) => Err(error),
    }
}

const OR_INSTALL: &str = "
Or let this command install what is missing: cargo xtask test --install";

fn missing(wanted: &[Piece]) -> Vec<Piece> {
    let is_there = |piece| match piece {
        // If the user chose a folder, its missing programs are reported on use.
        Piece::Server => has_database_url() || choice().is_some() || find_programs().is_ok(),
        Piece::Client => ["psql", "pg_dump"]
            .iter()
            .all(|name| find_program(name).is_some()),
        Piece::Libpq => Libpq::find().is_some(),
        Piece::Pgbench => find_program("pgbench").is_some(),
        Piece::Python => find_program("python3").is_some(),
        Piece::Jq => find_program("jq").is_some(),
        Piece::Npm => find_program("npm").is_some(),
        Piece::Browser => find_program("chromedriver").is_some(),
    };
    wanted
        .iter()
        .copied()
        .filter(|piece| !is_there(*piece))
        .collect()
}

fn has_database_url() -> bool {
    env::var_os("DATABASE_URL").is_some_and(|url| !url.is_empty())
}

fn explain(missing: &[Piece]) -> String {
    let mut lines = vec![format!("this machine lacks\n{}", names(missing))];
    let mut packaged = missing.to_owned();
    if missing.contains(&Piece::Server) {
        if let Err(MissingServer {
            too_old: Some(version),
            ..
        }) = find_programs()
        {
            packaged.retain(|piece| *piece != Piece::Server);
            lines.push(format!(
                "PostgreSQL {version} is too old; https://www.postgresql.org/download/ has newer packages for your system."
            ));
        }
        lines.push("Instead of a server on this machine, DATABASE_URL may name one where databases may be created.".to_owned());
    }
    if !packaged.is_empty() {
        lines.push(how_to_install(&packaged));
    }
    lines.join("\n")
}

fn names(pieces: &[Piece]) -> String {
    let names: Vec<_> = pieces.iter().map(|piece| format!("  - {piece}")).collect();
    names.join("\n")
}
