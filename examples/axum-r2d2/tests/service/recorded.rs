//! The recorded actors.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Method;
use axum::routing;
use axum_r2d2::app::App;
use axum_r2d2::schema::articles;
use axum_r2d2::{routes, service};
use bytes::Bytes;
use diesel::insert_into;
use diesel::prelude::*;
use futures_util::stream::unfold;
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use serde_json::json;
use threadline::{AuditContext, AuditExt};
use threadline_tests::console::calls;
use threadline_tests::rows;
use tower::ServiceExt;

use super::{article, changes, post, request, send, setup, start};

const ADA: Option<&str> = Some("token-of-ada");
const GRACE: Option<&str> = Some("token-of-grace");

#[tokio::test]
async fn each_change_is_recorded_under_who_sent_it() {
    let (database, service) = start();
    let (status, created) = post(&service, "/articles", ADA, article("Analytical engines")).await;
    assert_eq!((status, &created["id"]), (201, &json!(1)));
    let edited = request(Method::PUT, "/articles/1", GRACE, &article("Compilers"));
    assert_eq!(send(&service, edited).await.1["title"], "Compilers");
    let comment = json!({ "text": "nice" });
    assert_eq!(
        post(&service, "/articles/1/comments", None, comment)
            .await
            .0,
        201
    );
    let shown = request(Method::GET, "/articles/1", None, &json!({}));
    assert_eq!(send(&service, shown).await.1["title"], "Compilers");
    let removed = request(Method::DELETE, "/articles/1", ADA, &json!({}));
    assert_eq!(send(&service, removed).await.0, 204);
    assert_eq!(
        changes(&database),
        [
            "insert | articles | user:1",
            "update | articles | user:2",
            "insert | comments | anonymous",
            // With the article.
            "delete | articles | user:1",
            "delete | comments | user:1",
        ]
    );
}

#[tokio::test]
async fn the_history_of_an_article_stays_when_it_is_gone() {
    let (_database, service) = start();
    post(&service, "/articles", ADA, article("Analytical engines")).await;
    let removed = request(Method::DELETE, "/articles/1", GRACE, &json!({}));
    assert_eq!(send(&service, removed).await.0, 204);
    let history = |token| request(Method::GET, "/articles/1/history", token, &json!({}));
    let (status, changes) = send(&service, history(ADA)).await;
    assert_eq!(status, 200);
    let told: Vec<_> = changes
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (&change["operation"], &change["transaction"]["actor"]))
        .collect();
    assert_eq!(
        told,
        [
            (&json!("delete"), &json!({ "type": "user", "id": "2" })),
            (&json!("insert"), &json!({ "type": "user", "id": "1" })),
        ]
    );
    assert_eq!(send(&service, history(None)).await.0, 401);
}

#[tokio::test]
async fn the_ids_of_a_request_are_recorded_and_answered() {
    let (database, service) = start();
    let mut tagged = request(
        Method::POST,
        "/articles",
        ADA,
        &article("Analytical engines"),
    );
    let headers = tagged.headers_mut();
    headers.insert("x-correlation-id", "c-1".parse().unwrap());
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    headers.insert("traceparent", trace.parse().unwrap());
    let response = service.oneshot(tagged).await.unwrap();
    assert_eq!(response.status(), 201);
    let id = response.headers()["x-request-id"].to_str().unwrap();
    assert_eq!(
        rows(
            &mut database.connect(),
            "SELECT request_id, correlation_id, source, meta ->> 'traceparent'
             FROM threadline.transactions"
        ),
        [format!("{id} | c-1 | web | {trace}")]
    );
}

/// Writes an article before each part of the response, while that is sent.
async fn stream(State(app): State<App>, Path(parts): Path<i32>) -> Body {
    let parts = unfold(0, move |part| {
        let app = app.clone();
        async move {
            let insert = insert_into(articles::table).values(articles::title.eq(part.to_string()));
            let written = app.db(move |conn| conn.audited(|conn| Ok(insert.execute(conn)?)));
            if part == parts {
                return None;
            }
            let frame = written.await.map(|_| Frame::data(Bytes::from("part\n")));
            Some((frame, part + 1))
        }
    });
    Body::new(StreamBody::new(parts))
}

#[tokio::test]
async fn writes_of_a_response_while_it_is_sent_are_recorded_under_its_user() {
    let (database, app) = setup();
    let routes = routes::routes().route("/stream/{parts}", routing::get(stream));
    let service = service(routes, app);
    let request = request(Method::GET, "/stream/3", GRACE, &json!({}));
    let response = service.oneshot(request).await.unwrap();
    assert_eq!(changes(&database), [""; 0]);
    let mut body = response.into_body();
    while let Some(frame) = body.frame().await {
        frame.unwrap();
        assert_eq!(AuditContext::current(), None);
    }
    assert_eq!(changes(&database), ["insert | articles | user:2"; 3]);
}

#[tokio::test]
async fn the_readme_shows_what_is_answered() {
    let (_database, service) = start();
    for call in calls(include_str!("../../README.md")) {
        let method = call.method.parse().unwrap();
        let request = request(method, &call.path, call.token.as_deref(), &call.json());
        call.assert_answered(send(&service, request).await.1);
    }
}
