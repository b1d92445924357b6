use std::process::ExitCode;

use threadline::__cli::{Checked, remarks};
use threadline::{ErrorKind, Models};

use crate::error::Error;
use crate::folder::Folder;
use crate::read::print::document;

/// The arguments of `check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    #[command(flatten)]
    folder: Folder,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    pub(crate) fn run(self, models: &Models) -> Result<ExitCode, Error> {
        let dir = self.folder.find()?;
        let checked = models.check(&dir);
        if !self.json {
            checked?;
            println!("{} is up to date.", dir.display());
            for remark in remarks(models, &dir, &[])? {
                eprintln!("note: {remark}");
            }
            return Ok(ExitCode::SUCCESS);
        }
        let missing = match checked.as_ref().map_err(threadline::Error::kind) {
            Err(ErrorKind::OutOfDate { missing }) => missing.as_slice(),
            _ => &[],
        };
        document(&Checked {
            up_to_date: checked.is_ok(),
            missing: missing.to_vec(),
            message: checked.as_ref().err().map(ToString::to_string),
        })?;
        Ok(match checked {
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        })
    }
}
