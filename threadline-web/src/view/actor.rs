//! Actors and the origin of transactions.

use maud::{Markup, html};
use threadline::{ActorRef, AuditAction, AuditTransaction};

use super::links;
use super::value::one_line;
use crate::texts;

/// Renders an actor with a link to their changes.
pub(crate) fn actor(actor: Option<&ActorRef>) -> Markup {
    match actor {
        Some(actor) => html! {
            a.actor href=(links::actor(actor)) {
                span.kind { (actor.actor_type()) @if actor.id().is_some() { ":" } }
                @if let Some(id) = actor.id() { bdi { (id) } }
            }
        },
        None => html! { a.actor.nobody href="timeline?q=actor:nobody" { (texts::NOBODY) } },
    }
}

/// Renders the origin of a transaction: source, ids, address.
pub(crate) fn via(transaction: &AuditTransaction) -> Markup {
    let link = |name: &str, value: &str| links::search(name, value);
    html! {
        @if let Some(source) = &transaction.source {
            span.via { "via " a href=(link("source", source)) { bdi { (source) } } }
        }
        @if let Some(id) = &transaction.request_id {
            span.via { "request " a href=(link("request_id", id)) { bdi { (id) } } }
        }
        @if let Some(id) = &transaction.job_id {
            span.via { "job " a href=(link("job_id", id)) { bdi { (id) } } }
        }
        @if let Some(id) = &transaction.correlation_id {
            span.via { "correlation " a href=(links::correlation(id)) { bdi { (id) } } }
        }
        @if let Some(ip) = &transaction.remote_ip {
            span.via { "from " bdi { (ip) } }
        }
    }
}

/// The number of characters of a reason that a list shows. The page of the action has all.
const REASON: usize = 300;

/// Renders the name, status and reason of an action.
pub(crate) fn action(action: &AuditAction) -> Markup {
    let failed = action.status.as_str() != "ok";
    html! {
        p.action {
            a.name href=(links::action(action.id)) { bdi { (action.name) } }
            @if failed { " " span.badge.bad { (action.status) } }
            @if let Some(reason) = &action.reason { " " q.reason dir="auto" { (one_line(reason, REASON)) } }
        }
    }
}
