use std::io::{self, BufRead, IsTerminal, Write};

use crate::error::Error;

/// The arguments of a command that can show what it would do.
#[derive(Debug, clap::Args)]
pub(crate) struct Confirmation {
    #[command(flatten)]
    prompt: Prompt,
    /// Show what would be done, and change nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
}

impl Confirmation {
    /// Returns whether to proceed.
    pub(crate) fn given(&self) -> Result<bool, Error> {
        if self.dry_run {
            return Ok(false);
        }
        self.prompt.given()
    }
}

/// The argument of a command that cannot be undone.
#[derive(Debug, clap::Args)]
pub(crate) struct Prompt {
    /// Proceed without a prompt
    #[arg(long)]
    yes: bool,
}

impl Prompt {
    /// Returns whether to proceed. Prompts on a terminal; elsewhere it requires `--yes`.
    pub(crate) fn given(&self) -> Result<bool, Error> {
        if self.yes {
            return Ok(true);
        }
        if !io::stdin().is_terminal() {
            return Err(Error::Message(
                "nothing was done: pass --yes, because there is no terminal for a prompt"
                    .to_owned(),
            ));
        }
        eprint!("Proceed? [y/N] ");
        io::stderr().flush().ok();
        let mut answer = String::new();
        io::stdin().lock().read_line(&mut answer).ok();
        Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
    }
}
