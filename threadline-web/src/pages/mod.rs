//! The pages, one per file, and their routes.

mod actions;
mod actor;
mod api;
mod change;
mod correlation;
mod export;
mod export_job;
mod home;
mod newer;
mod openapi;
mod record;
mod report;
mod revert;
mod tables;
mod timeline;
mod transaction;
mod value;

use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::{DefaultBodyLimit, OriginalUri, Request, State};
use axum::http::Method;
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get, post};
use threadline::Filter;
use tokio::time::timeout;
use tower_http::csrf::CsrfLayer;

use crate::access::Explored;
use crate::app::App;
use crate::failure::Failure;
use crate::pool::Pool;
use crate::view::links::Catalogue;
use crate::visit::Visit;
use crate::{assets, security, texts, visit};

/// The maximum number of changes that a page counts by time, table, operation, actor and source.
/// Counting takes most of the time of a page.
const COUNTED: usize = 1_000;

/// The maximum size of a form in bytes, and the time that a client has to send it.
const FORM: usize = 64 * 1024;
const FORM_TIME: Duration = Duration::from_secs(30);

/// Returns a page of the changes that a filter matches, with their overview and the tables.
async fn explored<P: Pool>(
    visit: &Visit<P>,
    filter: Filter,
    limit: usize,
) -> Result<(Catalogue, Explored), Failure> {
    let cursor = visit.cursor()?;
    visit
        .read(move |audit| {
            let catalogue = Catalogue(audit.tables()?);
            Ok((catalogue, audit.explore(filter, COUNTED, limit, cursor)?))
        })
        .await
}

/// A route of the explorer.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The path below the explorer.
    pub path: &'static str,
}

const fn page(path: &'static str) -> Route {
    Route {
        method: "GET",
        path,
    }
}

const fn form(path: &'static str) -> Route {
    Route {
        method: "POST",
        path,
    }
}

/// All routes behind the authorization.
pub const ROUTES: &[Route] = &[
    page("/"),
    page("/home"),
    page("/timeline"),
    page("/newer"),
    page("/record"),
    page("/transaction"),
    page("/change"),
    page("/correlation"),
    page("/actor"),
    page("/actions"),
    page("/action"),
    page("/value"),
    page("/tables"),
    page("/api/changes"),
    page("/api/actions"),
    page("/api/overview"),
    page("/api/tables"),
    page("/api/record"),
    page("/api/export-job"),
    page("/api/openapi.json"),
    page("/export"),
    page("/export-job"),
    page("/export-file"),
    page("/revert"),
    form("/record"),
    form("/verify"),
    form("/export"),
    form("/export-job"),
    form("/report"),
    form("/report.json"),
    form("/revert"),
];

fn handler<P: Pool>(route: &Route) -> MethodRouter<App<P>> {
    match (route.method, route.path) {
        ("GET", "/") => get(first),
        ("GET", "/home") => get(home::show),
        ("GET", "/timeline") => get(timeline::show),
        ("GET", "/newer") => get(newer::count),
        ("GET", "/record") => get(record::show),
        ("POST", "/record") => post(record::unmasked),
        ("GET", "/transaction") => get(transaction::show),
        ("GET", "/change") => get(change::show),
        ("GET", "/correlation") => get(correlation::show),
        ("GET", "/actor") => get(actor::show),
        ("GET", "/actions") => get(actions::list),
        ("GET", "/action") => get(actions::show),
        ("GET", "/value") => get(value::show),
        ("GET", "/tables") => get(tables::show),
        ("GET", "/api/changes") => get(api::changes),
        ("GET", "/api/actions") => get(api::actions),
        ("GET", "/api/overview") => get(api::overview),
        ("GET", "/api/tables") => get(api::tables),
        ("GET", "/api/record") => get(api::record),
        ("GET", "/api/openapi.json") => get(api::document),
        ("GET", "/export") => get(export::choose),
        ("POST", "/export") => post(export::send),
        ("GET", "/export-job") => get(export_job::show),
        ("POST", "/export-job") => post(export_job::end),
        ("GET", "/export-file") => get(export_job::download),
        ("GET", "/api/export-job") => get(api::export_job),
        ("POST", "/report") => post(report::show),
        ("POST", "/report.json") => post(report::bundle),
        ("GET", "/revert") => get(revert::ask),
        ("POST", "/revert") => post(revert::answer),
        ("POST", "/verify") => post(tables::verify),
        (method, path) => unreachable!("{method} {path} is in the list and has no handler"),
    }
}

pub(crate) fn router<P: Pool, S>(app: App<P>) -> Router<S>
where
    S: Clone + Send + Sync + 'static,
{
    let mut pages = Router::new();
    for route in ROUTES {
        // A page and a form may share a path; axum merges their methods.
        pages = pages.route(route.path, handler(route));
    }
    pages
        .layer(from_fn(form_in_time))
        .fallback(async || Failure::NotFound("this page does not exist".to_owned()))
        .layer(from_fn_with_state(app.clone(), visit::authorize))
        .layer(DefaultBodyLimit::max(FORM))
        .layer(CsrfLayer::new())
        .route("/assets/{name}", get(assets::serve))
        .layer(from_fn(security::headers))
        .with_state(app)
}

/// Reads a form before its handler runs, so that a client that sends it slowly is refused.
async fn form_in_time(request: Request, next: Next) -> Response {
    if request.method() != Method::POST {
        return next.run(request).await;
    }
    let (parts, body) = request.into_parts();
    match timeout(FORM_TIME, to_bytes(body, FORM)).await {
        Ok(Ok(form)) => next.run(Request::from_parts(parts, form.into())).await,
        Ok(Err(_)) => Failure::Question(texts::NO_FORM.to_owned()).into_response(),
        Err(_) => Failure::Question(texts::SLOW_FORM.to_owned()).into_response(),
    }
}

/// Redirects to the home page, whether or not the path ends with a slash.
async fn first<P: Pool>(State(app): State<App<P>>, uri: OriginalUri) -> impl IntoResponse {
    Redirect::to(&visit::home_of(&uri, app.options.prefix.as_deref()))
}
