//! One transaction.

use axum::response::{IntoResponse, Response};
use maud::{Markup, html};
use threadline::{AuditTransaction, Filter};

use crate::failure::Failure;
use crate::pool::Pool;
use crate::texts;
use crate::view::detail::{Detail, LIST};
use crate::view::links::{self, Catalogue};
use crate::view::value::count;
use crate::view::{actor, changes, layout, pager, time};
use crate::visit::Visit;

/// The number of changes on a page, and of columns of each.
const LIMIT: usize = 50;
const COLUMNS: usize = 20;

/// The maximum number of changes counted, unless each takes a look at others.
const COUNTED: usize = 10_000;

pub(crate) async fn show<P: Pool>(visit: Visit<P>) -> Result<Response, Failure> {
    let id = visit.number("id")?;
    let after = visit.parameters.get("after");
    let cursor = visit.cursor()?;
    let filter = Filter::new().transaction(id);
    let (catalogue, overview, page) = visit
        .read(move |audit| {
            let catalogue = Catalogue(audit.tables()?);
            let counted = match audit.compares_rows() {
                true => super::COUNTED,
                false => COUNTED,
            };
            let (overview, (page, _)) = audit.explore(filter, counted, LIMIT, cursor)?;
            Ok((catalogue, overview, page))
        })
        .await?;
    let Some(first) = page.entries.first() else {
        return Err(Failure::NotFound(format!("{} {id}", texts::NO_TRANSACTION)));
    };
    let transaction = &first.change.transaction;
    let next = page.next.map(|cursor| cursor.to_string());
    let id = id.to_string();
    let body = html! {
        div.stack {
            header.head {
                h1 { (texts::TRANSACTION) " " (id) }
                div.who {
                    (time::instant(first.change.captured_at, visit.now))
                    (actor::actor(transaction.actor.as_ref()))
                    (actor::via(transaction))
                }
                @for action in &first.actions { (actor::action(action)) }
                @if visit.access.may_revert() {
                    div.bar-row.no-print {
                        a.button href=(links::page("revert", &[("transaction", &id)])) { (texts::REVERT) }
                    }
                }
            }
            section.card { h2 { (texts::CONTEXT) } (facts(transaction)) }
            section.card {
                h2 {
                    (count(overview.changes)) @if overview.more { "+" }
                    " " (if overview.changes == 1 { texts::ONE_CHANGE } else { texts::CHANGES })
                }
                p.quiet {
                    @for (place, table) in overview.tables.iter().enumerate() {
                        @if place > 0 { ", " }
                        (count(table.changes)) " " bdi { (table.table.as_deref().unwrap_or("?")) }
                    }
                }
                (Detail::fitting(COLUMNS, LIST, |detail| html! {
                    @for entry in &page.entries { (changes::change(&entry.change, &catalogue, detail)) }
                }))
            }
            (pager::pager("transaction", &[("id", &id)], after, next.as_deref()))
        }
    };
    Ok(layout::Page::new(format!("{} {id}", texts::TRANSACTION))
        .viewer(&visit.access)
        .line(format!("tx:{id}"))
        .body(body)
        .into_response())
}

/// Renders the recorded context of a transaction.
pub(crate) fn facts(transaction: &AuditTransaction) -> Markup {
    let fact = |name: &str, value: Option<String>| {
        html! { @if let Some(value) = value { dt { (name) } dd { bdi { (value) } } } }
    };
    let search = |name: &str, filter: &str, value: &Option<String>| {
        html! { @if let Some(value) = value { dt { (name) } dd { a href=(links::search(filter, value)) { bdi { (value) } } } } }
    };
    html! {
        dl.facts {
            (fact("Actor", transaction.actor.as_ref().map(ToString::to_string)))
            (fact("Origin", Some(transaction.origin.to_string())))
            @if let Some(at) = transaction.occurred_at { dt { "Began" } dd { (time::precise(at)) } }
            (search("Source", "source", &transaction.source))
            (search("Request", "request_id", &transaction.request_id))
            (search("Job", "job_id", &transaction.job_id))
            @if let Some(id) = &transaction.correlation_id {
                dt { "Correlation" } dd { a href=(links::correlation(id)) { bdi { (id) } } }
            }
            (fact("Address", transaction.remote_ip.clone()))
            (fact("Database role", transaction.session_user.clone()))
            (fact("PostgreSQL transaction id", transaction.xact_id.map(|id| id.to_string())))
            (fact("Context error", transaction.context_error.clone()))
            @if let Some(metadata) = &transaction.metadata {
                dt { "Metadata" } dd { (crate::view::value::value(metadata, false, None)) }
            }
        }
    }
}
