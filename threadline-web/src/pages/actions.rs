//! The list of actions, and a single action.

use axum::response::{IntoResponse, Response};
use maud::html;
use threadline::ActionFilter;

use crate::failure::Failure;
use crate::pool::Pool;
use crate::texts;
use crate::view::links;
use crate::view::{actions, actor, layout, pager, time, value};
use crate::visit::Visit;

const LIMIT: usize = 50;

/// The filters of the list, each with an example.
const FILTERS: [(&str, &str); 4] = [
    ("name", "member.role_changed"),
    ("category", "member"),
    ("status", "error"),
    ("actor", "user:57"),
];

pub(crate) async fn list<P: Pool>(visit: Visit<P>) -> Result<Response, Failure> {
    let given: Vec<(&str, String)> = FILTERS
        .iter()
        .filter_map(|(name, _)| Some((*name, visit.parameters.get(name)?.to_owned())))
        .collect();
    let pairs: Vec<(&str, &str)> = given.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let filter = ActionFilter::parse(pairs.iter().copied())?;
    let after = visit.parameters.get("after");
    let cursor = visit.cursor()?;
    let page = visit
        .read(move |audit| audit.actions(filter, LIMIT, cursor))
        .await?
        .ok_or(Failure::Denied)?;
    let next = page.next.map(|cursor| cursor.to_string());
    let body = html! {
        div.stack {
            h1 { (texts::ACTIONS) }
            form.bar-row action="actions" method="get" {
                @for (name, example) in FILTERS {
                    label { (name) input name=(name) placeholder=(example) value=(visit.parameters.get(name).unwrap_or_default()); }
                }
                button type="submit" { (texts::SEARCH) }
            }
            section.card {
                @if page.entries.is_empty() { p { (texts::NO_ACTIONS) } }
                (actions::list(&page.entries, visit.now))
            }
            (pager::pager("actions", &pairs, after, next.as_deref()))
        }
    };
    Ok(layout::Page::new(texts::ACTIONS)
        .active("actions")
        .viewer(&visit.access)
        .body(body)
        .into_response())
}

pub(crate) async fn show<P: Pool>(visit: Visit<P>) -> Result<Response, Failure> {
    let id = visit.number("id")?;
    let action = visit
        .read(move |audit| audit.action(id))
        .await?
        .ok_or_else(|| Failure::NotFound(format!("{} {id}", texts::NO_ACTION)))?;
    let fact = |name: &str, value: Option<&str>| {
        html! { @if let Some(value) = value { dt { (name) } dd dir="auto" { (value::cut(value, None)) } } }
    };
    let body = html! {
        div.stack {
            header.head {
                h1 { bdi { (action.name) } }
                div.who { (time::instant(action.occurred_at, visit.now)) (actor::actor(Some(&action.actor))) }
            }
            section.card {
                dl.facts {
                    dt { "Status" } dd { (actions::status(&action)) }
                    (fact("Reason", action.reason.as_deref()))
                    (fact("Comment", action.comment.as_deref()))
                    @if let Some(id) = action.transaction_id {
                        dt { (texts::TRANSACTION) } dd { a href=(links::transaction(id)) { "#" (id) } }
                    }
                    (fact("Source", action.source.as_deref()))
                    (fact("Request", action.request_id.as_deref()))
                    (fact("Job", action.job_id.as_deref()))
                    @if let Some(id) = &action.correlation_id {
                        dt { (texts::CORRELATION) } dd { a href=(links::correlation(id)) { bdi { (id) } } }
                    }
                    (fact("Address", action.remote_ip.as_deref()))
                    @if let Some(metadata) = &action.metadata {
                        dt { "Metadata" } dd { (value::value(metadata, false, None)) }
                    }
                }
            }
        }
    };
    Ok(layout::Page::new(action.name.clone())
        .viewer(&visit.access)
        .body(body)
        .into_response())
}
