use std::io::{self, BufRead, IsTerminal, Write};

use crate::error::Error;

/// Whether to do what was shown.
#[derive(Debug, clap::Args)]
pub(crate) struct Confirmation {
    /// Do it without asking
    #[arg(long)]
    yes: bool,
    /// Show what would be done, and do nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

impl Confirmation {
    /// Asks on a terminal; elsewhere nobody can answer.
    pub(crate) fn given(&self) -> Result<bool, Error> {
        if self.dry_run {
            return Ok(false);
        }
        if self.yes {
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            return Err(Error::Message(
                "nothing was done: say --yes, as nobody is there to be asked".to_owned(),
            ));
        }
        eprint!("Do this? [y/N] ");
        io::stderr().flush().ok();
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).ok();
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }
}
