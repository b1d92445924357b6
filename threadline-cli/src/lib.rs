//! The command-line program of [`threadline`], in an application or stand-alone.
//!
//! Only your application knows your models, so add the program to it. A binary of three lines
//! has all commands:
//!
//! ```no_run
//! # use threadline_test_server::doctest_schema;
//! # doctest_schema!();
//! fn main() -> std::process::ExitCode {
//!     threadline_cli::run(threadline::models![User])
//! }
//! ```
//!
//! One binary can be both the application and this program: [`Audit`] is a subcommand for a
//! clap parser, and [`run_from`] takes the arguments from any other parser.
//!
//! A team without Rust models uses the [stand-alone program](stand_alone), with a file of
//! tables.
//!
//! | command | does |
//! |---|---|
//! | `generate` | writes the missing audit migrations |
//! | `check` | fails if audit migrations are missing; for CI |
//! | `install` | brings a database up to date without migration files |
//! | `status` | fails if changes are not recorded as the models declare; for health checks |
//! | `verify` | fails if a database's audit is not intact, including its histories |
//! | `verify --deny-unaudited` | also fails if a table is not audited, such as that of a model that is missing from the list |
//! | `refresh members` | rebuilds the capture of a table, or of all tables; after a restore |
//! | `unaudit members` | ends the audit of a table; its history stays |
//! | `revert transaction 7 --actor admin:grace --reason "ticket 31"` | shows the changes that undo a transaction, prompts and makes them; `revert record members 42 --to '2026-11-23 09:00'` does it for a record |
//! | `protect --owner threadline_owner --application app --reader auditor` | gives the audit a [separate owner](threadline::Protection) |
//! | `work` | moves waiting entries from the journal into the ledger ([posts](threadline::post)) until it is stopped; `--once` posts and exits |
//! | `purge` | removes changes older than `#[audited(keep = "7 years")]`; `--dry-run` previews this |
//! | `hold --table members --record 42 --reason "lawsuit"` | places a legal hold, until `release` |
//! | `erase --subject users:42 --reason "request 31"` | makes the recorded data of a person [unreadable](threadline::Erasure); `erasures` lists the erasures |
//! | `subject users:42` | writes all that is recorded about a person, as NDJSON or CSV |
//! | `history members 42` | prints the changes of a record with their actions, newest first |
//! | `history members 42 --with payments` | the same, with the changes of rows that [referred to it](threadline::History::with) at the time |
//! | `timeline --changed role` | prints changes across tables, with any [`Filter`](threadline::Filter) |
//! | `summary --from 2026-11-01` | counts changes by day, table, operation and actor |
//! | `actions --status error` | prints actions, also those without changes, with any [`ActionFilter`](threadline::ActionFilter) |
//! | `actor user:42` | prints the changes and actions of an actor, newest first |
//! | `transaction 7` | prints a whole transaction |
//! | `as-of members 42 --at 2026-11-23` | prints a record, or without a key a table, at an instant |
//! | `blame members 42` | prints the change that set each column's value |
//! | `export --table members --output members.csv` | writes changes as CSV, JSON or NDJSON |
//! | `serve --actor admin:grace` | serves the explorer to a browser on this machine, and prints a link that works once; needs the feature `web` |
//!
//! `history`, `timeline`, `transaction`, `as-of`, `blame` and `export` take
//! `--unmasked REASON`: they show values that were recorded before their column was masked,
//! and [record this](threadline::unmasked).
//!
//! `generate` and `check` read files and need no database. `status` and `verify` check a
//! database, and exit with 2 if the check could not run.
//!
//! `check`, `status`, `verify` and the commands that read take `--json`, for pipes.
//! Commands that read take `--limit` if the output may be long; `--after` continues with
//! the next page.
//!
//! The database is that of `--database-url` or `DATABASE_URL`, which may be in a `.env` file.
//! The migrations folder is found as the Diesel CLI finds it: `--migration-dir`,
//! `MIGRATION_DIRECTORY`, `[migrations_directory]` in `diesel.toml`, or the nearest folder
//! `migrations`, in the current directory or above.

#![warn(missing_docs)]

#[macro_use]
mod terminal;

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
mod table_name;
mod tables;
mod tables_file;
mod verify;
mod work;

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use clap::Parser;
use threadline::{ErrorKind, Models};

use self::command::{OfApplication, VERSION};
use self::declared::Declared;
use self::error::Error;
use self::terminal::unwritten;

/// The audit of this application: its migrations and its records
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
///     /// Manage and query the audit
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
    /// Runs the command. Errors are printed to standard error, and the exit code is then 1.
    pub fn run(self, models: Models) -> ExitCode {
        exit(self.command.run(&Declared::by(models)))
    }
}

/// Runs the program on the process's arguments, with the variables of a `.env` file. Errors
/// are printed to standard error, and the exit code is then 1.
pub fn run(models: Models) -> ExitCode {
    run_from(models, std::env::args_os())
}

/// Same as [`run`], on other arguments, the first of which is the program's name. Use it
/// for a binary that is both application and audit program, with any parser of arguments.
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
    let code = result.unwrap_or_else(|error| {
        if is_of_a_closed_pipe(&error) {
            return ExitCode::SUCCESS;
        }
        eprintln!("error: {error}");
        ExitCode::FAILURE
    });
    match unwritten() {
        None => code,
        Some(error) => {
            eprintln!("error: the output could not be written: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether the reader of an export stopped reading, as `head` does.
fn is_of_a_closed_pipe(error: &Error) -> bool {
    let Error::Threadline(error) = error else {
        return false;
    };
    matches!(error.kind(), ErrorKind::Export { source } if source.kind() == io::ErrorKind::BrokenPipe)
}
