//! Refused requests leave nothing.

use axum::Router;
use axum::extract::State;
use axum::http::Method;
use axum::routing;
use axum_r2d2::app::App;
use axum_r2d2::error::ApiError;
use axum_r2d2::schema::articles;
use axum_r2d2::service;
use diesel::prelude::*;
use serde_json::json;
use threadline::AuditExt;

use super::{article, changes, post, request, send, setup, start};

#[tokio::test]
async fn without_a_valid_token_nobody_writes_articles() {
    let (database, service) = start();
    let refused = (401, json!({ "error": "sign in first" }));
    for token in [None, Some("token-of-nobody"), Some("")] {
        assert_eq!(
            post(&service, "/articles", token, article("x")).await,
            refused
        );
    }
    // A wrong token does not make the caller a visitor.
    let comment = json!({ "text": "x" });
    let answer = post(
        &service,
        "/articles/1/comments",
        Some("token-of-nobody"),
        comment,
    )
    .await;
    assert_eq!(answer, refused);
    let mut basic = request(Method::POST, "/articles", None, &article("x"));
    basic
        .headers_mut()
        .insert("authorization", "Basic YTpi".parse().unwrap());
    assert_eq!(send(&service, basic).await, refused);
    assert_eq!(changes(&database), [""; 0]);
}

#[tokio::test]
async fn errors_of_the_database_are_answers() {
    let (database, service) = start();
    let ada = Some("token-of-ada");
    let missing = (404, json!({ "error": "there is no such article" }));
    for (method, path) in [
        (Method::GET, "/articles/9"),
        (Method::PUT, "/articles/9"),
        (Method::DELETE, "/articles/9"),
        (Method::GET, "/articles/9/history"),
    ] {
        let request = request(method, path, ada, &article("x"));
        assert_eq!(send(&service, request).await, missing, "{path}");
    }
    let comment = json!({ "text": "x" });
    assert_eq!(
        post(&service, "/articles/9/comments", ada, comment).await,
        missing
    );
    assert_eq!(post(&service, "/articles", ada, article("x")).await.0, 201);
    assert_eq!(
        post(&service, "/articles", ada, article("x")).await,
        (
            409,
            json!({ "error": "there is another article with this title" })
        )
    );
    assert_eq!(changes(&database), ["insert | articles | user:1"]);
}

async fn with_audited(State(app): State<App>) -> Result<(), ApiError> {
    let insert = diesel::insert_into(articles::table).values(articles::title.eq("x"));
    let written = app.db(move |conn| conn.audited(|conn| Ok(insert.execute(conn)?)));
    written.await.map(drop)
}

async fn without_audited(State(app): State<App>) -> Result<(), ApiError> {
    let insert = diesel::insert_into(articles::table).values(articles::title.eq("x"));
    app.db(move |conn| Ok(insert.execute(conn)?))
        .await
        .map(drop)
}

#[tokio::test]
async fn without_the_layer_or_audited_nothing_is_written() {
    let (database, app) = setup();
    let forgetful = || {
        Router::new()
            .route("/with", routing::post(with_audited))
            .route("/without", routing::post(without_audited))
    };
    let layered = service(forgetful(), app.clone());
    let bare = forgetful().with_state(app);
    let ada = Some("token-of-ada");
    assert_eq!(post(&layered, "/without", ada, json!({})).await.0, 401);
    assert_eq!(post(&bare, "/with", ada, json!({})).await.0, 500);
    assert_eq!(post(&bare, "/without", ada, json!({})).await.0, 401);
    assert_eq!(changes(&database), [""; 0]);
    assert_eq!(post(&layered, "/with", ada, json!({})).await.0, 200);
    assert_eq!(changes(&database), ["insert | articles | user:1"]);
}
