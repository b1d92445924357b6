use std::thread;
use std::time::Duration;

use threadline::{Worker, post, waiting};

use super::database::{Database, establish};
use crate::error::Error;

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
            let conn = &mut database.connect()?;
            let moved = post(conn)?;
            println!("{moved} entries were moved into the ledger.");
            // The application may post, and not read what waits.
            if moved == 0 {
                let left = waiting(conn).map_or(0, |waiting| waiting.entries);
                if left > 0 {
                    println!(
                        "{left} wait. Another session is posting, or this one is read-only: see default_transaction_read_only."
                    );
                }
            }
            return Ok(());
        }
        let url = database.url()?.to_owned();
        Worker::new().every(Duration::from_millis(every)).run(
            || establish(&url),
            |pause, turn| {
                match turn {
                    Ok(0) => {}
                    Ok(moved) => println!("{moved} entries"),
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
