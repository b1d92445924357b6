//! The incident report: the results of a search on one page to print, or as JSON.

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use maud::html;
use threadline::{Action, Filter};

use crate::bundle::{CHANGES, IncidentReport};
use crate::failure::Failure;
use crate::pool::Pool;
use crate::query::Query;
use crate::texts;
use crate::view::links::{self, Catalogue};
use crate::view::value::{count, cut};
use crate::view::{changes, chips, histogram, layout, time};
use crate::visit::{FormVisit, Visit};

/// The maximum number of changes in a report.
const LIMIT: usize = 200;

/// The maximum number of changes counted.
const COUNTED: usize = 10_000;

/// The number of changes that are read at a time for JSON. Each may have values of megabytes.
const AT_A_TIME: usize = 50;

pub(crate) async fn show<P: Pool>(FormVisit(visit): FormVisit<P>) -> Result<Response, Failure> {
    let (query, filter) = begin(&visit, "report").await?;
    let title = visit.parameters.get("title").unwrap_or(texts::REPORT);
    let (catalogue, overview, page) = visit
        .read(move |audit| {
            let catalogue = Catalogue(audit.tables()?);
            let overview = audit.overview(filter.clone(), COUNTED)?;
            let page = audit.timeline(filter, LIMIT, None)?;
            Ok((catalogue, overview, page))
        })
        .await?;
    let (list, shown) =
        changes::list_of_document(&page.entries, &page.other_actions, &catalogue, visit.now);
    let more = page.has_more || shown < page.entries.len();
    let body = html! {
        div.stack.report {
            header.head {
                h1 dir="auto" { (cut(title, None)) }
                dl.facts {
                    dt { (texts::MADE_BY) } dd { bdi { (visit.access.actor()) } }
                    dt { (texts::MADE_AT) } dd { (time::long(visit.now)) }
                    dt { (texts::FOUND_BY) } dd { code { bdi { (query.line()) } } @if query.terms.is_empty() { (texts::EVERYTHING) } }
                    dt { (texts::CONTAINS) } dd {
                        (count(shown as u64)) " " (texts::CHANGES)
                        @if more {
                            ", " (texts::NEWEST_OF) " " (count(overview.changes)) @if overview.more { "+" } ". "
                            (texts::OTHERS_ARE_IN) " "
                            a href=(links::page("timeline", &[("q", &query.line())])) { (texts::THE_TIMELINE) }
                            " " (texts::AND_IN_BUNDLE)
                        }
                    }
                }
                (chips::chips(&query))
                form.no-print action="report.json" method="post" {
                    input type="hidden" name="q" value=(query.line());
                    @if let Some(title) = visit.parameters.get("title") { input type="hidden" name="title" value=(title); }
                    button type="submit" { (texts::MAKE_BUNDLE) }
                }
            }
            (histogram::histogram(&query, &overview))
            h2.hidden { (texts::CHANGES) }
            (list)
        }
    };
    Ok(layout::Page::new(title)
        .viewer(&visit.access)
        .line(query.line())
        .body(body)
        .into_response())
}

/// Returns the search of a report, and records the report before it is made.
async fn begin<P: Pool>(visit: &Visit<P>, format: &str) -> Result<(Query, Filter), Failure> {
    if !visit.access.may_export() {
        return Err(Failure::Denied);
    }
    let query = Query::parse(visit.parameters.get("q").unwrap_or_default());
    let filter = query.filter(visit.now)?;
    let action = Action::new("audit.exported")
        .metadata("query", query.line())
        .metadata("format", format);
    visit.record(action).await?;
    Ok((query, filter))
}

/// Sends the report as JSON.
pub(crate) async fn bundle<P: Pool>(FormVisit(visit): FormVisit<P>) -> Result<Response, Failure> {
    let (query, filter) = begin(&visit, "report.json").await?;
    let mut report = IncidentReport::new(
        visit.parameters.get("title"),
        visit.now,
        &visit.access,
        query.line(),
        filter.clone(),
    );
    let report = visit
        .read(move |audit| {
            let catalogue = Catalogue(audit.tables()?);
            report.count(audit.overview(filter.clone(), COUNTED)?);
            let (mut after, mut left) = (None, CHANGES);
            while left > 0 {
                let page = audit.timeline(filter.clone(), AT_A_TIME.min(left), after)?;
                left -= page.entries.len();
                report.other_actions(page.other_actions);
                if !report.add(page.entries, &catalogue) {
                    return Ok(report);
                }
                after = page.next;
                if after.is_none() {
                    return Ok(report);
                }
            }
            report.truncate();
            Ok(report)
        })
        .await?;
    let headers = [
        (CONTENT_TYPE, "application/json"),
        (
            CONTENT_DISPOSITION,
            "attachment; filename=\"incident-report.json\"",
        ),
    ];
    let body = serde_json::to_vec(&report).map_err(|_| Failure::Database)?;
    Ok((headers, body).into_response())
}
