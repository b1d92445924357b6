//! The changes and actions with one correlation id.

use axum::response::{IntoResponse, Response};
use maud::html;
use threadline::ActionFilter;

use super::COUNTED;
use crate::failure::Failure;
use crate::pool::Pool;
use crate::query::{Query, Term};
use crate::texts;
use crate::view::links::Catalogue;
use crate::view::{actions, changes, histogram, layout, pager};
use crate::visit::Visit;

const LIMIT: usize = 50;

pub(crate) async fn show<P: Pool>(visit: Visit<P>) -> Result<Response, Failure> {
    let id = visit.parameters.need("id")?.to_owned();
    let query = Query::default().with(Term::new("correlation_id", &id));
    let after = visit.parameters.get("after");
    let cursor = visit.cursor()?;
    let filter = query.filter(visit.now)?;
    let of_actions = ActionFilter::new().correlation_id(&id);
    let (catalogue, overview, others, page) = visit
        .read(move |audit| {
            let catalogue = Catalogue(audit.tables()?);
            let (overview, (page, _)) = audit.explore(filter, COUNTED, LIMIT, cursor)?;
            let others = audit.other_actions(of_actions, LIMIT)?;
            Ok((catalogue, overview, others, page))
        })
        .await?;
    if page.entries.is_empty() && others.is_empty() && after.is_none() {
        return Err(Failure::NotFound(texts::NO_CORRELATION.to_owned()));
    }
    let next = page.next.map(|cursor| cursor.to_string());
    let body = html! {
        div.stack {
            h1 { (texts::CORRELATION) " " bdi { (id) } }
            (histogram::histogram(&query, &overview))
            @if !others.is_empty() {
                section.card { h2 { (texts::ACTIONS_WITHOUT_CHANGES) } (actions::list(&others, visit.now)) }
            }
            h2.hidden { (texts::CHANGES) }
            (changes::list(&page.entries, &[], &catalogue, visit.now))
            (pager::pager("correlation", &[("id", &id)], after, next.as_deref()))
        }
    };
    Ok(layout::Page::new(format!("{} {id}", texts::CORRELATION))
        .viewer(&visit.access)
        .line(query.line())
        .body(body)
        .into_response())
}
