//! One change with all columns and long values.

use axum::response::{IntoResponse, Response};
use maud::html;
use threadline::{BlockingConnection, Error, Filter, TimelineEntry};

use crate::access::Scoped;
use crate::failure::Failure;
use crate::pool::Pool;
use crate::texts;
use crate::view::detail::Detail;
use crate::view::links::{self, Catalogue};
use crate::view::value::one_line;
use crate::view::{actor, changes, diff, layout, time};
use crate::visit::Visit;

/// The maximum number of columns on a page.
const COLUMNS: usize = 250;

/// The size in bytes of the columns of a change.
const SIZE: usize = 110_000;

/// The number of characters of a value: the longest that fits.
const CHARACTERS: [usize; 6] = [4_000, 1_500, 600, 200, 60, 20];

pub(crate) async fn show<P: Pool>(visit: Visit<P>) -> Result<Response, Failure> {
    let transaction = visit.number("transaction")?;
    let change = visit.number("change")?;
    let from = match visit.parameters.get("from") {
        Some(_) => usize::try_from(visit.number("from")?).unwrap_or_default(),
        None => 0,
    };
    let (catalogue, entry) = visit
        .read(move |audit| {
            let catalogue = Catalogue(audit.tables()?);
            Ok((catalogue, find(audit, transaction, change)?))
        })
        .await?;
    let Some(entry) = entry else {
        return Err(Failure::NotFound(texts::NO_CHANGE.to_owned()));
    };
    let change = &entry.change;
    let columns = change.diff().fields.len();
    let mut shown = html! {};
    for characters in CHARACTERS {
        let detail = Detail {
            columns: COLUMNS,
            characters,
            links: true,
        };
        shown = diff::diff(change, &catalogue, from, detail);
        if shown.0.len() <= SIZE {
            break;
        }
    }
    let key = change.key.as_ref().map(links::key_text);
    let table = catalogue.name(change);
    let id = transaction.to_string();
    let part = |from: usize| {
        let from = from.to_string();
        let own = change.id.to_string();
        links::page(
            "change",
            &[("transaction", &id), ("change", &own), ("from", &from)],
        )
    };
    let body = html! {
        div.stack {
            header.head {
                h1 {
                    (texts::CHANGE) " " (texts::OF) " "
                    bdi { (table) } " "
                    @if let Some(key) = &key { bdi.key { (one_line(key, 120)) } }
                }
                div.who {
                    (time::instant(change.captured_at, visit.now))
                    (actor::actor(change.actor()))
                    (actor::via(&change.transaction))
                    a.id href=(links::transaction(transaction)) { "#" (transaction) }
                }
                @for action in &entry.actions { (actor::action(action)) }
                @if let Some(link) = catalogue.record_by_key(change) {
                    p.bar-row.no-print { a.button href=(link) { (texts::SHOW_RECORD) } }
                }
            }
            section.card {
                h2.hidden { (texts::COLUMNS) }
                (changes::heading(change, &catalogue))
                (shown)
                @if columns > COLUMNS {
                    nav.pager aria-label=(texts::COLUMNS) {
                        @if from > 0 { a rel="prev" href=(part(from.saturating_sub(COLUMNS))) { "‹ " (texts::COLUMNS) " " (from.saturating_sub(COLUMNS) + 1) "–" (from) } }
                        @if from + COLUMNS < columns { a.next.columns rel="next" href=(part(from + COLUMNS)) { (texts::COLUMNS) " " (from + COLUMNS + 1) "–" ((from + 2 * COLUMNS).min(columns)) " ›" } }
                    }
                }
            }
        }
    };
    Ok(layout::Page::new(format!("{} {table}", texts::CHANGE))
        .viewer(&visit.access)
        .line(format!("tx:{transaction}"))
        .body(body)
        .into_response())
}

/// Finds a change within the scope.
pub(super) fn find<C: BlockingConnection>(
    audit: &mut Scoped<'_, C>,
    transaction: i64,
    change: i64,
) -> Result<Option<TimelineEntry>, Error> {
    // A cursor just before the change, so that the page begins with it.
    let before = format!(
        "tl1-timeline-{transaction:x}-{:x}-0",
        change.saturating_add(1)
    );
    let filter = Filter::new().transaction(transaction);
    let page = audit.timeline(filter, 1, Some(before.parse()?))?;
    Ok(page.entries.into_iter().find(|e| e.change.id == change))
}
