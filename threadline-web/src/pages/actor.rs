//! The changes of an actor.

use axum::response::{IntoResponse, Response};
use maud::html;
use threadline::ActorRef;

use super::explored;
use crate::failure::Failure;
use crate::pool::Pool;
use crate::query::{Query, Term};
use crate::texts;
use crate::view::{changes, facets, histogram, layout, pager, searched};
use crate::visit::Visit;

const LIMIT: usize = 50;

pub(crate) async fn show<P: Pool>(visit: Visit<P>) -> Result<Response, Failure> {
    let actor: ActorRef = visit
        .parameters
        .need("actor")?
        .parse()
        .map_err(|error: threadline::ContextError| Failure::Question(error.to_string()))?;
    let name = actor.to_string();
    let query = Query::default().with(Term::new("actor", &name));
    let after = visit.parameters.get("after");
    let filter = query.filter(visit.now)?;
    let (catalogue, (overview, (page, searched_to))) = explored(&visit, filter, LIMIT).await?;
    let nothing = page.entries.is_empty()
        && page.other_actions.is_empty()
        && !page.has_more
        && after.is_none();
    if nothing {
        return Err(Failure::NotFound(format!("{} {name}", texts::NO_ACTOR)));
    }
    let next = page.next.map(|cursor| cursor.to_string());
    let body = html! {
        div.explore {
            aside.facets { (facets::facets(&query, &overview, &catalogue)) }
            div.results {
                h1 { span.quiet { (actor.actor_type()) " " } bdi { (actor.id().unwrap_or_default()) } }
                (histogram::histogram(&query, &overview))
                h2.hidden { (texts::CHANGES) }
                (changes::list(&page.entries, &page.other_actions, &catalogue, visit.now))
                (searched::note(searched_to, visit.now))
                (pager::pager("actor", &[("actor", &name)], after, next.as_deref()))
            }
        }
    };
    Ok(layout::Page::new(name)
        .viewer(&visit.access)
        .line(query.line())
        .body(body)
        .into_response())
}
