use std::thread;
use std::time::Duration;

use threadline::{Worker, post};

use super::database::{Database, establish};
use crate::error::Error;
use crate::read::print::say;

/// The arguments of `work`.
#[derive(Debug, clap::Args)]
pub(super) struct Work {
    /// Post the entries that wait now, and exit
    #[arg(long)]
    once: bool,
    /// The pause after all entries were posted, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 200)]
    every: u64,
    #[command(flatten)]
    database: Database,
}

impl Work {
    pub(super) fn run(self) -> Result<(), Error> {
        let Self {
            once,
            every,
            database,
        } = self;
        if once {
            let moved = post(&mut database.connect()?)?;
            say(&format!("{moved} entries were moved into the ledger."));
            return Ok(());
        }
        let url = database.url()?.to_owned();
        Worker::new().every(Duration::from_millis(every)).run(
            || establish(&url),
            |pause, turn| {
                match turn {
                    Ok(0) => {}
                    Ok(moved) => say(&format!("{moved} entries")),
                    Err(error) => {
                        eprintln!("error: {error}; trying again in {} s", pause.as_secs())
                    }
                }
                thread::sleep(pause);
                true
            },
        );
        Ok(())
    }
}
