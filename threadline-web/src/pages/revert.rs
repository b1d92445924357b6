//! The revert of a transaction or a record, after a preview.

use axum::response::{IntoResponse, Redirect, Response};
use chrono::{DateTime, Utc};
use maud::{Markup, html};
use threadline::__cli::{Day, instant, record as record_key};
use threadline::{RevertConflict, TimelineEntry};

use crate::access::{Restored, Target};
use crate::failure::Failure;
use crate::pool::Pool;
use crate::texts;
use crate::view::links::{self, Catalogue, key_text};
use crate::view::value::count;
use crate::view::{changes, layout, time};
use crate::visit::{FormVisit, Visit};

/// The maximum length of a reason in bytes.
const REASON: usize = 2_000;

/// The target of the revert, from the URL or the form.
struct Asked {
    target: Target,
    fields: Vec<(&'static str, String)>,
}

impl Asked {
    fn of<P: Pool>(visit: &Visit<P>) -> Result<Self, Failure> {
        if !visit.access.may_revert() {
            return Err(Failure::Denied);
        }
        if visit.parameters.get("transaction").is_some() {
            let id = visit.number("transaction")?;
            return Ok(Self {
                target: Target::Transaction(id),
                fields: vec![("transaction", id.to_string())],
            });
        }
        let (table, key) = (
            visit.parameters.need("table")?,
            visit.parameters.need("key")?,
        );
        let at = visit.parameters.need("at")?;
        Ok(Self {
            target: Target::Record {
                table: table.to_owned(),
                key: record_key(key).map_err(Failure::Question)?.into_values(),
                at: instant(at, Day::End).map_err(Failure::Question)?,
            },
            fields: vec![
                ("table", table.to_owned()),
                ("key", key.to_owned()),
                ("at", at.to_owned()),
            ],
        })
    }

    fn title(&self) -> Markup {
        html! {
            @match &self.target {
                Target::Transaction(id) => { (texts::REVERT_TRANSACTION) " " (id) }
                Target::Record { table, at, .. } => {
                    (texts::REVERT_RECORD) " " bdi { (table) } " " bdi.key { (self.fields[1].1) }
                    " " (texts::TO_STATE_OF) " " (time::long(*at))
                }
            }
        }
    }

    /// Returns the link back to the page of the target.
    fn back(&self) -> String {
        let fields: Vec<_> = self.fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        match &self.target {
            Target::Transaction(id) => links::transaction(*id),
            Target::Record { .. } => links::page("record", &fields[..2]),
        }
    }

    fn form(&self, step: &str, button: &str, class: &str, reason: Option<&str>) -> Markup {
        html! {
            form.form action="revert" method="post" {
                @for (name, value) in &self.fields { input type="hidden" name=(name) value=(value); }
                input type="hidden" name="step" value=(step);
                @match reason {
                    Some(reason) => { input type="hidden" name="reason" value=(reason); }
                    None => {
                        label { (texts::REASON)
                            textarea name="reason" required maxlength=(REASON) rows="3" dir="auto" {}
                        }
                    }
                }
                div.bar-row {
                    button class=(class) type="submit" { (button) }
                    a.button href=(self.back()) { (texts::CANCEL) }
                }
            }
        }
    }
}

/// Shows the form that takes the reason.
pub(crate) async fn ask<P: Pool>(visit: Visit<P>) -> Result<Response, Failure> {
    let asked = Asked::of(&visit)?;
    let body = html! {
        div.stack {
            h1 { (asked.title()) }
            p { (texts::REVERT_HELP) }
            section.card { (asked.form("preview", texts::PREVIEW, "primary", None)) }
        }
    };
    Ok(page(&visit, body))
}

/// Shows the preview, or reverts once the preview is confirmed.
pub(crate) async fn answer<P: Pool>(FormVisit(visit): FormVisit<P>) -> Result<Response, Failure> {
    let asked = Asked::of(&visit)?;
    let reason = visit.parameters.need("reason")?.trim().to_owned();
    if reason.is_empty() || reason.len() > REASON {
        return Err(Failure::Question(texts::NO_REASON.to_owned()));
    }
    let apply = match visit.parameters.need("step")? {
        "preview" => false,
        "apply" => true,
        _ => return Err(Failure::Question(texts::NO_FORM.to_owned())),
    };
    let restored = visit
        .put_back(asked.target.clone(), reason.clone(), apply)
        .await?;
    Ok(match restored {
        Restored::Done => Redirect::to(&asked.back()).into_response(),
        Restored::Preview(entries, total, catalogue) => page(
            &visit,
            preview(
                &asked,
                &entries,
                total,
                &Catalogue(catalogue),
                &reason,
                visit.now,
            ),
        ),
        Restored::Outside => return Err(Failure::Denied),
        Restored::Conflicts(conflicts) => {
            let status = axum::http::StatusCode::CONFLICT;
            (status, page(&visit, refused(&asked, &conflicts))).into_response()
        }
    })
}

fn page<P: Pool>(visit: &Visit<P>, body: Markup) -> Response {
    layout::Page::new(texts::REVERT_TITLE)
        .viewer(&visit.access)
        .body(body)
        .into_response()
}

fn preview(
    asked: &Asked,
    entries: &[TimelineEntry],
    total: u64,
    catalogue: &Catalogue,
    reason: &str,
    now: DateTime<Utc>,
) -> Markup {
    let (list, shown) = changes::list_of_document(entries, &[], catalogue, now);
    html! {
        div.stack {
            h1 { (asked.title()) }
            @if entries.is_empty() {
                section.notice { p { (texts::NOTHING_TO_REVERT) } p { a href=(asked.back()) { (texts::BACK) } } }
            } @else {
                p {
                    (count(total)) " "
                    (if total == 1 { texts::ONE_CHANGE } else { texts::CHANGES }) " "
                    (texts::WOULD_PUT_BACK)
                    @if (shown as u64) < total { " " (texts::OF_THESE_THE_NEWEST) " " (count(shown as u64)) " " (texts::ARE_SHOWN) }
                }
                section.card {
                    p { (texts::REASON) ": " q.reason dir="auto" { (reason) } }
                    (asked.form("apply", texts::REVERT_NOW, "danger", Some(reason)))
                }
                (list)
            }
        }
    }
}

fn refused(asked: &Asked, conflicts: &[RevertConflict]) -> Markup {
    html! {
        div.stack {
            h1 { (asked.title()) }
            section.notice role="alert" {
                h2 { (texts::CONFLICT) }
                p { (texts::NOTHING_REVERTED) }
                ul {
                    @for conflict in conflicts.iter().take(200) {
                        li {
                            @if let Some(table) = &conflict.table { bdi.table { (table) } " " }
                            @if let Some(key) = &conflict.key { bdi.key { (key_text(key)) } " " }
                            (conflict.reason)
                        }
                    }
                }
                p { a href=(asked.back()) { (texts::BACK) } }
            }
        }
    }
}
