//! The commands that query the audit.

mod export;
mod filter;
pub(super) mod print;
pub(super) mod style;
mod summary;
mod unmasked;

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::Subcommand;
use diesel::PgConnection;

use self::export::ExportArguments;
use self::filter::FilterArguments;
use self::print::Output;
use self::summary::print_summary;
use self::unmasked::Unmasked;
use threadline::__cli::{
    Day, FormerKey, Gaps, KnownTable, NOBODY, TIME_FORMAT, TextKey, UnseenRemoval, as_of_json,
    blame, instant, known_table, ready, record as record_key, rows_as_of, transaction_up_to,
    unseen_removals,
};
use threadline::{
    ActionFilter, ActorRef, Cursor, Filter, FilterError, History, KeyExpression, Page, Referring,
    actions, actor_history, summary, timeline,
};

use super::database::Database;
use crate::error::Error;
use crate::table_name::table_name;

/// The commands that query the audit.
#[derive(Debug, Subcommand)]
pub(super) enum Read {
    /// Print the changes of a record with their actions, newest first
    History {
        #[command(flatten)]
        record: Record,
        /// Include the rows that referred to it at the time, by a foreign key or a column: posts, posts.user_id, versions.crate_id/dependencies.version_id
        #[arg(long = "with", value_name = "REFERENCE")]
        with: Vec<Referring>,
        #[command(flatten)]
        unmasked: Unmasked,
        #[command(flatten)]
        paging: Paging,
        #[command(flatten)]
        common: Common,
    },
    /// Print changes across tables, newest first
    Timeline {
        #[command(flatten)]
        filter: Box<FilterArguments<Filter>>,
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
    /// Print actions, newest first, also those without changes
    Actions {
        #[command(flatten)]
        filter: Box<FilterArguments<ActionFilter>>,
        #[command(flatten)]
        paging: Paging,
        /// Print how many there are, instead of them
        #[arg(long)]
        count: bool,
        #[command(flatten)]
        common: Common,
    },
    /// Print how many changes there are, by day, table, operation and actor
    Summary {
        #[command(flatten)]
        filter: Box<FilterArguments<Filter>>,
        #[command(flatten)]
        common: Common,
    },
    /// Print the changes and actions of an actor, newest first
    Actor {
        /// Type and id, such as user:42, or anonymous; or nobody, for changes without an actor
        actor: String,
        #[command(flatten)]
        paging: Paging,
        #[command(flatten)]
        common: Common,
    },
    /// Print a whole transaction: its context, actions and changes
    Transaction {
        /// Its id in the audit tables
        id: i64,
        /// At most this many changes, the first ones; by default all
        #[arg(long)]
        limit: Option<usize>,
        #[command(flatten)]
        unmasked: Unmasked,
        #[command(flatten)]
        common: Common,
    },
    /// Print a record, or every row of a table, at an instant
    AsOf {
        /// The table, as in SQL: members, app.members, '"Order"'
        #[arg(value_parser = table_name)]
        table: String,
        /// The values of the primary key; by default the whole table
        #[arg(allow_negative_numbers = true)]
        key: Vec<String>,
        /// The instant: 2026-11-23T09:14:03Z, '2026-11-23 09:14' in UTC; a day or '2026-11-23 09:14:03' means its end; or yesterday, 2h, '1 hour ago'
        #[arg(long = "at", value_parser = end_of_day)]
        instant: DateTime<Utc>,
        /// At most this many rows of the table; by default all
        #[arg(long, conflicts_with = "key")]
        limit: Option<usize>,
        #[command(flatten)]
        unmasked: Unmasked,
        #[command(flatten)]
        common: Common,
    },
    /// Print the actor and time of each column's current value
    Blame {
        #[command(flatten)]
        record: Record,
        #[command(flatten)]
        unmasked: Unmasked,
        #[command(flatten)]
        common: Common,
    },
    /// Write changes as CSV, JSON or NDJSON; for actions without changes, use `actions --json`
    Export {
        #[command(flatten)]
        export: ExportArguments,
        #[command(flatten)]
        filter: Box<FilterArguments<Filter>>,
        #[command(flatten)]
        unmasked: Unmasked,
        #[command(flatten)]
        database: Database,
    },
}

/// One record.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(crate) struct Record {
    /// The table, as in SQL: members, app.members, '"Order"'
    #[arg(value_parser = table_name)]
    pub(crate) table: String,
    /// The values of the primary key; put -- before a value that begins with a hyphen
    #[arg(required = true, allow_negative_numbers = true)]
    pub(crate) key: Vec<String>,
}

/// The arguments of a page.
#[derive(Debug, clap::Args)]
pub(super) struct Paging {
    /// At most this many entries
    #[arg(long, default_value = "50", value_parser = at_least_one)]
    limit: usize,
    /// The end of a page, to continue with the next one
    #[arg(long)]
    after: Option<String>,
}

impl Paging {
    fn cursor(&self) -> Result<Option<Cursor>, Error> {
        Ok(self.after.as_deref().map(str::parse).transpose()?)
    }
}

