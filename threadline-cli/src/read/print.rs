use std::process::ExitCode;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use threadline::__cli::{Count, Portable, TIME_FORMAT, actor_name, clean, plain};
use threadline::{
    ActorEntry, AuditAction, AuditTransaction, Blame, Error, Page, TimelineEntry, TransactionReport,
};

use super::style::{ACTION, ACTOR, TABLE, TIME, Terminal, paint};
use crate::terminal::ended;
pub(crate) use crate::terminal::print;

/// Prints results as text or as JSON.
pub(super) struct Output {
    json: bool,
}

type Printed = Result<ExitCode, Error>;

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    pub(super) fn is_json(&self) -> bool {
        self.json
    }

    /// Prints a number, and reports the number of other actions, which only changes have.
    pub(super) fn count(&self, count: u64, other_actions: Option<u64>) -> Printed {
        if self.json {
            return document(&Count {
                count,
                other_actions,
            });
        }
        print(&count.to_string());
        self::other_actions(other_actions.unwrap_or(0));
        Ok(ExitCode::SUCCESS)
    }

    pub(super) fn timeline(&self, page: &Page<TimelineEntry>) -> Printed {
        if self.json {
            return document(page);
        }
        let mut others = page.other_actions.iter().peekable();
        for entry in &page.entries {
            while let Some(action) =
                others.next_if(|action| action.occurred_at > entry.change.captured_at)
            {
                print(&format!("{}\n", alone(action)));
            }
            print(&entry.change.styled(&Terminal).to_string());
            for reference in &entry.references {
                print(&paint(
                    TIME,
                    &format!("    {}", clean(&reference.to_string())),
                ));
            }
            print(&paint(
                TIME,
                &format!("    in transaction {}", entry.change.transaction.id),
            ));
            actions(&entry.actions);
            print("");
        }
        for action in others {
            print(&format!("{}\n", alone(action)));
        }
        end(page);
        Ok(ExitCode::SUCCESS)
    }

    pub(super) fn actions(&self, page: &Page<AuditAction>) -> Printed {
        if self.json {
            return document(page);
        }
        for action in &page.entries {
            print(&alone(action));
        }
        end(page);
        Ok(ExitCode::SUCCESS)
    }

    pub(super) fn actor(&self, page: &Page<ActorEntry>) -> Printed {
        if self.json {
            return document(page);
        }
        let mut others = page.other_actions.iter().peekable();
        for entry in &page.entries {
            let began = entry.transaction.occurred_at;
            while let Some(action) = others.next_if(|action| Some(action.occurred_at) > began) {
                print(&alone(action));
            }
            print(&headline(&entry.transaction));
            actions(&entry.actions);
            for (table, changes) in &entry.changes {
                let rows = if *changes == 1 { "row" } else { "rows" };
                print(&format!(
                    "    {}: {changes} {rows}",
                    paint(TABLE, &clean(table))
                ));
            }
        }
        for action in others {
            print(&alone(action));
        }
        end(page);
        Ok(ExitCode::SUCCESS)
    }

    pub(super) fn transaction(&self, report: &TransactionReport) -> Printed {
        if self.json {
            return document(report);
        }
        print(&headline(&report.transaction));
        actions(&report.actions);
        for change in &report.changes {
            print(&format!("\n{}", change.styled(&Terminal)));
        }
        Ok(ExitCode::SUCCESS)
    }

    pub(super) fn row(&self, image: &Value) -> Printed {
        if self.json {
            return document(&Portable(image));
        }
        let columns: Vec<_> = image.as_object().into_iter().flatten().collect();
        let width = columns.iter().map(|(name, _)| name.chars().count()).max();
        for (name, value) in columns {
            let name = clean(name);
            print(&format!(
                "{}  {}",
                paint(TABLE, &format!("{name:width$}", width = width.unwrap_or(0))),
                plain(value)
            ));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Prints rows as they arrive: a JSON object a line, or a row and a blank line.
    pub(super) fn rows(
        &self,
        rows: impl Iterator<Item = Result<(Value, Value), Error>>,
    ) -> Printed {
        for row in rows {
            let (_, image) = row?;
            if self.json {
                let line = serde_json::to_string(&Portable(&image)).expect("a value becomes text");
                print(&line);
            } else {
                self.row(&image)?;
                print("");
            }
            if ended() {
                break;
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    pub(super) fn blame(&self, blame: &[Blame]) -> Printed {
        if self.json {
            return document(&blame);
        }
        let width = blame.iter().map(|blame| blame.column.chars().count()).max();
        for blame in blame {
            let column = clean(&blame.column);
            let actor = actor_name(blame.actor());
            print(&format!(
                "{}  {}  {}  {}",
                paint(
                    TABLE,
                    &format!("{column:width$}", width = width.unwrap_or(0))
                ),
                time(blame.change.captured_at),
                paint(ACTOR, &actor),
                plain(&blame.value),
            ));
            actions(&blame.actions);
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn actions(actions: &[AuditAction]) {
    for action in actions {
        print(&paint(ACTION, &format!("    {action}")));
    }
}

/// Reports on standard error how many actions without changes the result leaves out.
pub(super) fn other_actions(count: u64) {
    if count > 0 {
        eprintln!(
            "{count} actions without changes match, too; `actions --without-changes` has them."
        );
    }
}

/// Returns the text of a single action: time, name and actor, then the other fields.
fn alone(action: &AuditAction) -> String {
    let mut text = format!(
        "{}  {}",
        time(action.occurred_at),
        paint(ACTION, &action.to_string()),
    );
    if let Some(comment) = &action.comment {
        text.push_str(&format!("\n    comment      {}", clean(comment)));
    }
    if let Some(via) = action.via() {
        text.push_str(&format!("\n    via          {via}"));
    }
    if let Some(metadata) = &action.metadata {
        text.push_str(&format!("\n    metadata     {}", plain(metadata)));
    }
    if let Some(id) = action.transaction_id {
        text.push_str(&format!("\n    transaction  {id}"));
    }
    text
}

fn time(time: DateTime<Utc>) -> String {
    paint(TIME, &time.format(TIME_FORMAT).to_string())
}

fn headline(transaction: &AuditTransaction) -> String {
    let unknown = || paint(TIME, "at an unknown time");
    let actor = actor_name(transaction.actor.as_ref());
    format!(
        "{}  transaction {} by {}",
        transaction.occurred_at.map_or_else(unknown, time),
        transaction.id,
        paint(ACTOR, &actor)
    )
}

/// Prints notices after a page on standard error, so that a pipe receives only the entries.
fn end<T>(page: &Page<T>) {
    if page.is_empty() {
        eprintln!("Nothing on record matches.");
    }
    if page.has_more_actions {
        eprintln!(
            "Only {} actions without changes are shown; `actions --without-changes` has all.",
            page.other_actions.len()
        );
    }
    if let Some(next) = &page.next {
        eprintln!("There is more: --after {next}");
    }
}

pub(crate) fn document(value: &impl Serialize) -> Printed {
    let text = serde_json::to_string_pretty(value).expect("what is on record becomes text");
    print(&text);
    Ok(ExitCode::SUCCESS)
}
