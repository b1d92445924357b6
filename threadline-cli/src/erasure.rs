use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use diesel::PgConnection;
use threadline::__cli::{TIME_FORMAT, clean};
use threadline::{ActorRef, Erased, Erasure, SubjectExport, TextsLeft, erasures, resume_erasure};

use super::database::Database;
use crate::confirm::Prompt;
use crate::error::Error;
use crate::table_name::table_name;
use crate::terminal::{counted, data};

/// A person, such as `users:42`.
#[derive(Debug, Clone)]
struct Subject {
    table: String,
    record_key: String,
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some((table, key)) if !table.is_empty() && !key.is_empty() => Ok(Self {
                table: table_name(table)?,
                record_key: key.to_owned(),
            }),
            _ => Err("expected a table and the key of a record, such as users:42".to_owned()),
        }
    }
}

/// The arguments of `erase`.
#[derive(Debug, clap::Args)]
pub(super) struct Erase {
    /// The person: a table and the key of the person's record, such as users:42
    #[arg(long, required_unless_present_any = ["unfinished", "again"], requires = "reason")]
    subject: Option<Subject>,
    /// The reason, such as the number of the request; it is recorded and should not name a person
    #[arg(long)]
    reason: Option<String>,
    /// A column such as users.email, instead of what the models declare; may be repeated
    #[arg(long, requires = "subject")]
    column: Vec<String>,
    /// Also erase the texts of this actor, such as user:42: reason, comment, metadata, address
    #[arg(long, requires = "subject")]
    actor: Option<ActorRef>,
    /// Also erase reason, comment and metadata of this action; may be repeated
    #[arg(long, value_name = "ID", requires = "subject")]
    action: Vec<i64>,
    /// Continue erasures that were stopped
    #[arg(long, conflicts_with_all = ["subject", "again"])]
    unfinished: bool,
    /// Repeat the erasures that `erasures --json` listed, after a backup was restored
    #[arg(long, value_name = "FILE", conflicts_with = "subject")]
    again: Option<PathBuf>,
    #[command(flatten)]
    prompt: Prompt,
    #[command(flatten)]
    database: Database,
}

impl Erase {
    pub(super) fn run(self) -> Result<(), Error> {
        let conn = &mut self.database.connect()?;
        if let Some(file) = self.again {
            // The whole list is read before anything is erased.
            let listed = listed(&file)?;
            for erased in &listed {
                warn(&erased.table, &erased.record_key);
            }
            if !self.prompt.given()? {
                return Ok(());
            }
            for erased in listed {
                let erased = erased.again()?.erase(conn)?;
                report(conn, &erased)?;
            }
            return Ok(());
        }
        if self.unfinished {
            for erased in erasures(conn)? {
                if erased.ended_at.is_none() {
                    let erased = resume_erasure(conn, erased.id)?;
                    report(conn, &erased)?;
                }
            }
            return Ok(());
        }
        let Some(subject) = self.subject else {
            return Ok(());
        };
        warn(&subject.table, &subject.record_key);
        if !self.prompt.given()? {
            return Ok(());
        }
        let reason = self.reason.unwrap_or_default();
        let mut erasure = Erasure::of(subject.table, subject.record_key, reason);
        for column in self.column {
            erasure = erasure.column(column);
        }
        for action in self.action {
            erasure = erasure.action(action);
        }
        if let Some(actor) = self.actor {
            erasure = erasure.actor(actor);
        }
        let erased = erasure.erase(conn)?;
        report(conn, &erased)
    }
}

fn warn(table: &str, record_key: &str) {
    eprintln!(
        "The recorded personal data of {}:{} becomes unreadable in every recorded row, which cannot be undone.",
        clean(table),
        clean(record_key)
    );
}

fn listed(path: &Path) -> Result<Vec<Erased>, Error> {
    let unreadable = |source| Error::io(path, source);
    let list = fs::read_to_string(path).map_err(unreadable)?;
    list.lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| serde_json::from_str(line).map_err(|error| unreadable(error.into())))
        .collect()
}

fn report(conn: &mut PgConnection, erased: &Erased) -> Result<(), Error> {
    let Erased {
        id,
        table,
        record_key,
        changes,
        texts,
        ..
    } = erased;
    println!(
        "Erasure {id} of {table}:{record_key} is done: values of {changes} changes and texts of {texts} actions and transactions."
    );
    for TextsLeft {
        actor,
        actions,
        transactions,
        ..
    } in erased.texts_left(conn)?
    {
        println!(
            "The audit keeps texts and addresses of {actions} actions and {transactions} transactions of {actor}. If this is the same person, erase them too: audit erase --subject {table}:{record_key} --actor {actor}"
        );
    }
    Ok(())
}

/// The arguments of `erasures`.
#[derive(Debug, clap::Args)]
pub(super) struct ListErasures {
    /// Print JSON, one line for each erasure; keep it separate from backups, for `erase --again`
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    database: Database,
}

impl ListErasures {
    pub(super) fn run(self) -> Result<(), Error> {
        for erased in erasures(&mut self.database.connect()?)? {
            if self.json {
                let line = serde_json::to_string(&erased).expect("an erasure becomes text");
                println!("{line}");
                continue;
            }
            let Erased {
                id,
                table,
                record_key,
                reason,
                erased_by,
                begun_at,
                ended_at,
                changes,
                ..
            } = erased;
            let begun_at = begun_at.format(TIME_FORMAT);
            let done = match ended_at {
                Some(_) => counted(changes.unsigned_abs(), "change"),
                None => "not done; `erase --unfinished` continues it".to_owned(),
            };
            println!("{id}  {table}:{record_key}  {begun_at} by {erased_by}: {reason} ({done})");
        }
        Ok(())
    }
}

/// The arguments of `subject`.
#[derive(Debug, clap::Args)]
pub(super) struct ExportSubject {
    /// A table and the key of the person's record, such as users:42
    subject: Subject,
    /// Include the transactions and actions of this actor, such as user:42
    #[arg(long)]
    actor: Option<ActorRef>,
    /// The format
    #[arg(long, default_value = "ndjson")]
    format: SubjectFormat,
    #[command(flatten)]
    database: Database,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum SubjectFormat {
    Csv,
    Ndjson,
}

impl ExportSubject {
    pub(super) fn run(self) -> Result<(), Error> {
        let Subject { table, record_key } = self.subject;
        let mut export = SubjectExport::of(table, record_key);
        if let Some(actor) = self.actor {
            export = export.actor(actor);
        }
        if matches!(self.format, SubjectFormat::Csv) {
            export = export.csv();
        }
        let conn = &mut self.database.connect()?;
        let mut out = data();
        export.write(conn, &mut out)?;
        Ok(())
    }
}
