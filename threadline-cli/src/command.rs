use std::process::ExitCode;

use clap::Subcommand;
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

/// What `--version` says.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the program of an application does.
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

/// What every program does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write the audit migrations that are missing
    Generate {
        #[command(flatten)]
        folder: Folder,
    },
    /// Fail if audit migrations are missing
    Check(Check),
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
    /// Build the capture of tables anew, from their columns as they are now
    Refresh(Refresh),
    /// End the audit of tables; what was recorded stays
    Unaudit(Unaudit),
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
    /// Put back what was, after showing it
    Revert(Revert),
    /// Show the audit in a browser of this machine
    #[cfg(feature = "web")]
    Serve(Serve),
    #[command(flatten)]
    Read(Read),
}

impl Command {
    /// Whether it compares something with what is declared.
    pub(crate) fn compares(&self) -> bool {
        matches!(
            self,
            Self::Generate { .. } | Self::Check(_) | Self::Status(_) | Self::Verify { .. }
        )
    }

    /// Whether it can do nothing without.
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
    Ok(())
}
