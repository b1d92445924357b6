use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use chrono::{DateTime, Utc};

use threadline::__cli::{Day, clean, instant, plain};
use threadline::{BrokenRecord, Finding, ResumePoint, Severity, Verification, VerifyProgress};

use super::database::Database;
use super::declared::Declared;
use super::paste::pasteable;
use super::read::print::{document, print};
use super::read::style::{TABLE, TIME, paint};
use crate::error::Error;
use crate::table_name::table_name;

/// The exit code if the check could not run.
pub(super) const UNKNOWN: u8 = 2;

/// The arguments of `verify`.
#[derive(Debug, clap::Args)]
pub(super) struct VerifyArguments {
    /// Check only one table, as in SQL: members, app.members, '"Order"'
    #[arg(long, value_parser = table_name)]
    table: Option<String>,
    /// Compare only changes from this instant on: 2026-11-23T09:14:03Z, '2026-11-23 09:14' in UTC, or a day
    #[arg(long, value_parser = start_of_day)]
    since: Option<DateTime<Utc>>,
    /// Tables that do not need an audit, as in SQL
    #[arg(long, value_name = "TABLES", value_delimiter = ',', value_parser = table_name)]
    allow_unaudited: Vec<String>,
    /// Fail if there is any other table without an audit
    #[arg(long)]
    deny_unaudited: bool,
    /// Compare histories in steps of about this many changes, and report each step on standard error
    #[arg(long, value_name = "CHANGES", value_parser = clap::value_parser!(u32).range(1..))]
    steps: Option<u32>,
    /// Stop after the step in which this many seconds have passed, and print where to continue
    #[arg(long = "for", value_name = "SECONDS", requires = "steps")]
    seconds: Option<u64>,
    /// Continue where a run was stopped
    #[arg(long, value_name = "POINT")]
    resume: Option<ResumePoint>,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn start_of_day(text: &str) -> Result<DateTime<Utc>, String> {
    instant(text, Day::Start)
}

impl VerifyArguments {
    pub(super) fn run(self, declared: &Declared, database: &Database) -> ExitCode {
        let json = self.json;
        let deny_unaudited = self.deny_unaudited;
        let shown = self.verify(declared, database).and_then(|verification| {
            if json {
                document(&verification)?;
            } else {
                show(&verification);
            }
            let unaudited = verification.unaudited().count();
            if deny_unaudited && unaudited > 0 {
                eprintln!(
                    "error: tables are not audited ({unaudited}); audit them, or name them in --allow-unaudited"
                );
            }
            Ok(verification.is_sound() && !(deny_unaudited && unaudited > 0))
        });
        match shown {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(UNKNOWN)
            }
        }
    }

    fn verify(self, declared: &Declared, database: &Database) -> Result<Verification, Error> {
        let mut verify = declared
            .models
            .verify()
            .allow_unaudited(declared.unaudited.iter().cloned())
            .allow_unaudited(self.allow_unaudited);
        if let Some(table) = self.table {
            verify = verify.table(table);
        }
        if let Some(since) = self.since {
            verify = verify.since(since);
        }
        if let Some(point) = self.resume {
            verify = verify.resume(point);
        }
        let conn = &mut database.connect()?;
        let Some(changes) = self.steps else {
            return Ok(verify.run(conn)?);
        };
        let end = self
            .seconds
            .map(|seconds| Instant::now() + Duration::from_secs(seconds));
        Ok(verify.run_in_steps(conn, changes, |at| {
            eprintln!("{}", progress(at));
            if end.is_some_and(|end| Instant::now() >= end) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?)
    }
}

fn progress(at: &VerifyProgress) -> String {
    let VerifyProgress {
        table,
        tables_done,
        tables,
        steps,
        findings,
        resume,
        ..
    } = at;
    format!(
        "{}: step {steps}, {tables_done} of {tables} tables done, {findings} findings; --resume {}",
        clean(table),
        shell_word(resume)
    )
}

/// Quotes a resume point for a shell. It is safe on a terminal, because JSON escapes controls.
fn shell_word(point: &ResumePoint) -> String {
    format!("'{}'", point.to_string().replace('\'', "'\\''"))
}

fn show(verification: &Verification) {
    for finding in &verification.findings {
        print(&headline(finding));
        for record in &finding.examples {
            print(&format!("    {}", example(record)));
        }
        let shown = i64::try_from(finding.examples.len()).unwrap_or(i64::MAX);
        if shown > 0 && finding.records > shown {
            print(&format!("    and {} more", finding.records - shown));
        }
        if let Some(fix) = &finding.fix {
            // Indentation does not change the SQL: no line ends within a name or a value.
            for line in pasteable(fix).lines() {
                print(&paint(TIME, &format!("    {line}")));
            }
        }
    }
    if let Some(point) = &verification.stopped {
        print(&format!(
            "stopped; continue with --resume {}",
            shell_word(point)
        ));
    }
    let count = |severity, one: &str, many: &str| match verification.count(severity) {
        1 => format!("1 {one}"),
        count => format!("{count} {many}"),
    };
    print(&format!(
        "{}, {}, {}",
        count(Severity::Error, "error", "errors"),
        count(Severity::Warning, "warning", "warnings"),
        count(Severity::Info, "notice", "notices"),
    ));
}

pub(super) fn headline(finding: &Finding) -> String {
    let severity = finding.severity();
    format!(
        "{}  {}  {}: {}",
        paint(style(&severity), &format!("{severity:7}")),
        finding.code,
        paint(
            TABLE,
            &clean(finding.table.as_deref().unwrap_or("database"))
        ),
        clean(&finding.message)
    )
}

fn example(record: &BrokenRecord) -> String {
    let of = |value: &Option<serde_json::Value>| match value {
        None => "no row".to_owned(),
        Some(value) => plain(value),
    };
    let key = record.key.as_ref().map_or("?".to_owned(), plain);
    format!(
        "{key}  expected {}, found {} (change {})",
        paint(AnsiColor::Green.on_default(), &of(&record.expected)),
        paint(AnsiColor::Red.on_default(), &of(&record.found)),
        record.change_id
    )
}

fn style(severity: &Severity) -> Style {
    match severity {
        Severity::Error => AnsiColor::Red.on_default(),
        Severity::Warning => AnsiColor::Yellow.on_default(),
        _ => TIME,
    }
}
