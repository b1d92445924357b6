//! The stand-alone program `threadline`, for teams without Rust models, and for machines
//! without the application.
//!
//! `cargo install threadline-cli` installs it. The audited tables and their policies are in
//! a file `threadline.toml` in the current folder or above, or in the file that `--tables`
//! names:
//!
//! ```toml
//! # Tables of the migration tool, which do not need an audit.
//! unaudited = ["schema_migrations"]
//!
//! [tables.members]
//! mask = ["email"]
//! exclude = ["password_hash"]
//! keep = "7 years"
//!
//! [tables."app.payments"]
//! require_actor = true
//! operations = ["update"]
//! condition = "OLD.status IS DISTINCT FROM NEW.status"
//! subject = { member_id = "members" }
//! ```
//!
//! A table is named as in SQL. It has the keys of `threadline.audit()`, under the same names:
//!
//! | key | means |
//! |---|---|
//! | `mask`, `exclude`, `hash` | columns stored as a placeholder, not at all, or as a keyed hash |
//! | `plain` | columns stored plain although their name suggests a secret |
//! | `columns` | only these columns are recorded, and the primary key |
//! | `ignore` | columns whose changes alone leave no record |
//! | `operations` | some of `insert`, `update`, `delete`, `truncate`, instead of all |
//! | `condition` | SQL expression over `OLD` and `NEW`; rows for which it is not true are not recorded. An insert has no `OLD` and a delete no `NEW`: name in `operations` those that have what it uses |
//! | `require_actor` | a write without an actor is refused |
//! | `keep` | how long changes are kept: `"7 years"` |
//! | `personal`, `subject` | columns with personal data, and columns that identify the person to whom a row belongs |
//! | `keyless` | the table may lack a primary key |
//!
//! | command | does |
//! |---|---|
//! | `install` | installs the audit schema, or upgrades it |
//! | `audit` | shows the SQL that makes the tables match the file, prompts, and runs it; `--dry-run` only shows it, for a migration of any tool, `--yes` does not prompt |
//! | `status`, `verify` | compare the database with the file |
//! | `generate`, `check` | write and check the same SQL as migrations in Diesel's layout, `up.sql` and `down.sql` |
//!
//! The other commands are those of [an application's program](crate). A table that the file
//! does not name is left unchanged: `unaudit` ends its audit.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use threadline::{ErrorKind, Models};

use crate::audit_tables::AuditTables;
use crate::command::{Command, VERSION};
use crate::database::Database;
use crate::declared::Declared;
use crate::error::Error;
use crate::exit;
use crate::tables_file::TablesFile;

/// Who changed what, when and why: the audit of a PostgreSQL database
#[derive(Debug, Parser)]
#[command(name = "threadline", version = VERSION)]
struct Arguments {
    #[command(flatten)]
    file: TablesFile,
    #[command(subcommand)]
    command: StandAlone,
}

#[derive(Debug, Subcommand)]
enum StandAlone {
    /// Install the audit schema in a database, or upgrade it
    Install {
        #[command(flatten)]
        database: Database,
    },
    /// Audit the tables as the file says, after showing the SQL
    Audit(AuditTables),
    #[command(flatten)]
    Other(Command),
}

/// Runs the program on the process's arguments, with the variables of a `.env` file.
pub fn run() -> ExitCode {
    dotenvy::dotenv().ok();
    exit(Arguments::parse().run().map_err(in_its_words))
}

impl Arguments {
    fn run(self) -> Result<ExitCode, Error> {
        match self.command {
            StandAlone::Install { database } => {
                let conn = &mut database.connect()?;
                let nothing = Models::new(vec![]);
                nothing.install(conn)?;
                let version = nothing.status(conn)?.installed_version;
                println!(
                    "The audit schema is installed, version {}.",
                    version.unwrap_or_default()
                );
                Ok(ExitCode::SUCCESS)
            }
            StandAlone::Audit(audit) => {
                audit.run(&self.file.read()?)?;
                Ok(ExitCode::SUCCESS)
            }
            StandAlone::Other(command) => {
                let declared = if command.needs_declarations() {
                    self.file.read()?
                } else if command.compares() {
                    let found = self.file.read_if_there()?;
                    if found.is_none() {
                        eprintln!("There is no threadline.toml: tables are not compared with it.");
                    }
                    found.unwrap_or(Declared::by(Models::new(vec![])))
                } else {
                    Declared::by(Models::new(vec![]))
                };
                command.run(&declared)
            }
        }
    }
}

/// Rewrites errors of the library so that they name the commands of this program.
fn in_its_words(error: Error) -> Error {
    let Error::Threadline(of_library) = &error else {
        return error;
    };
    match of_library.kind() {
        ErrorKind::SchemaMissing { installed: None } => Error::Message(
            "the audit schema is not installed in this database; run `threadline install`"
                .to_owned(),
        ),
        ErrorKind::SchemaMissing {
            installed: Some(installed),
        } => Error::Message(format!(
            "the audit schema in this database is version {installed}, and this program needs a newer one; run `threadline install`"
        )),
        ErrorKind::NotAudited { table } => Error::Message(format!(
            "table {table} is not audited; name it in threadline.toml and run `threadline audit`"
        )),
        _ => error,
    }
}
