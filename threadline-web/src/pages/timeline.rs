//! Changes across tables.

use axum::response::{IntoResponse, Response};
use maud::{Markup, html};

use super::{explored, newer};
use crate::failure::Failure;
use crate::pool::Pool;
use crate::query::{Query, Term};
use crate::texts;
use crate::view::changes::Seen;
use crate::view::detail::LIST;
use crate::view::links;
use crate::view::{changes, chips, facets, histogram, layout, pager, searched};
use crate::visit::Visit;

/// The number of changes on a page.
const LIMIT: usize = 50;

pub(crate) async fn show<P: Pool>(visit: Visit<P>) -> Result<Response, Failure> {
    let mut query = Query::parse(visit.parameters.get("q").unwrap_or_default());
    // Forms on other pages have separate fields.
    for name in ["table", "changed", "actor", "from", "to"] {
        if let Some(value) = visit.parameters.get(name) {
            query = query.with(Term::new(name, value));
        }
    }
    let line = query.line();
    let filter = match query.filter(visit.now) {
        Ok(filter) => filter,
        // The search stays in its line, so that it can be corrected.
        Err(failure) => return Ok(refused(&visit, line, failure)),
    };
    let seen = newer::seen(&visit.parameters)?;
    let after = visit.parameters.get("after");
    let (catalogue, (overview, (page, searched_to))) = explored(&visit, filter, LIMIT).await?;
    let first = page
        .entries
        .first()
        .map(|entry| changes::place(&entry.change));
    let next = page.next.map(|cursor| cursor.to_string());
    let body = html! {
        div.explore {
            aside.facets { (facets::facets(&query, &overview, &catalogue)) }
            div.results {
                h1.hidden { (texts::TIMELINE) }
                div.bar-row.no-print {
                    (chips::chips(&query))
                    @if visit.access.may_export() {
                        a.button.aside href=(links::page("export", &[("q", &line)])) { (texts::EXPORT) }
                    }
                }
                (histogram::histogram(&query, &overview))
                @if after.is_none() && query.terms.iter().all(|term| term.name != "to") {
                    (show_new(&line, first))
                }
                @if page.entries.is_empty() && page.other_actions.is_empty() && searched_to.is_none() {
                    section.notice {
                        h2 { (texts::NO_CHANGES) }
                        p { (if query.terms.is_empty() { texts::NO_CHANGES_AT_ALL } else { texts::NO_CHANGES_MATCH }) }
                    }
                }
                h2.hidden { (texts::CHANGES) }
                (changes::list_since(&page.entries, &page.other_actions, &catalogue, visit.now, seen, LIST))
                (searched::note(searched_to, visit.now))
                (pager::pager("timeline", &[("q", &line)], after, next.as_deref()))
            }
        }
    };
    Ok(layout::Page::new(texts::TIMELINE)
        .active("timeline")
        .viewer(&visit.access)
        .line(line)
        .body(body)
        .into_response())
}

/// Renders the link to the newest changes that marks those of this page. The script counts
/// the newer changes, and shows them above the others.
fn show_new(line: &str, first: Option<Seen>) -> Markup {
    let seen = newer::written(first);
    let own = [("q", line), ("seen", seen.as_str())];
    html! {
        p.newer.no-print {
            a #newer href={ (links::page("timeline", &own)) "#seen" } data-count=(links::page("newer", &own)) { (texts::SHOW_NEW) }
        }
    }
}

/// Returns the error page of a search, with the search.
fn refused<P: Pool>(visit: &Visit<P>, line: String, failure: Failure) -> Response {
    let (title, what) = failure.message();
    let body = html! {
        section.notice role="alert" {
            h1 { (title) }
            p { (what) }
            p { a href="timeline" { (texts::BACK_TO_TIMELINE) } }
        }
    };
    let page = layout::Page::new(title)
        .active("timeline")
        .viewer(&visit.access)
        .line(line)
        .body(body);
    (failure.status(), page).into_response()
}
