//! Reverts a transaction or a record, after a preview.

use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use clap::Subcommand;
use diesel::PgConnection;
use threadline::__cli::{TextKey, ready, revert_record};
use threadline::{
    Action, ActorRef, AuditContext, AuditExt, ErrorKind, Filter, KeyExpression, TimelineEntry,
    record_action, revert_transaction, revert_transaction_but, timeline,
};

use crate::confirm::Confirmation;
use crate::database::Database;
use crate::error::Error;
use crate::read::print::print;
use crate::read::style::Terminal;
use crate::read::{Record, end_of_day, key_of};

/// How many changes of the preview are printed.
const SHOWN: usize = 1000;

/// The arguments of `revert`.
#[derive(Debug, clap::Args)]
pub(crate) struct Revert {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Undo the changes of a transaction, all or none
    Transaction {
        /// Its id in the audit tables
        id: i64,
        /// The ids of changes whose records stay as they are
        #[arg(long, value_name = "CHANGES", value_delimiter = ',')]
        leave_out: Vec<i64>,
        #[command(flatten)]
        saying: Saying,
    },
    /// Revert a record to its state at an instant
    Record {
        #[command(flatten)]
        record: Record,
        /// The instant: 2026-11-23T09:14:03Z, '2026-11-23 09:14' in UTC; a day or '2026-11-23 09:14:03' means its end
        #[arg(long, value_parser = end_of_day)]
        to: DateTime<Utc>,
        #[command(flatten)]
        saying: Saying,
    },
}

/// The actor and the reason of a revert.
#[derive(Debug, clap::Args)]
struct Saying {
    /// The actor of the revert, such as admin:grace
    #[arg(long)]
    actor: ActorRef,
    /// The reason; it is recorded
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    database: Database,
}

impl Revert {
    pub(crate) fn run(self) -> Result<(), Error> {
        match self.what {
            What::Transaction {
                id,
                leave_out,
                saying,
            } => saying.say(|conn| {
                if leave_out.is_empty() {
                    revert_transaction(conn, id)?;
                } else {
                    revert_transaction_but(conn, id, &leave_out)?;
                }
                Ok(())
            }),
            What::Record { record, to, saying } => {
                let conn = &mut saying.database.connect()?;
                let (key, _) = key_of(conn, &record.table, record.key)?;
                saying.say(|conn| {
                    let key = KeyExpression::<TextKey>::from(key.clone());
                    ready(revert_record(conn, record.table.clone(), key, to))
                })
            }
        }
    }
}

/// The outcome of the transaction of a preview.
enum Ended {
    Seen(Vec<TimelineEntry>),
    Failed(threadline::Error),
}

impl From<threadline::Error> for Ended {
    fn from(error: threadline::Error) -> Self {
        Self::Failed(error)
    }
}

impl From<diesel::result::Error> for Ended {
    fn from(error: diesel::result::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl Saying {
    fn say(
        self,
        revert: impl Fn(&mut PgConnection) -> Result<(), threadline::Error>,
    ) -> Result<(), Error> {
        let conn = &mut self.database.connect()?;
        let changes = self.preview(conn, &revert)?;
        if changes.is_empty() {
            println!("There is nothing to revert.");
            return Ok(());
        }
        for entry in changes.iter().rev() {
            print(&format!("{}\n", entry.change.styled(&Terminal)));
        }
        let count = changes.len();
        match count {
            1 => println!("1 change reverts it."),
            SHOWN => println!("{count} or more changes revert it."),
            _ => println!("{count} changes revert it."),
        }
        if !self.confirmation.given()? {
            return Ok(());
        }
        conn.audited_transaction(&self.context(None)?, |conn| self.revert(conn, &revert))
            .map_err(advised)?;
        println!("The revert is done and recorded.");
        Ok(())
    }

    fn revert(
        &self,
        conn: &mut PgConnection,
        revert: impl Fn(&mut PgConnection) -> Result<(), threadline::Error>,
    ) -> Result<(), threadline::Error> {
        record_action(
            conn,
            Action::new("incident.reverted").reason(self.reason.as_str()),
        )?;
        revert(conn)
    }

    /// Returns the changes of the revert. Makes them in a transaction that is rolled back.
    fn preview(
        &self,
        conn: &mut PgConnection,
        revert: impl Fn(&mut PgConnection) -> Result<(), threadline::Error>,
    ) -> Result<Vec<TimelineEntry>, Error> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let since = since.map_or(0, |since| since.as_nanos());
        // Identifies the changes of this preview.
        let own = format!("revert-preview-{}-{since}", process::id());
        let context = self.context(Some(&own))?;
        let ended = conn.audited_transaction::<(), Ended, _>(&context, |conn| {
            self.revert(conn, &revert)?;
            let filter = Filter::new().correlation_id(own.as_str());
            let page = timeline(filter).limit(SHOWN).page(conn)?;
            Err(Ended::Seen(page.entries))
        });
        match ended {
            Ok(()) => Ok(vec![]),
            Err(Ended::Seen(changes)) => Ok(changes),
            Err(Ended::Failed(error)) => Err(advised(error)),
        }
    }

    fn context(&self, correlation: Option<&str>) -> Result<AuditContext, Error> {
        let mut context = AuditContext::builder(self.actor.clone()).source("threadline");
        if let Some(id) = correlation {
            context = context.correlation_id(id);
        }
        Ok(context.build()?)
    }
}

/// Adds the flag that leaves out the conflicting changes to the error.
fn advised(error: threadline::Error) -> Error {
    let ErrorKind::RevertConflicts(conflicts) = error.kind() else {
        return error.into();
    };
    let mut changes: Vec<_> = conflicts
        .iter()
        .filter_map(|conflict| conflict.change_id)
        .map(|id| id.to_string())
        .collect();
    changes.dedup();
    if changes.is_empty() {
        return error.into();
    }
    Error::Message(format!(
        "{error}\n`--leave-out {}` leaves these records as they are, and is recorded",
        changes.join(",")
    ))
}
