//! The command-line program of an application.
//!
//! Only the application knows its models, so the program is its own. A binary
//! of three lines has it all:
//!
//! ```no_run
//! # use threadline_test_server::doctest_schema;
//! # doctest_schema!();
//! fn main() -> std::process::ExitCode {
//!     threadline::cli::run(threadline::models![User])
//! }
//! ```
//!
//! | command | does |
//! |---|---|
//! | `generate` | writes the missing audit migrations |
//! | `check` | fails if there are any; for CI |
//! | `install` | brings a database up to date without migration files |
//! | `status` | fails if changes are not recorded as the models say; inexpensive, for health checks |
//! | `verify` | fails if a database's audit is not whole, its histories included |
//! | `protect --owner threadline_owner --application app --reader auditor` | gives the audit an [owner of its own](crate::docs::owner_and_readers) |
//! | `work` | [posts](crate::post) all along; `--once` posts what waits and ends |
//! | `purge` | removes what is older than `#[audited(keep = "7 years")]` says; `--dry-run` shows it |
//! | `hold --table members --record 42 --reason "lawsuit"` | keeps something from being purged, until `release` |
//! | `erase --subject users:42 --reason "request 31"` | makes what is recorded of a person [unreadable](crate::docs::erasing_a_person); `erasures` lists those |
//! | `subject users:42` | all that is on record about a person, as NDJSON |
//! | `history members 42` | the changes of a record and why they were made, newest first |
//! | `history members 42 --with payments` | the same together with those of the rows that [referred to it](crate::History::with) at the time |
//! | `timeline --changed role` | changes across tables, through any [`Filter`](crate::Filter) |
//! | `summary --from 2026-11-01` | how many, by day, table, operation and actor |
//! | `actions --status error` | what was meant, also where nothing changed, through any [`ActionFilter`](crate::ActionFilter) |
//! | `actor user:42` | what an actor did, newest first |
//! | `transaction 7` | a transaction whole |
//! | `as-of members 42 --at 2026-11-23` | a record, or without a key a table, as it was |
//! | `blame members 42` | who gave each column its value |
//! | `export --table members --output members.csv` | CSV, JSON or NDJSON |
//!
//! `history`, `timeline`, `transaction`, `as-of`, `blame` and `export` take `--unmasked REASON`: they
//! show what was recorded before its column was masked, and
//! [record that](crate::unmasked).
//!
//! `check` needs no database and looks at files; `status` and `verify` look at a database
//! as it is, whichever way it came there, and end with 2 if they could not.
//!
//! `status` and those that read take `--json`, for pipes. Those that read take `--limit` where
//! an answer may be long; what comes in pages goes on with `--after`. They are also there as a program of
//! its own, `threadline`, for machines where the application is not at hand:
//! `cargo install threadline --features cli`.
//!
//! The database is `--database-url` or `DATABASE_URL`, also from a `.env` file;
//! the folder is found as Diesel's own program finds it: `--migration-dir`,
//! `MIGRATION_DIRECTORY`, `[migrations_directory]` in `diesel.toml`, or the
//! nearest `migrations` upwards.

mod database;
mod erasure;
mod folder;
mod paste;
mod protect;
mod read;
mod retention;
mod status;
mod verify;
mod work;

#[cfg(feature = "schemars")]
pub(crate) use self::read::print::Count;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use self::database::Database;
use self::erasure::{Erase, ExportSubject, ListErasures};
use self::folder::Folder;
use self::protect::Protect;
use self::read::Read;
use self::retention::{PlaceHold, Purge, ReleaseHold};
use self::status::StatusArguments;
use self::verify::VerifyArguments;
use self::work::Work;
use crate::error::Error;
use crate::model::Models;

/// The audit of this application: its migrations, and what is on record
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Write the audit migrations that are missing
    Generate {
        #[command(flatten)]
        folder: Folder,
    },
    /// Fail if audit migrations are missing
    Check {
        #[command(flatten)]
        folder: Folder,
    },
    /// Bring a database up to date without migration files
    Install {
        #[command(flatten)]
        database: Database,
    },
    /// Show whether changes are recorded as the models say, and how the audit goes on; inexpensive
    ///
    /// Ends with 0 if they are, 1 if they are not, and 2 if that cannot be told.
    Status(StatusArguments),
    /// Look whether a database's audit is whole: triggers, policies, and the history itself
    ///
    /// Ends with 0 if nothing is wrong, 1 if something is, and 2 if that cannot be told.
    Verify {
        #[command(flatten)]
        verify: VerifyArguments,
        #[command(flatten)]
        database: Database,
    },
    /// Give the audit an owner of its own; run as an administrator
    Protect(Protect),
    /// Move what waits in the journal into the ledger, until it is stopped
    Work(Work),
    /// Remove what is older than the policies keep it
    Purge(Purge),
    /// Keep something from being purged, for a reason
    Hold(PlaceHold),
    /// End a hold
    Release(ReleaseHold),
    /// Make what is recorded of a person unreadable, for a reason
    Erase(Erase),
    /// List the erasures on record
    Erasures(ListErasures),
    /// Write all that is on record about a person, as NDJSON
    Subject(ExportSubject),
    #[command(flatten)]
    Read(Read),
}

/// Runs the program on the process's arguments. Errors go to standard error
/// and make the exit code 1.
pub fn run(models: Models) -> ExitCode {
    dotenvy::dotenv().ok();
    exit(execute(&models, Arguments::parse().command))
}

/// The commands that only read, on the process's arguments: a program for
/// machines where the application is not at hand.
#[doc(hidden)]
pub fn run_reader() -> ExitCode {
    /// Who changed what, when and why: asks the audit of a database
    #[derive(Debug, Parser)]
    #[command(name = "threadline", version)]
    struct Arguments {
        #[command(subcommand)]
        command: Read,
    }

    dotenvy::dotenv().ok();
    exit(Arguments::parse().command.run())
}

fn exit(result: Result<ExitCode, Error>) -> ExitCode {
    result.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::FAILURE
    })
}

fn execute(models: &Models, command: Command) -> Result<ExitCode, Error> {
    match command {
        Command::Generate { folder } => {
            let dir = folder.find()?;
            let written = models.generate(&dir)?;
            for folder in &written {
                println!("Creating {}", folder.display());
            }
            if written.is_empty() {
                println!("Nothing to write: {} is up to date.", dir.display());
            } else {
                println!("Review them, then run `diesel migration run`.");
            }
        }
        Command::Check { folder } => {
            let dir = folder.find()?;
            models.check(&dir)?;
            println!("{} is up to date.", dir.display());
        }
        Command::Install { database } => {
            models.install(&mut database.connect()?)?;
            println!(
                "The audit schema and {} models are in force.",
                models.specs().len()
            );
        }
        Command::Protect(protect) => protect.run()?,
        Command::Work(work) => work.run()?,
        Command::Purge(purge) => purge.run()?,
        Command::Hold(hold) => hold.run()?,
        Command::Release(release) => release.run()?,
        Command::Erase(erase) => erase.run()?,
        Command::Erasures(list) => list.run()?,
        Command::Subject(subject) => subject.run()?,
        Command::Read(read) => return read.run(),
        Command::Verify { verify, database } => return Ok(verify.run(models, &database)),
        Command::Status(status) => return Ok(status.run(models)),
    }
    Ok(ExitCode::SUCCESS)
}
