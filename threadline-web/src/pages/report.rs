//! The incident report: the results of a search on one page to print.

use axum::response::{IntoResponse, Response};
use maud::html;
use threadline::Action;

use crate::failure::Failure;
use crate::pool::Pool;
use crate::query::Query;
use crate::texts;
use crate::view::links::Catalogue;
use crate::view::value::{count, cut};
use crate::view::{changes, chips, histogram, layout, time};
use crate::visit::FormVisit;

/// The maximum number of changes in a report.
const LIMIT: usize = 200;

pub(crate) async fn show<P: Pool>(FormVisit(visit): FormVisit<P>) -> Result<Response, Failure> {
    if !visit.access.may_export() {
        return Err(Failure::Denied);
    }
    let query = Query::parse(visit.parameters.get("q").unwrap_or_default());
    let title = visit.parameters.get("title").unwrap_or(texts::REPORT);
    let filter = query.filter(visit.now)?;
    let action = Action::new("audit.exported")
        .metadata("query", query.line())
        .metadata("format", "report");
    visit.record(action).await?;
    let (catalogue, overview, page) = visit
        .read(move |audit| {
            let catalogue = Catalogue(audit.tables()?);
            let overview = audit.overview(filter.clone(), 10_000)?;
            let page = audit.timeline(filter, LIMIT, None)?;
            Ok((catalogue, overview, page))
        })
        .await?;
    let body = html! {
        div.stack.report {
            header.head {
                h1 dir="auto" { (cut(title, None)) }
                dl.facts {
                    dt { (texts::MADE_BY) } dd { bdi { (visit.access.actor()) } }
                    dt { (texts::MADE_AT) } dd { (time::long(visit.now)) }
                    dt { (texts::FOUND_BY) } dd { code { bdi { (query.line()) } } @if query.terms.is_empty() { (texts::EVERYTHING) } }
                    dt { (texts::CONTAINS) } dd {
                        (count(page.entries.len() as u64)) " " (texts::CHANGES)
                        @if page.has_more { ", " (texts::NEWEST_OF) " " (count(overview.changes)) @if overview.more { "+" } }
                    }
                }
                (chips::chips(&query))
            }
            (histogram::histogram(&query, &overview))
            h2.hidden { (texts::CHANGES) }
            (changes::list(&page.entries, &page.other_actions, &catalogue, visit.now))
        }
    };
    Ok(layout::Page::new(title)
        .viewer(&visit.access)
        .line(query.line())
        .body(body)
        .into_response())
}
