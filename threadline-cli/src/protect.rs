use threadline::__cli::{ready, watched};
use threadline::Protection;

use super::database::Database;
use crate::error::Error;

/// The roles that own, use and read the audit.
#[derive(Debug, clap::Args)]
pub(super) struct Protect {
    /// The role that will own the audit schema; created if it does not exist
    #[arg(long, value_name = "ROLE")]
    owner: String,
    /// A role that the application uses, or that runs its migrations
    #[arg(long, value_name = "ROLE", required = true)]
    application: Vec<String>,
    /// A role that may read the audit; created if it does not exist
    #[arg(long, value_name = "ROLE")]
    reader: Vec<String>,
    /// A role that may suspend capture
    #[arg(long, value_name = "ROLE")]
    suspender: Vec<String>,
    /// A role that may purge changes past their retention period
    #[arg(long, value_name = "ROLE")]
    purger: Vec<String>,
    /// A role that may place and release legal holds
    #[arg(long, value_name = "ROLE")]
    holder: Vec<String>,
    /// A role that may make the recorded data of a person unreadable
    #[arg(long, value_name = "ROLE")]
    eraser: Vec<String>,
    /// Print the SQL instead of running it
    #[arg(long)]
    print: bool,
    #[command(flatten)]
    database: Database,
}

impl Protect {
    pub(super) fn run(self) -> Result<(), Error> {
        let mut protection = Protection::of_owner(&self.owner);
        for role in &self.application {
            protection = protection.application(role);
        }
        for role in &self.reader {
            protection = protection.reader(role);
        }
        for role in &self.suspender {
            protection = protection.suspender(role);
        }
        for role in &self.purger {
            protection = protection.purger(role);
        }
        for role in &self.holder {
            protection = protection.holder(role);
        }
        for role in &self.eraser {
            protection = protection.eraser(role);
        }
        if self.print {
            println!("{}", protection.to_string().trim_end());
            return Ok(());
        }
        let conn = &mut self.database.connect()?;
        protection.apply(conn)?;
        println!(
            "{} owns the audit now. Run this again, with the same roles, after each upgrade of the audit schema.",
            self.owner
        );
        println!(
            "{}",
            if ready(watched(conn))? {
                "An event trigger records each change of the triggers of audited tables."
            } else {
                "This role may not create event triggers: if triggers are disabled and enabled again, no action is recorded. `verify` still compares histories with rows."
            }
        );
        Ok(())
    }
}
