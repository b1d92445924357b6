//! An export in the background: its page, its file, and its end before time.

use std::sync::Arc;

use axum::http::header::CONTENT_LENGTH;
use axum::response::{IntoResponse, Redirect, Response};
use maud::html;

use super::export::{Format, attachment, send_file};
use crate::exports::{self, Job, State};
use crate::failure::Failure;
use crate::pool::Pool;
use crate::query::Query;
use crate::texts;
use crate::view::{chips, job, layout, links};
use crate::visit::{FormVisit, Visit};

/// Returns the export of the request, if the viewer began it and may still have it.
pub(super) fn found<P: Pool>(visit: &Visit<P>) -> Result<Arc<Job>, Failure> {
    if !visit.access.may_export() {
        return Err(Failure::Denied);
    }
    let id = visit.parameters.need("id")?;
    visit.app.jobs.find(id, &visit.access)
}

pub(crate) async fn show<P: Pool>(visit: Visit<P>) -> Result<Response, Failure> {
    let found = found(&visit)?;
    let query = Query::parse(&found.line);
    let body = html! {
        div.stack {
            h1 { (texts::EXPORT_TITLE) " (" (Format::of(found.format).name.to_uppercase()) ")" }
            (chips::chips(&query))
            (job::card(&found, visit.now))
            p { a href=(links::page("export", &[("q", &found.line)])) { (texts::ALL_EXPORTS) } }
            (job::script())
        }
    };
    Ok(layout::Page::new(texts::EXPORT_TITLE)
        .viewer(&visit.access)
        .line(query.line())
        .body(body)
        .into_response())
}

/// Sends the file, once it is complete.
pub(crate) async fn download<P: Pool>(visit: Visit<P>) -> Result<Response, Failure> {
    let found = found(&visit)?;
    let State::Done { file, .. } = found.state() else {
        return Err(Failure::Conflict(texts::NOT_DONE.to_owned()));
    };
    let length = [(CONTENT_LENGTH, file.bytes().to_string())];
    let headers = attachment(Format::of(found.format));
    Ok((headers, length, send_file(file)).into_response())
}

/// Cancels an export, or removes it and its file.
pub(crate) async fn end<P: Pool>(FormVisit(visit): FormVisit<P>) -> Result<Response, Failure> {
    let found = found(&visit)?;
    match visit.parameters.need("step")? {
        "cancel" => {
            exports::cancel(visit.app.export_pool.clone(), found.clone());
            let page = links::page("export-job", &[("id", &found.id)]);
            Ok(Redirect::to(&page).into_response())
        }
        "remove" => {
            exports::cancel(visit.app.export_pool.clone(), found.clone());
            visit.app.jobs.remove(&found.id);
            let page = links::page("export", &[("q", &found.line)]);
            Ok(Redirect::to(&page).into_response())
        }
        _ => Err(Failure::Question(texts::NO_FORM.to_owned())),
    }
}
