use std::process::ExitCode;

use clap::Subcommand;
use threadline::__cli::remarks;
use threadline::Models;

use crate::check::Check;
use crate::database::Database;
use crate::declared::Declared;
use crate::erasure::{Erase, ExportSubject, ListErasures};
use crate::error::Error;
use crate::folder::Folder;
use crate::protect::Protect;
use crate::read::Read;
use crate::retention::{PlaceHold, Purge, ReleaseHold};
use crate::revert::Revert;
#[cfg(feature = "web")]
use crate::serve::Serve;
use crate::status::StatusArguments;
use crate::tables::{Refresh, Unaudit};
use crate::verify::VerifyArguments;
use crate::work::Work;

/// The version that `--version` prints.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commands of an application's program.
#[derive(Debug, Subcommand)]
pub(crate) enum OfApplication {
    /// Bring a database up to date without migration files
    Install {
        #[command(flatten)]
        database: Database,
    },
    #[command(flatten)]
    Other(Command),
}

impl OfApplication {
    pub(crate) fn run(self, declared: &Declared) -> Result<ExitCode, Error> {
        match self {
            Self::Install { database } => {
                declared.models.install(&mut database.connect()?)?;
                println!(
                    "The audit schema and {} models are in force.",
                    declared.models.specs().len()
                );
                Ok(ExitCode::SUCCESS)
            }
            Self::Other(command) => command.run(declared),
        }
    }
}

/// The commands of every program.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write the audit migrations that are missing
    Generate {
        #[command(flatten)]
        folder: Folder,
    },
    /// Fail if audit migrations are missing
    Check(Check),
    /// Show whether changes are recorded as declared, and the state of the journal; for health checks
    ///
    /// Exits with 0 if they are, 1 if they are not, and 2 if the check could not run.
    Status(StatusArguments),
    /// Check that a database's audit is intact: triggers, policies, and the history itself
    ///
    /// Exits with 0 if there is no error, 1 if there is one, and 2 if the check could not run.
    Verify {
        #[command(flatten)]
        verify: VerifyArguments,
        #[command(flatten)]
        database: Database,
    },
    /// Rebuild the capture of tables from their current columns
    Refresh(Refresh),
    /// End the audit of tables; recorded changes stay
    Unaudit(Unaudit),
    /// Give the audit a separate owner; run as an administrator
    Protect(Protect),
    /// Move waiting entries from the journal into the ledger, until stopped
    Work(Work),
    /// Remove changes past their retention period
    Purge(Purge),
    /// Place a legal hold, which prevents purge and erasure
    Hold(PlaceHold),
    /// End a legal hold
    Release(ReleaseHold),
    /// Make the recorded data of a person unreadable
    Erase(Erase),
    /// List the erasures on record
    Erasures(ListErasures),
    /// Write all that is on record about a person, as NDJSON
    Subject(ExportSubject),
    /// Revert a transaction or a record, after a preview
    Revert(Revert),
    /// Show the audit in a browser of this machine
    #[cfg(feature = "web")]
    Serve(Serve),
    #[command(flatten)]
    Read(Read),
}

impl Command {
    /// Returns whether the command compares something with the declared tables.
    pub(crate) fn compares(&self) -> bool {
        matches!(
            self,
            Self::Generate { .. } | Self::Check(_) | Self::Status(_) | Self::Verify { .. }
        )
    }

    /// Returns whether the command cannot run without declared tables.
    pub(crate) fn needs_declarations(&self) -> bool {
        matches!(self, Self::Generate { .. } | Self::Check(_))
    }

    pub(crate) fn run(self, declared: &Declared) -> Result<ExitCode, Error> {
        match self {
            Self::Generate { folder } => generate(&declared.models, folder)?,
            Self::Check(check) => return check.run(&declared.models),
            Self::Status(status) => return Ok(status.run(&declared.models)),
            Self::Verify { verify, database } => return Ok(verify.run(declared, &database)),
            Self::Refresh(refresh) => refresh.run()?,
            Self::Unaudit(unaudit) => unaudit.run()?,
            Self::Protect(protect) => protect.run()?,
            Self::Work(work) => work.run()?,
            Self::Purge(purge) => purge.run()?,
            Self::Hold(hold) => hold.run()?,
            Self::Release(release) => release.run()?,
            Self::Erase(erase) => erase.run()?,
            Self::Erasures(list) => list.run()?,
            Self::Subject(subject) => subject.run()?,
            Self::Revert(revert) => revert.run()?,
            #[cfg(feature = "web")]
            Self::Serve(serve) => serve.run(&declared.models)?,
            Self::Read(read) => return read.run(),
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn generate(models: &Models, folder: Folder) -> Result<(), Error> {
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
    for remark in remarks(models, &dir, &written)? {
        eprintln!("note: {remark}");
    }
    Ok(())
}
