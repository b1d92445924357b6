//! Changes, grouped by transaction.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use threadline::{AuditAction, AuditChange, TimelineEntry};

use super::detail::{self, Detail};
use super::links::{self, Catalogue};
use super::value::{count, one_line};
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

/// The place of a change in a timeline: its transaction and its number.
pub(crate) type Seen = (i64, i64);

/// Returns the place of a change.
pub(crate) fn place(change: &AuditChange) -> Seen {
    (change.transaction.id, change.id)
}

/// Renders a list of changes, with actions without changes in order of time.
pub(crate) fn list(
    entries: &[TimelineEntry],
    others: &[AuditAction],
    catalogue: &Catalogue,
    now: DateTime<Utc>,
) -> Markup {
    list_since(entries, others, catalogue, now, None, detail::LIST)
}

/// Same as [`list`], for a document: it has fewer changes rather than less of each. Returns how
/// many these are.
pub(crate) fn list_of_document(
    entries: &[TimelineEntry],
    others: &[AuditAction],
    catalogue: &Catalogue,
    now: DateTime<Utc>,
) -> (Markup, usize) {
    let mut detail = Detail {
        columns: COLUMNS,
        characters: 600,
        links: true,
    };
    let mut shown = entries.len();
    loop {
        let is_cut = shown < entries.len();
        let entries = &entries[..shown];
        let last = entries.last().filter(|_| is_cut);
        let end = last.map(|entry| entry.change.captured_at);
        // Older actions belong to the changes that are left out.
        let others: Vec<&AuditAction> = others
            .iter()
            .filter(|action| end.is_none_or(|end| action.occurred_at >= end))
            .collect();
        let list = list_at(entries, &others, catalogue, now, None, detail);
        if list.0.len() <= detail::DOCUMENT || shown <= 1 {
            return (list, shown);
        }
        match detail.characters {
            600 => detail.characters = 200,
            _ => shown = shown * 3 / 4,
        }
    }
}

/// Same as [`list`], with a mark above the change that the viewer saw first before, and with
/// a maximum size in bytes.
pub(crate) fn list_since(
    entries: &[TimelineEntry],
    others: &[AuditAction],
    catalogue: &Catalogue,
    now: DateTime<Utc>,
    seen: Option<Seen>,
    bytes: usize,
) -> Markup {
    let others: Vec<&AuditAction> = others.iter().collect();
    Detail::fitting(COLUMNS, bytes, |detail| {
        list_at(entries, &others, catalogue, now, seen, detail)
    })
}

fn list_at(
    entries: &[TimelineEntry],
    others: &[&AuditAction],
    catalogue: &Catalogue,
    now: DateTime<Utc>,
    seen: Option<Seen>,
    detail: Detail,
) -> Markup {
    let mut others = others.iter().peekable();
    html! {
        ol.transactions {
            @for group in grouped(entries) {
                @while let Some(action) = others.next_if(|action| action.occurred_at > group.entries[0].change.captured_at) {
                    li.transaction.meant { (actions::line(action, now)) }
                }
                @if group.entries.iter().any(|entry| Some(place(&entry.change)) == seen) {
                    li.seen #seen tabindex="-1" { (texts::SEEN_BEFORE) }
                }
                (transaction(&group, catalogue, now, detail))
            }
            @for action in others { li.transaction.meant { (actions::line(action, now)) } }
        }
    }
}

fn transaction(
    group: &Group<'_>,
    catalogue: &Catalogue,
    now: DateTime<Utc>,
    detail: Detail,
) -> Markup {
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
            @for entry in &group.entries { (change(&entry.change, catalogue, detail)) }
            @if group.entries.len() > 1 {
                p.total { (count(group.entries.len() as u64)) " " (texts::CHANGES_HERE) " #" (transaction.id) }
            }
        }
    }
}

/// Renders a change: operation, record and columns.
pub(crate) fn change(change: &AuditChange, catalogue: &Catalogue, detail: Detail) -> Markup {
    html! {
        article.change id={ "c" (change.id) } data-change=(links::change(change)) {
            (heading(change, catalogue))
            (diff::diff(change, catalogue, 0, detail))
        }
    }
}

/// Renders the operation and the record of a change.
pub(crate) fn heading(change: &AuditChange, catalogue: &Catalogue) -> Markup {
    html! {
        h3 {
            span class={ "operation " (change.operation.as_str()) } { (change.operation) }
            " "
            (record(change, catalogue))
        }
    }
}

/// Renders the record of a change, with a link to its history.
pub(crate) fn record(change: &AuditChange, catalogue: &Catalogue) -> Markup {
    let name = catalogue.name(change);
    html! {
        @match (catalogue.record(change), &change.key) {
            (Some(link), Some(key)) => {
                a.record href=(link) { bdi.table { (name) } " " bdi.key { (shown(key)) } }
            }
            (_, key) => {
                span.record {
                    bdi.table { (name) }
                    @if let Some(key) = key { " " bdi.key { (shown(key)) } }
                }
            }
        }
        @if let Some(previous) = &change.previous_key {
            " " span.quiet { "(before: " bdi { (shown(previous)) } ")" }
        }
    }
}

/// The number of characters of a key that a list shows.
const KEY: usize = 60;

/// Returns a key on one line.
fn shown(key: &serde_json::Value) -> String {
    one_line(&links::key_text(key), KEY)
}
