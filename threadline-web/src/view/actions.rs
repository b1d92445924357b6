//! Lists of actions.

use chrono::{DateTime, Utc};
use maud::{Markup, html};
use threadline::AuditAction;

use super::{actor, links, time};

pub(crate) fn list(actions: &[AuditAction], now: DateTime<Utc>) -> Markup {
    html! {
        ol.actions { @for action in actions { li { (line(action, now)) } } }
    }
}

/// Renders an action: time, actor, name, status and reason.
pub(crate) fn line(action: &AuditAction, now: DateTime<Utc>) -> Markup {
    html! {
        div.who {
            (time::instant(action.occurred_at, now))
            (actor::actor(Some(&action.actor)))
            @if let Some(id) = action.transaction_id {
                a.id href=(links::transaction(id)) { "#" (id) }
            }
        }
        (actor::action(action))
    }
}

pub(crate) fn status(action: &AuditAction) -> Markup {
    let good = action.status.as_str() == "ok";
    html! { span.badge.good[good].bad[!good] { (action.status) } }
}
