//! The commands that print what is on record.

use std::io::{self, Write};

use diesel::PgConnection;

use crate::context::ActorRef;
use crate::error::Error;
use crate::explore::{actor_history, transaction as load_transaction};
use crate::record::{AuditTransaction, History, clean};

pub(super) fn history(
    conn: &mut PgConnection,
    table: String,
    key: Vec<String>,
) -> Result<(), Error> {
    let changes = History::by_name(table.clone(), key.clone()).load(conn)?;
    if changes.is_empty() {
        print(&format!(
            "Nothing is on record of {table} {}.",
            key.join(" ")
        ));
    }
    for change in changes {
        print(&format!("{change}\n"));
    }
    Ok(())
}

/// Whether there is such a transaction.
pub(super) fn transaction(conn: &mut PgConnection, id: i64) -> Result<bool, Error> {
    let Some(report) = load_transaction(conn, id)? else {
        eprintln!("error: there is no transaction {id} on record");
        return Ok(false);
    };
    print(&headline(&report.transaction));
    for action in &report.actions {
        print(&format!("    {action}"));
    }
    for change in &report.changes {
        print(&format!("\n{change}"));
    }
    Ok(true)
}

pub(super) fn actor(
    conn: &mut PgConnection,
    actor: &str,
    limit: usize,
    after: Option<&str>,
) -> Result<(), Error> {
    let actor: ActorRef = actor.parse()?;
    let after = after.map(str::parse).transpose()?;
    let page = actor_history(&actor).limit(limit).after(after).page(conn)?;
    if page.entries.is_empty() {
        print(&format!("Nothing is on record of {actor}."));
    }
    for entry in page.entries {
        print(&headline(&entry.transaction));
        for action in &entry.actions {
            print(&format!("    {action}"));
        }
        for (table, changes) in &entry.changes {
            let rows = if *changes == 1 { "row" } else { "rows" };
            print(&format!("    {table}: {changes} {rows}"));
        }
    }
    if let Some(next) = page.next {
        print(&format!("There is more: --after {next}"));
    }
    Ok(())
}

fn headline(transaction: &AuditTransaction) -> String {
    let time = match transaction.occurred_at {
        Some(time) => time.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        None => "at an unknown time".to_owned(),
    };
    let actor = match &transaction.actor {
        Some(actor) => clean(&actor.to_string()).into_owned(),
        None => "nobody known".to_owned(),
    };
    format!("{time}  transaction {} by {actor}", transaction.id)
}

/// A line; a reader that has seen enough and closed the pipe is no error.
fn print(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}