/// The arguments of every query.
#[derive(Debug, clap::Args)]
pub(super) struct Common {
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: Database,
}

/// Parses a limit. A page of no entries would look as if nothing matched.
fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("a page has at least one entry; `--count` gives their number".to_owned()),
        Ok(limit) => Ok(limit),
        Err(error) => Err(error.to_string()),
    }
}

pub(crate) fn end_of_day(text: &str) -> Result<DateTime<Utc>, String> {
    instant(text, Day::End)
}

impl Read {
    /// Runs the query and prints the result. Returns a failure, not an error, if the single
    /// requested object does not exist.
    pub(super) fn run(self) -> Result<ExitCode, Error> {
        match self {
            Self::History {
                record,
                with,
                unmasked,
                paging,
                common,
            } => {
                let conn = &mut common.database.connect()?;
                let after = paging.cursor()?;
                let (key, table) = key_of(conn, &record.table, record.key.clone())?;
                let history = History::by_name(record.table.clone(), key)
                    .limit(paging.limit)
                    .after(after)?;
                let page = unmasked.read(conn, |conn| {
                    if with.is_empty() {
                        history.page(conn)
                    } else {
                        history.with(with).page(conn)
                    }
                })?;
                if page.entries.is_empty() && after.is_none() && !common.json {
                    let removals = ready(unseen_removals(conn, &record.table))?;
                    return Ok(nothing(&record, &table, &removals));
                }
                // Without changes of rows that refer to it.
                let own = page
                    .entries
                    .iter()
                    .filter(|entry| entry.references.is_empty());
                let own: Vec<_> = own.map(|entry| &entry.change).collect();
                let ends = (after.is_none(), page.next.is_none());
                let gaps = ready(Gaps::find(conn, &record.table, &table, &own, ends))?;
                let printed = common.output().timeline(&page)?;
                for removal in &gaps.removals {
                    unseen(removal, "removed it");
                }
                if let Some(former) = &gaps.former_key {
                    former_key(&record, &table, former);
                }
                Ok(printed)
            }
            Self::Timeline {
                filter,
                paging,
                count,
                unmasked,
                common,
            } => {
                let conn = &mut common.database.connect()?;
                let filter = filter.filter()?;
                let question = timeline(filter.clone());
                if count {
                    let others = question.clone().count_other_actions(conn)?;
                    let count = unmasked.read(conn, |conn| question.count(conn))?;
                    return Ok(common.output().count(count, Some(others))?);
                }
                let after = paging.cursor()?;
                let question = question.limit(paging.limit).after(after);
                let page = unmasked.read(conn, |conn| question.page(conn))?;
                if page.is_empty() && after.is_none() {
                    if let Some(filter) = filter.at_any_time() {
                        outside(&timeline(filter).limit(1).page(conn)?, |entry| {
                            entry.change.captured_at
                        });
                    }
                }
                Ok(common.output().timeline(&page)?)
            }
            Self::Summary { filter, common } => {
                let filter = filter.filter()?;
                let summary = summary(&mut common.database.connect()?, &filter)?;
                Ok(print_summary(&common.output(), &summary)?)
            }
            Self::Actions {
                filter,
                paging,
                count,
                common,
            } => {
                let conn = &mut common.database.connect()?;
                let filter = filter.filter()?;
                let question = actions(filter.clone());
                if count {
                    let count = question.count(conn)?;
                    return Ok(common.output().count(count, None)?);
                }
                let after = paging.cursor()?;
                let page = question.limit(paging.limit).after(after).page(conn)?;
                if page.is_empty() && after.is_none() {
                    if let Some(filter) = filter.at_any_time() {
                        outside(&actions(filter).limit(1).page(conn)?, |action| {
                            action.occurred_at
                        });
                    }
                }
                Ok(common.output().actions(&page)?)
            }
            Self::Actor {
                actor,
                paging,
                common,
            } => {
                let after = paging.cursor()?;
                let conn = &mut common.database.connect()?;
                if actor == NOBODY {
                    let page = timeline(Filter::new().without_actor())
                        .limit(paging.limit)
                        .after(after)
                        .page(conn)?;
                    return Ok(common.output().timeline(&page)?);
                }
                let actor: ActorRef = actor.parse()?;
                let page = actor_history(&actor)
                    .limit(paging.limit)
                    .after(after)
                    .page(conn)?;
                Ok(common.output().actor(&page)?)
            }
            Self::Transaction {
                id,
                limit,
                unmasked,
                common,
            } => {
                // One additional change shows whether there are more.
                let one_more =
                    limit.map(|limit| i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1));
                let conn = &mut common.database.connect()?;
                match unmasked.read(conn, |conn| ready(transaction_up_to(conn, id, one_more)))? {
                    Some(mut report) => {
                        if let Some(limit) = limit.filter(|limit| report.changes.len() > *limit) {
                            report.changes.truncate(limit);
                            cut(limit, "changes");
                        }
                        Ok(common.output().transaction(&report)?)
                    }
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
                limit,
                unmasked,
                common,
            } => {
                let conn = &mut common.database.connect()?;
                if key.is_empty() {
                    ready(known_table(conn, &table))?;
                    return Ok(unmasked.read(conn, |conn| {
                        let mut rows = ready(rows_as_of(conn, table, instant))?;
                        let Some(limit) = limit else {
                            return common.output().rows(rows);
                        };
                        let printed = common.output().rows(rows.by_ref().take(limit))?;
                        if rows.next().is_some() {
                            cut(limit, "rows");
                        }
                        Ok(printed)
                    })?);
                }
                let (key, _) = key_of(conn, &table, key)?;
                let key = KeyExpression::<TextKey>::from(key);
                match unmasked.read(conn, |conn| ready(as_of_json(conn, table, key, instant)))? {
                    Ok(image) => Ok(common.output().row(&image)?),
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
                let (key, table) = key_of(conn, &record.table, record.key.clone())?;
                let history = History::by_name(record.table.clone(), key);
                let changes = unmasked.read(conn, |conn| history.load(conn))?;
                if changes.is_empty() && !common.json {
                    return Ok(nothing(&record, &table, &[]));
                }
                let blame = ready(blame(conn, changes))?;
                Ok(common.output().blame(&blame)?)
            }
            Self::Export {
                export,
                filter,
                unmasked,
                database,
            } => {
                let filter = filter.filter()?;
                let format = export.format()?;
                Ok(unmasked.read(&mut database.connect()?, |conn| {
                    export.run(conn, filter, format)
                })?)
            }
        }
    }
}

impl Common {
    fn output(&self) -> Output {
        Output::new(self.json)
    }
}

/// Reports on standard error that the output was cut, so that a pipe does not receive it.
fn cut(limit: usize, what: &str) {
    eprintln!("There are more than {limit} {what}.");
}

/// Returns the values of a key, one for each column of the table's key. Also accepts them
/// as one text in the form of the filter `record`.
pub(crate) fn key_of(
    conn: &mut PgConnection,
    name: &str,
    mut key: Vec<String>,
) -> Result<(Vec<String>, KnownTable), Error> {
    let table = ready(known_table(conn, name))?;
    let columns = table.key_columns.len();
    if let ([one], 2..) = (&key[..], columns) {
        if let Ok(values) = record_key(one) {
            key = values.into_values();
        }
    }
    if columns > 0 && key.len() != columns {
        return Err(FilterError::RecordKey {
            table: name.to_owned(),
            columns: table.key_columns.join(", "),
            given: key.len(),
        }
        .into());
    }
    Ok((key, table))
}

fn nothing(record: &Record, table: &KnownTable, removals: &[UnseenRemoval]) -> ExitCode {
    let since = match (table.former_keys.last(), table.since) {
        (Some(former), since) if since.is_none_or(|since| since <= former.until) => format!(
            ": no row with this key was written since the primary key became ({}), {}",
            table.key_columns.join(", "),
            former.until.format(TIME_FORMAT)
        ),
        (_, Some(since)) => format!(
            ": no row with this key was written since the audit of the table began, {}",
            since.format(TIME_FORMAT)
        ),
        (_, None) => String::new(),
    };
    eprintln!(
        "error: nothing is on record of {} {}{since}",
        record.table,
        record.key.join(" ")
    );
    if let Some(former) = table.former_keys.last() {
        former_key(record, table, former);
    }
    for removal in removals {
        unseen(removal, "may have removed it");
    }
    ExitCode::FAILURE
}

fn unseen(removal: &UnseenRemoval, what: &str) {
    eprintln!(
        "A TRUNCATE at {} {what}: only the number of rows is on record, see transaction {}.",
        removal.at.format(TIME_FORMAT),
        removal.transaction
    );
}

fn former_key(record: &Record, table: &KnownTable, former: &FormerKey) {
    let until = former.until.format(TIME_FORMAT);
    let Some(first) = former.columns.first() else {
        eprintln!("Before {until}, {} had no primary key.", record.table);
        return;
    };
    if former.columns == table.key_columns {
        eprintln!(
            "Before {until}, the key of {} was recorded in another form, as a value or as a keyed hash.",
            record.table
        );
        return;
    }
    eprintln!(
        "Before {until}, the primary key of {} was ({}). Changes of that time are found by its columns: timeline --table {} --key {first}=…",
        record.table,
        former.columns.join(", "),
        record.table,
    );
}

/// Reports for an empty page that entries match outside of its span of time.
fn outside<T>(page: &Page<T>, time: impl Fn(&T) -> DateTime<Utc>) {
    let entries = page.entries.iter().map(time);
    let actions = page.other_actions.iter().map(|action| action.occurred_at);
    if let Some(newest) = entries.chain(actions).max() {
        eprintln!(
            "Without --from and --to something matches; the newest is of {}.",
            newest.format(TIME_FORMAT)
        );
    }
}
