//! The routes of the service. Each handler writes with `audited`, under the context that the
//! layer has set.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Json, Router};
use diesel::prelude::*;
use serde::Deserialize;
use threadline::{AuditChange, AuditExt, Audited};

use crate::app::App;
use crate::auth::SignedIn;
use crate::error::ApiError;
use crate::models::{Article, ArticleText, Comment};
use crate::schema::{articles, comments};

pub fn routes() -> Router<App> {
    Router::new()
        .route("/articles", post(create))
        .route("/articles/{id}", get(show).put(edit).delete(remove))
        .route("/articles/{id}/comments", post(comment))
        .route("/articles/{id}/history", get(history))
}

async fn create(
    State(app): State<App>,
    _: SignedIn,
    Json(text): Json<ArticleText>,
) -> Result<(StatusCode, Json<Article>), ApiError> {
    let article = app.db(move |conn| {
        conn.audited(|conn| {
            Ok(diesel::insert_into(articles::table)
                .values(&text)
                .returning(Article::as_returning())
                .get_result(conn)?)
        })
    });
    Ok((StatusCode::CREATED, Json(article.await?)))
}

async fn show(State(app): State<App>, Path(id): Path<i64>) -> Result<Json<Article>, ApiError> {
    let find = articles::table.find(id).select(Article::as_select());
    app.db(move |conn| Ok(find.first(conn)?)).await.map(Json)
}

async fn edit(
    State(app): State<App>,
    _: SignedIn,
    Path(id): Path<i64>,
    Json(text): Json<ArticleText>,
) -> Result<Json<Article>, ApiError> {
    let article = app.db(move |conn| {
        conn.audited(|conn| {
            Ok(diesel::update(articles::table.find(id))
                .set(&text)
                .returning(Article::as_returning())
                .get_result(conn)?)
        })
    });
    article.await.map(Json)
}

async fn remove(
    State(app): State<App>,
    _: SignedIn,
    Path(id): Path<i64>,
) -> Result<StatusCode, ApiError> {
    let remove = diesel::delete(articles::table.find(id));
    let removed = app.db(move |conn| conn.audited(|conn| Ok(remove.execute(conn)?)));
    match removed.await? {
        0 => Err(ApiError::NotFound),
        _ => Ok(StatusCode::NO_CONTENT),
    }
}

#[derive(Debug, Deserialize)]
struct NewComment {
    text: String,
}

/// For visitors too.
async fn comment(
    State(app): State<App>,
    Path(article): Path<i64>,
    Json(new): Json<NewComment>,
) -> Result<(StatusCode, Json<Comment>), ApiError> {
    let comment = app.db(move |conn| {
        conn.audited(|conn| {
            Ok(diesel::insert_into(comments::table)
                .values((
                    comments::article_id.eq(article),
                    comments::text.eq(new.text),
                ))
                .returning(Comment::as_returning())
                .get_result(conn)?)
        })
    });
    Ok((StatusCode::CREATED, Json(comment.await?)))
}

/// Also for a deleted article.
async fn history(
    State(app): State<App>,
    _: SignedIn,
    Path(id): Path<i64>,
) -> Result<Json<Vec<AuditChange>>, ApiError> {
    let changes = app
        .db(move |conn| Ok(Article::history_of(conn, id)?))
        .await?;
    match changes.is_empty() {
        true => Err(ApiError::NotFound),
        false => Ok(Json(changes)),
    }
}
