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
//! | `status` | shows what is in force in a database |
//! | `history members 42` | prints the changes of a record, newest first |
//! | `transaction 7` | prints a transaction whole |
//! | `actor user:42` | prints what an actor did, newest first |
//!
//! The database is `--database-url` or `DATABASE_URL`, also from a `.env` file;
//! the folder is found as Diesel's own program finds it: `--migration-dir`,
//! `MIGRATION_DIRECTORY`, `[migrations_directory]` in `diesel.toml`, or the
//! nearest `migrations` upwards.

mod folder;
mod read;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use diesel::{Connection, PgConnection};

use self::folder::Folder;
use crate::error::Error;
use crate::install::{ModelStatus, Status};
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
    /// Show what is in force in a database; fails if it is behind the models
    Status {
        #[command(flatten)]
        database: Database,
    },
    /// Print the changes of a record, newest first
    History {
        /// The table, as in SQL: members, app.members, '"Order"'
        table: String,
        /// The values of the primary key
        #[arg(required = true, allow_hyphen_values = true)]
        key: Vec<String>,
        #[command(flatten)]
        database: Database,
    },
    /// Print a transaction whole: its context, actions and changes
    Transaction {
        /// Its id in the audit tables
        id: i64,
        #[command(flatten)]
        database: Database,
    },
    /// Print what an actor did, newest first
    Actor {
        /// Type and id, as in user:42, or anonymous
        actor: String,
        /// At most so many transactions
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// Where a page ended, to go on there
        #[arg(long)]
        after: Option<String>,
        #[command(flatten)]
        database: Database,
    },
}

#[derive(Debug, clap::Args)]
struct Database {
    /// Where the database is, as in postgres://user@host/name
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
}

/// Runs the program on the process's arguments. Errors go to standard error
/// and make the exit code 1.
pub fn run(models: Models) -> ExitCode {
    dotenvy::dotenv().ok();
    match execute(&models, Arguments::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
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
        Command::History {
            table,
            key,
            database,
        } => read::history(&mut database.connect()?, table, key)?,
        Command::Transaction { id, database } => {
            if !read::transaction(&mut database.connect()?, id)? {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Actor {
            actor,
            limit,
            after,
            database,
        } => read::actor(&mut database.connect()?, &actor, limit, after.as_deref())?,
        Command::Status { database } => {
            let status = models.status(&mut database.connect()?)?;
            print_status(&status);
            if !status.is_current() {
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

impl Database {
    fn connect(&self) -> Result<PgConnection, Error> {
        Ok(PgConnection::establish(&self.database_url)?)
    }
}

fn print_status(status: &Status) {
    let mut out = io::stdout().lock();
    let needed = status.needed_version;
    let _ = match status.installed_version {
        None => writeln!(
            out,
            "audit schema   not installed (this crate: version {needed})"
        ),
        Some(version) if version < needed => {
            writeln!(
                out,
                "audit schema   version {version}, behind this crate's {needed}"
            )
        }
        Some(version) => writeln!(out, "audit schema   version {version}"),
    };
    let width = status.models.iter().map(|(spec, _)| spec.table.len()).max();
    for (spec, model) in &status.models {
        let text = match model {
            ModelStatus::Current => "audited",
            ModelStatus::PolicyDiffers => {
                "audited under another policy; generate and run migrations"
            }
            ModelStatus::CaptureOutdated => {
                "its columns changed; run SELECT threadline.refresh(...) in a migration"
            }
            ModelStatus::NotAudited => "not audited; generate and run migrations",
            ModelStatus::TableMissing => "table does not exist",
        };
        let _ = writeln!(
            out,
            "{:width$}   {text}",
            spec.table,
            width = width.unwrap_or(0)
        );
    }
}
