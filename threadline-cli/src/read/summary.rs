use std::process::ExitCode;

use threadline::__cli::{actor_name, table_name};
use threadline::{Error, Summary};

use super::print::{Output, document, print};
use super::style::{ACTOR, TABLE, TIME, paint};
use crate::terminal::counted;

/// Prints the number of changes, with a section for each grouping.
pub(super) fn print_summary(output: &Output, summary: &Summary) -> Result<ExitCode, Error> {
    if output.is_json() {
        return document(summary);
    }
    if summary.changes == 0 {
        eprintln!("Nothing on record matches.");
        return Ok(ExitCode::SUCCESS);
    }
    print(&counted(summary.changes, "change"));
    section(
        "by day",
        summary
            .days
            .iter()
            .map(|day| (paint(TIME, &day.day.to_string()), day.changes)),
    );
    section(
        "by table",
        summary.tables.iter().map(|table| {
            let name = table_name(table.schema.as_deref(), table.table.as_deref());
            (paint(TABLE, &name), table.changes)
        }),
    );
    section(
        "by operation",
        summary
            .operations
            .iter()
            .map(|operation| (operation.operation.to_string(), operation.changes)),
    );
    let others =
        (summary.by_other_actors > 0).then(|| ("others".to_owned(), summary.by_other_actors));
    section(
        "by actor",
        summary
            .actors
            .iter()
            .map(|actor| {
                let name = actor_name(actor.actor.as_ref());
                (paint(ACTOR, &name), actor.changes)
            })
            .chain(others),
    );
    Ok(ExitCode::SUCCESS)
}

fn section(title: &str, lines: impl Iterator<Item = (String, u64)>) {
    print(&format!("\n{title}"));
    for (name, changes) in lines {
        print(&format!("    {changes:>9}  {name}"));
    }
}
