//! Changes, grouped by transaction.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use threadline::{AuditAction, AuditChange, TimelineEntry};

use super::links::{self, Catalogue};
use super::value::count;
use super::{actions, actor, diff, time};
use crate::texts;

/// The number of columns that a list shows of a change.
const COLUMNS: usize = 8;

/// Changes of one transaction.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    entries: Vec<&'a TimelineEntry>,
}

/// Groups adjacent changes of the same transaction.
pub(crate) fn grouped(entries: &[TimelineEntry]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = vec![];
    for entry in entries {
        let id = entry.change.transaction.id;
        match groups.last_mut() {
            Some(group) if group.entries[0].change.transaction.id == id => {
                group.entries.push(entry);
            }
            _ => groups.push(Group {
                entries: vec![entry],
            }),
        }
    }
    groups
}

/// Renders a list of changes, with actions without changes in order of time.
pub(crate) fn list(
    entries: &[TimelineEntry],
    others: &[AuditAction],
    catalogue: &Catalogue,
    now: DateTime<Utc>,
) -> Markup {
    let mut others = others.iter().peekable();
    html! {
        ol.transactions {
            @for group in grouped(entries) {
                @while let Some(action) = others.next_if(|action| action.occurred_at > group.entries[0].change.captured_at) {
                    li.transaction.meant { (actions::line(action, now)) }
                }
                (transaction(&group, catalogue, now))
            }
            @for action in others { li.transaction.meant { (actions::line(action, now)) } }
        }
    }
}

fn transaction(group: &Group<'_>, catalogue: &Catalogue, now: DateTime<Utc>) -> Markup {
    let first = group.entries[0];
    let transaction = &first.change.transaction;
    html! {
        li.transaction id={ "t" (transaction.id) } {
            header.who {
                (time::instant(first.change.captured_at, now))
                " "
                (actor::actor(transaction.actor.as_ref()))
                " "
                (actor::via(transaction))
                a.id href=(links::transaction(transaction.id)) title={ (texts::TRANSACTION) " " (transaction.id) } { "#" (transaction.id) }
            }
            @for action in &first.actions { (actor::action(action)) }
            @for entry in &group.entries { (change(&entry.change, catalogue, COLUMNS)) }
            @if group.entries.len() > 1 {
                p.total { (count(group.entries.len() as u64)) " " (texts::CHANGES) }
            }
        }
    }
}

/// Renders a change: operation, record and columns.
pub(crate) fn change(change: &AuditChange, catalogue: &Catalogue, columns: usize) -> Markup {
    let rest = format!(
        "{}#c{}",
        links::page(
            "transaction",
            &[
                ("id", &change.transaction.id.to_string()),
                ("columns", "all")
            ]
        ),
        change.id
    );
    html! {
        article.change id={ "c" (change.id) } {
            h3 {
                span class={ "operation " (change.operation.as_str()) } { (change.operation) }
                " "
                (record(change, catalogue))
            }
            (diff::diff(change, columns, &rest))
        }
    }
}

/// Renders the record of a change, with a link to its history.
pub(crate) fn record(change: &AuditChange, catalogue: &Catalogue) -> Markup {
    let name = match (&change.schema, &change.table) {
        (Some(schema), Some(table)) => match catalogue.table(change) {
            Some(name) => name.to_owned(),
            None => format!("{schema}.{table}"),
        },
        _ => "?".to_owned(),
    };
    html! {
        @match (catalogue.record(change), &change.key) {
            (Some(link), Some(key)) => {
                a.record href=(link) { bdi.table { (name) } " " bdi.key { (links::key_text(key)) } }
            }
            (_, key) => {
                span.record {
                    bdi.table { (name) }
                    @if let Some(key) = key { " " bdi.key { (links::key_text(key)) } }
                }
            }
        }
        @if let Some(previous) = &change.previous_key {
            " " span.quiet { "(before: " bdi { (links::key_text(previous)) } ")" }
        }
    }
}
