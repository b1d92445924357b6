//! The routes of the service. A handler writes with `audited`, under the context that the
//! layer has set for its request.

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, RawQuery, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use diesel::prelude::*;
use diesel::result::Error as DieselError;
use diesel_async::RunQueryDsl;
use threadline::{
    ActorRef, AsyncAuditExt, AuditChange, Audited, Export, ExportFormat, Filter, Page, PageRequest,
    PageRules, TimelineEntry,
};

use crate::app::App;
use crate::error::ApiError;
use crate::models::{Contact, ContactText, contacts};

pub fn routes() -> Router<App> {
    Router::new()
        .route("/contacts", post(create))
        .route("/contacts/{id}", get(show).put(edit).delete(remove))
        .route("/contacts/{id}/history", get(history))
        .route("/audit/timeline", get(timeline))
        .route("/audit/export", get(export))
}

async fn create(
    State(app): State<App>,
    _: Caller,
    Json(text): Json<ContactText>,
) -> Result<(StatusCode, Json<Contact>), ApiError> {
    let mut conn = app.conn().await?;
    let contact = conn
        .audited::<_, DieselError, _>(async |conn| {
            diesel::insert_into(contacts::table)
                .values(&text)
                .returning(Contact::as_returning())
                .get_result(conn)
                .await
        })
        .await?;
    Ok((StatusCode::CREATED, Json(contact)))
}

async fn show(State(app): State<App>, Path(id): Path<i64>) -> Result<Json<Contact>, ApiError> {
    let mut conn = app.conn().await?;
    let find = contacts::table.find(id).select(Contact::as_select());
    Ok(Json(find.first(&mut conn).await?))
}

async fn edit(
    State(app): State<App>,
    _: Caller,
    Path(id): Path<i64>,
    Json(text): Json<ContactText>,
) -> Result<Json<Contact>, ApiError> {
    let mut conn = app.conn().await?;
    let contact = conn
        .audited::<_, DieselError, _>(async |conn| {
            diesel::update(contacts::table.find(id))
                .set(&text)
                .returning(Contact::as_returning())
                .get_result(conn)
                .await
        })
        .await?;
    Ok(Json(contact))
}

async fn remove(
    State(app): State<App>,
    _: Caller,
    Path(id): Path<i64>,
) -> Result<StatusCode, ApiError> {
    let mut conn = app.conn().await?;
    let removed = conn
        .audited::<_, DieselError, _>(async |conn| {
            diesel::delete(contacts::table.find(id)).execute(conn).await
        })
        .await?;
    match removed {
        0 => Err(ApiError::NotFound),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

/// Also for a deleted contact.
async fn history(
    State(app): State<App>,
    _: Caller,
    Path(id): Path<i64>,
) -> Result<Json<Vec<AuditChange>>, ApiError> {
    let changes = Contact::history_of(&mut app.conn().await?, id).await?;
    match changes.is_empty() {
        true => Err(ApiError::NotFound),
        false => Ok(Json(changes)),
    }
}

/// Returns a page of changes: `?actor=user:1&changed=email&limit=20`, and with `cursor`
/// the next.
async fn timeline(
    State(app): State<App>,
    Caller(caller): Caller,
    RawQuery(query): RawQuery,
) -> Result<Json<Page<TimelineEntry>>, ApiError> {
    if !App::is_admin(&caller) {
        return Err(ApiError::Forbidden);
    }
    let rules = PageRules::new().max_limit(100);
    let request: PageRequest<Filter> = rules.read(&query.unwrap_or_default())?;
    let page = request.timeline().page(&mut app.conn().await?).await?;
    Ok(Json(page))
}

/// Returns all changes as NDJSON: `?table=contacts`. Rows are read as fast as the client
/// takes them.
async fn export(
    State(app): State<App>,
    Caller(caller): Caller,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    if !App::is_admin(&caller) {
        return Err(ApiError::Forbidden);
    }
    let request = PageRequest::<Filter>::from_query(&query.unwrap_or_default())?;
    let export = Export::new(request.query).with_actions();
    let bytes = export
        .stream(app.conn().await?, ExportFormat::Ndjson)
        .await?;
    let headers = [(CONTENT_TYPE, "application/x-ndjson")];
    Ok((headers, Body::from_stream(bytes)).into_response())
}

/// Extracts the sender of the request, in handlers that need one.
struct Caller(ActorRef);

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let caller = app.caller(&parts.headers);
        caller.map(Self).ok_or(ApiError::SignIn)
    }
}
