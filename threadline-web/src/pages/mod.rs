//! The pages, one per file, and their routes.

mod actions;
mod actor;
mod api;
mod correlation;
mod export;
mod home;
mod openapi;
mod record;
mod report;
mod revert;
mod tables;
mod timeline;
mod transaction;
mod value;

use axum::Router;
use axum::extract::{DefaultBodyLimit, OriginalUri, State};
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Redirect};
use axum::routing::{MethodRouter, get, post};
use tower_http::csrf::CsrfLayer;

use crate::explorer::App;
use crate::failure::Failure;
use crate::pool::Pool;
use crate::{assets, security, visit};

/// The maximum number of changes that a page counts by time, table, operation, actor and source.
/// Counting takes most of the time of a page.
const COUNTED: usize = 1_000;

/// The maximum size of a form in bytes.
const FORM: usize = 64 * 1024;

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
    page("/record"),
    page("/transaction"),
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
    page("/api/openapi.json"),
    page("/export"),
    page("/revert"),
    form("/record"),
    form("/verify"),
    form("/export"),
    form("/report"),
    form("/revert"),
];

fn handler<P: Pool>(route: &Route) -> MethodRouter<App<P>> {
    match (route.method, route.path) {
        ("GET", "/") => get(first),
        ("GET", "/home") => get(home::show),
        ("GET", "/timeline") => get(timeline::show),
        ("GET", "/record") => get(record::show),
        ("POST", "/record") => post(record::unmasked),
        ("GET", "/transaction") => get(transaction::show),
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
        ("POST", "/report") => post(report::show),
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
        .fallback(async || Failure::NotFound("this page does not exist".to_owned()))
        .layer(from_fn_with_state(app.clone(), visit::authorize))
        .layer(DefaultBodyLimit::max(FORM))
        .layer(CsrfLayer::new())
        .route("/assets/{name}", get(assets::serve))
        .layer(from_fn(security::headers))
        .with_state(app)
}

/// Redirects to the home page, whether or not the path ends with a slash.
async fn first<P: Pool>(State(app): State<App<P>>, uri: OriginalUri) -> impl IntoResponse {
    Redirect::to(&visit::home_of(&uri, app.options.prefix.as_deref()))
}
