use threadline::__cli::TIME_FORMAT;
use threadline::{ActorRef, Hold, purge, purge_preview, release_hold};

use super::database::Database;
use crate::error::Error;
use crate::table_name::table_name;

/// The arguments of `purge`.
#[derive(Debug, clap::Args)]
pub(super) struct Purge {
    /// Show what would be removed, and remove nothing
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: print JSON, one line for each table
    #[arg(long, requires = "dry_run")]
    json: bool,
    #[command(flatten)]
    database: Database,
}

impl Purge {
    pub(super) fn run(self) -> Result<(), Error> {
        let conn = &mut self.database.connect()?;
        if !self.dry_run {
            let purged = purge(conn)?;
            println!("{purged} changes and actions were removed.");
            return Ok(());
        }
        let tables = purge_preview(conn)?;
        if self.json {
            for table in &tables {
                let line = serde_json::to_string(table).expect("a preview becomes text");
                println!("{line}");
            }
            return Ok(());
        }
        if tables.is_empty() {
            println!("Everything is kept: no policy sets a retention period.");
        }
        for table in tables {
            println!(
                "{}: kept for {}, since {}",
                table.table.as_deref().unwrap_or("actions"),
                table.keep,
                table.horizon.format(TIME_FORMAT)
            );
            match table.oldest {
                Some(oldest) => println!(
                    "    {} to remove ({} bytes), the oldest from {}",
                    table.goes,
                    table.bytes,
                    oldest.format(TIME_FORMAT)
                ),
                None => println!("    nothing to remove"),
            }
            if table.stays > 0 {
                println!("    {} are older and stay", table.stays);
            }
        }
        Ok(())
    }
}

/// The arguments of `hold`.
#[derive(Debug, clap::Args)]
pub(super) struct PlaceHold {
    /// The reason, such as the number of a lawsuit
    #[arg(long)]
    reason: String,
    /// The table whose changes are kept
    #[arg(long, value_parser = table_name)]
    table: Option<String>,
    /// The key of the record whose changes are kept
    #[arg(long, requires = "table")]
    record: Option<String>,
    /// The actor whose changes are kept, such as user:42
    #[arg(long)]
    actor: Option<ActorRef>,
    /// The correlation id of the changes that are kept
    #[arg(long = "correlation-id", value_name = "ID")]
    correlation: Option<String>,
    #[command(flatten)]
    database: Database,
}

impl PlaceHold {
    pub(super) fn run(self) -> Result<(), Error> {
        let mut hold = Hold::new(self.reason);
        hold = match (self.table, self.record) {
            (Some(table), Some(record)) => hold.record(table, record),
            (Some(table), None) => hold.table(table),
            (None, _) => hold,
        };
        if let Some(actor) = self.actor {
            hold = hold.actor(actor);
        }
        if let Some(correlation) = self.correlation {
            hold = hold.correlation_id(correlation);
        }
        let number = hold.place(&mut self.database.connect()?)?;
        println!("Hold {number} is in force. `release {number} --reason …` ends it.");
        Ok(())
    }
}

/// The arguments of `release`.
#[derive(Debug, clap::Args)]
pub(super) struct ReleaseHold {
    /// The number of the hold
    hold: i64,
    /// The reason why it ends
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    database: Database,
}

impl ReleaseHold {
    pub(super) fn run(self) -> Result<(), Error> {
        release_hold(&mut self.database.connect()?, self.hold, self.reason)?;
        println!("Hold {} has ended.", self.hold);
        Ok(())
    }
}
