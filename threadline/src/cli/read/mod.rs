//! The commands that ask what is on record.

mod export;
mod filter;
pub(super) mod print;
pub(super) mod style;
mod summary;
mod unmasked;

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Subcommand;

use self::export::ExportArguments;
use self::filter::FilterArguments;
use self::print::Output;
use self::summary::print_summary;
use self::unmasked::Unmasked;
use super::database::Database;
use crate::context::ActorRef;
use crate::error::Error;
use crate::explore::{Day, actor_history, blame, instant, summary, timeline, transaction};
use crate::model::KeyExpression;
use crate::record::{History, TextKey};
use crate::time_travel::{as_of_json, rows_as_of};

/// What can be asked.
#[derive(Debug, Subcommand)]
pub(super) enum Read {
    /// Print the changes of a record, newest first
    History {
        #[command(flatten)]
        record: Record,
        #[command(flatten)]
        unmasked: Unmasked,
        #[command(flatten)]
        common: Common,
    },
    /// Print changes across tables, newest first
    Timeline {
        #[command(flatten)]
        filter: Box<FilterArguments>,
        #[command(flatten)]
        paging: Paging,
        /// Print how many there are, instead of them
        #[arg(long)]
        count: bool,
        #[command(flatten)]
        unmasked: Unmasked,
        #[command(flatten)]
        common: Common,
    },
    /// Print how many changes there are, by day, table, operation and actor
    Summary {
        #[command(flatten)]
        filter: Box<FilterArguments>,
        #[command(flatten)]
        common: Common,
    },
    /// Print what an actor did, newest first
    Actor {
        /// Type and id, as in user:42, or anonymous
        actor: String,
        #[command(flatten)]
        paging: Paging,
        #[command(flatten)]
        common: Common,
    },
    /// Print a transaction whole: its context, actions and changes
    Transaction {
        /// Its id in the audit tables
        id: i64,
        #[command(flatten)]
        unmasked: Unmasked,
        #[command(flatten)]
        common: Common,
    },
    /// Print a record, or every row of a table, as it was at an instant
    AsOf {
        /// The table, as in SQL: members, app.members, '"Order"'
        table: String,
        /// The values of the primary key; without, the whole table
        #[arg(allow_negative_numbers = true)]
        key: Vec<String>,
        /// The instant: 2026-11-23T09:14:03Z, '2026-11-23 09:14' in UTC, or a day, whose end is meant
        #[arg(long = "at", value_parser = end_of_day)]
        instant: DateTime<Utc>,
        #[command(flatten)]
        common: Common,
    },
    /// Print who gave each column of a record its value
    Blame {
        #[command(flatten)]
        record: Record,
        #[command(flatten)]
        unmasked: Unmasked,
        #[command(flatten)]
        common: Common,
    },
    /// Write changes as CSV, JSON or NDJSON
    Export {
        #[command(flatten)]
        export: ExportArguments,
        #[command(flatten)]
        filter: Box<FilterArguments>,
        #[command(flatten)]
        unmasked: Unmasked,
        #[command(flatten)]
        database: Database,
    },
}

/// One record.
#[derive(Debug, clap::Args)]
pub(super) struct Record {
    /// The table, as in SQL: members, app.members, '"Order"'
    table: String,
    /// The values of the primary key; after -- one that begins with a hyphen
    #[arg(required = true, allow_negative_numbers = true)]
    key: Vec<String>,
}

/// A part of the answer.
#[derive(Debug, clap::Args)]
pub(super) struct Paging {
    /// At most so many entries
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Where a page ended, to go on there
    #[arg(long)]
    after: Option<String>,
}

/// What every question takes.
#[derive(Debug, clap::Args)]
pub(super) struct Common {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: Database,
}

fn end_of_day(text: &str) -> Result<DateTime<Utc>, String> {
    instant(text, Day::End)
}

impl Read {
    /// Asks and prints. Fails, without an error, when there is nothing to print
    /// of the one thing that was asked for.
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        match self {
            Self::History {
                record,
                unmasked,
                common,
            } => {
                let conn = &mut common.database.connect()?;
                let history = History::by_name(record.table.clone(), record.key.clone());
                let changes = unmasked.read(conn, |conn| history.load(conn))?;
                if changes.is_empty() && !common.json {
                    return Ok(nothing(&record));
                }
                common.output().changes(&changes)
            }
            Self::Timeline {
                filter,
                paging,
                count,
                unmasked,
                common,
            } => {
                let conn = &mut common.database.connect()?;
                let question = timeline(filter.filter()?);
                if count {
                    let count = unmasked.read(conn, |conn| question.count(conn))?;
                    return common.output().count(count);
                }
                let after = paging.after.as_deref().map(str::parse).transpose()?;
                let question = question.limit(paging.limit).after(after);
                let page = unmasked.read(conn, |conn| question.page(conn))?;
                common.output().timeline(&page)
            }
            Self::Summary { filter, common } => {
                let filter = filter.filter()?;
                let summary = summary(&mut common.database.connect()?, &filter)?;
                print_summary(&common.output(), &summary)
            }
            Self::Actor {
                actor,
                paging,
                common,
            } => {
                let actor: ActorRef = actor.parse()?;
                let conn = &mut common.database.connect()?;
                let after = paging.after.as_deref().map(str::parse).transpose()?;
                let page = actor_history(&actor)
                    .limit(paging.limit)
                    .after(after)
                    .page(conn)?;
                common.output().actor(&page)
            }
            Self::Transaction {
                id,
                unmasked,
                common,
            } => {
                let conn = &mut common.database.connect()?;
                match unmasked.read(conn, |conn| transaction(conn, id))? {
                    Some(report) => common.output().transaction(&report),
                    None => {
                        eprintln!("error: there is no transaction {id} on record");
                        Ok(ExitCode::FAILURE)
                    }
                }
            }
            Self::AsOf {
                table,
                instant,
                key,
                common,
            } => {
                let conn = &mut common.database.connect()?;
                if key.is_empty() {
                    return common.output().rows(rows_as_of(conn, table, instant)?);
                }
                let key = KeyExpression {
                    values: TextKey(key),
                };
                match as_of_json(conn, table, key, instant)? {
                    Ok(image) => common.output().row(&image),
                    Err(reason) => {
                        eprintln!("error: {reason}");
                        Ok(ExitCode::FAILURE)
                    }
                }
            }
            Self::Blame {
                record,
                unmasked,
                common,
            } => {
                let conn = &mut common.database.connect()?;
                let history = History::by_name(record.table.clone(), record.key.clone());
                let changes = unmasked.read(conn, |conn| history.load(conn))?;
                if changes.is_empty() && !common.json {
                    return Ok(nothing(&record));
                }
                let blame = blame(conn, changes)?;
                common.output().blame(&blame)
            }
            Self::Export {
                export,
                filter,
                unmasked,
                database,
            } => {
                let filter = filter.filter()?;
                unmasked.read(&mut database.connect()?, |conn| export.run(conn, filter))
            }
        }
    }
}

impl Common {
    fn output(&self) -> Output {
        Output::new(self.json)
    }
}

fn nothing(record: &Record) -> ExitCode {
    eprintln!(
        "error: nothing is on record of {} {}",
        record.table,
        record.key.join(" ")
    );
    ExitCode::FAILURE
}
