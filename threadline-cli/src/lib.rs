//! The command-line program of [`threadline`]: of an application, or on its own.
//!
//! Only an application knows its models, so its program is its own. A binary
//! of three lines has it all:
//!
//! ```no_run
//! # use threadline_test_server::doctest_schema;
//! # doctest_schema!();
//! fn main() -> std::process::ExitCode {
//!     threadline_cli::run(threadline::models![User])
//! }
//! ```
//!
//! One binary in a container can be both: [`Audit`] is a subcommand for a parser of clap's,
//! and [`run_from`] takes the arguments of any other.
//!
//! A team without Rust models uses [the program that stands alone](stand_alone), with a
//! file of tables.
//!
//! | command | does |
//! |---|---|
//! | `generate` | writes the missing audit migrations |
//! | `check` | fails if there are any; for CI |
//! | `install` | brings a database up to date without migration files |
//! | `status` | fails if changes are not recorded as the models say; inexpensive, for health checks |
//! | `verify` | fails if a database's audit is not whole, its histories included |
//! | `verify --deny-unaudited` | also if a table is there that nobody audits: a model that was forgotten in the list |
//! | `refresh members` | builds the capture of a table anew, or of all; after a restore |
//! | `unaudit members` | ends the audit of a table; its history stays |
//! | `revert transaction 7 --actor admin:grace --reason "ticket 31"` | shows what undoes a transaction, asks and does it; `revert record members 42 --to '2026-11-23 09:00'` does it for a record |
//! | `protect --owner threadline_owner --application app --reader auditor` | gives the audit an [owner of its own](threadline::Protection) |
//! | `work` | [posts](threadline::post) all along; `--once` posts what waits and ends |
//! | `purge` | removes what is older than `#[audited(keep = "7 years")]` says; `--dry-run` shows it |
//! | `hold --table members --record 42 --reason "lawsuit"` | keeps something from being purged, until `release` |
//! | `erase --subject users:42 --reason "request 31"` | makes what is recorded of a person [unreadable](threadline::Erasure); `erasures` lists those |
//! | `subject users:42` | all that is on record about a person, as NDJSON |
//! | `history members 42` | the changes of a record and why they were made, newest first |
//! | `history members 42 --with payments` | the same together with those of the rows that [referred to it](threadline::History::with) at the time |
//! | `timeline --changed role` | changes across tables, through any [`Filter`](threadline::Filter) |
//! | `summary --from 2026-11-01` | how many, by day, table, operation and actor |
//! | `actions --status error` | what was meant, also where nothing changed, through any [`ActionFilter`](threadline::ActionFilter) |
//! | `actor user:42` | what an actor did, newest first |
//! | `transaction 7` | a transaction whole |
//! | `as-of members 42 --at 2026-11-23` | a record, or without a key a table, as it was |
//! | `blame members 42` | who gave each column its value |
//! | `export --table members --output members.csv` | CSV, JSON or NDJSON |
//! | `serve --actor admin:grace` | the explorer in a browser of this machine, by a link that works once; with the feature `web` |
//!
//! `history`, `timeline`, `transaction`, `as-of`, `blame` and `export` take `--unmasked REASON`: they
//! show what was recorded before its column was masked, and
//! [record that](threadline::unmasked).
//!
//! `check` needs no database and looks at files; `status` and `verify` look at a database
//! as it is, whichever way it came there, and end with 2 if they could not.
//!
//! `check`, `status`, `verify` and those that read take `--json`, for pipes. Those that read
//! take `--limit` where an answer may be long; what comes in pages goes on with `--after`.
//!
//! The database is `--database-url` or `DATABASE_URL`, also from a `.env` file;
//! the folder is found as Diesel's own program finds it: `--migration-dir`,
//! `MIGRATION_DIRECTORY`, `[migrations_directory]` in `diesel.toml`, or the
//! nearest `migrations` upwards.

#![warn(missing_docs)]

mod audit_tables;
mod check;
mod command;
mod confirm;
mod database;
mod declared;
mod erasure;
mod error;
mod folder;
mod paste;
mod protect;
mod read;
mod retention;
mod revert;
#[cfg(feature = "web")]
mod serve;
pub mod stand_alone;
mod status;
mod suggestion;
mod tables;
mod tables_file;
mod verify;
mod work;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;
use threadline::Models;

use self::command::{OfApplication, VERSION};
use self::declared::Declared;
use self::error::Error;

/// The audit of this application: its migrations, and what is on record
#[derive(Debug, Parser)]
#[command(name = "threadline", version = VERSION)]
struct Arguments {
    #[command(flatten)]
    audit: Audit,
}

/// The whole program as a subcommand, for an application that parses its arguments with
/// clap 4.
///
/// ```no_run
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// use clap::Parser;
///
/// #[derive(Parser)]
/// enum Application {
///     Serve,
///     /// What is on record, and how it gets there
///     Audit(threadline_cli::Audit),
/// }
///
/// fn main() -> std::process::ExitCode {
///     match Application::parse() {
///         Application::Serve => std::process::ExitCode::SUCCESS,
///         Application::Audit(audit) => audit.run(threadline::models![User]),
///     }
/// }
/// ```
#[derive(Debug, clap::Args)]
pub struct Audit {
    #[command(subcommand)]
    command: OfApplication,
}

impl Audit {
    /// Runs the command. Errors go to standard error and make the exit code 1.
    pub fn run(self, models: Models) -> ExitCode {
        exit(self.command.run(&Declared::by(models)))
    }
}

/// Runs the program on the process's arguments, with what a `.env` file says. Errors go to
/// standard error and make the exit code 1.
pub fn run(models: Models) -> ExitCode {
    run_from(models, std::env::args_os())
}

/// The same on other arguments, of which the first is the program's name: for one binary
/// that is both application and audit program, whatever parses its arguments.
///
/// ```no_run
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// fn main() -> std::process::ExitCode {
///     let mut arguments = std::env::args_os().skip(1).peekable();
///     if arguments.peek().is_some_and(|word| word == "audit") {
///         return threadline_cli::run_from(threadline::models![User], arguments);
///     }
///     // The application itself.
///     std::process::ExitCode::SUCCESS
/// }
/// ```
pub fn run_from<A>(models: Models, arguments: impl IntoIterator<Item = A>) -> ExitCode
where
    A: Into<OsString> + Clone,
{
    dotenvy::dotenv().ok();
    Arguments::parse_from(arguments).audit.run(models)
}

fn exit(result: Result<ExitCode, Error>) -> ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}
