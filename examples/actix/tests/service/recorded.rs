//! The recorded actors.

use actix::app::App;
use actix::error::ApiError;
use actix::schema::items;
use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::web::{Bytes, Data, ServiceConfig, get, resource};
use diesel::prelude::*;
use futures_util::stream::once;
use serde_json::json;
use threadline::AuditContext;
use threadline_tests::assert_rows;
use threadline_tests::console::calls;

use super::{changes, request, send, service, setup};

const ADA: Option<&str> = Some("token-of-ada");
const GRACE: Option<&str> = Some("token-of-grace");

#[actix_web::test]
async fn each_change_is_recorded_under_who_sent_it() {
    let (database, app) = setup();
    let service = service(app, |_| ()).await;
    for (method, path, token, body, expected) in [
        (Method::POST, "/items", ADA, json!({ "name": "bolts" }), 201),
        (Method::POST, "/items", ADA, json!({ "name": "nuts" }), 201),
        // A single statement, and a transaction.
        (
            Method::POST,
            "/items/1/stock",
            GRACE,
            json!({ "quantity": 10 }),
            200,
        ),
        (
            Method::POST,
            "/transfers",
            ADA,
            json!({ "from": 1, "to": 2, "quantity": 4 }),
            200,
        ),
        (Method::GET, "/items/1", None, json!({}), 200),
        (Method::DELETE, "/items/1", GRACE, json!({}), 204),
    ] {
        let answer = send(&service, request(method, path, token, &body)).await;
        assert_eq!(answer.0, expected, "{path}: {}", answer.1);
    }
    assert_eq!(
        changes(&database),
        [
            "insert | 1 | user:1",
            "insert | 2 | user:1",
            "update | 1 | user:2",
            "update | 1 | user:1",
            "update | 2 | user:1",
            "delete | 1 | user:2",
        ]
    );
    let history = request(Method::GET, "/items/1/history", ADA, &json!({}));
    let (_, told) = send(&service, history).await;
    let stock: Vec<_> = told
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["changed_to"]["stock"].as_i64())
        .collect();
    assert_eq!(stock, [None, Some(6), Some(10), None]);
}

#[actix_web::test]
async fn the_ids_and_the_address_are_recorded() {
    let (database, app) = setup();
    let service = service(app, |_| ()).await;
    for id in ["r-1", &"x".repeat(129)] {
        let tagged = request(Method::POST, "/items", ADA, &json!({ "name": id }))
            .peer_addr(([203, 0, 113, 9], 4711).into())
            .insert_header(("x-request-id", id))
            .insert_header(("x-correlation-id", id))
            .insert_header(("x-forwarded-for", "198.51.100.1"));
        assert_eq!(send(&service, tagged).await.0, 201);
    }
    assert_rows(
        &mut database.connect(),
        "SELECT request_id, correlation_id, source, host(remote_ip)
         FROM threadline.transactions ORDER BY id",
        [
            "r-1 | r-1 | web | 203.0.113.9",
            "NULL | NULL | web | 203.0.113.9",
        ],
    );
}

/// Writes while the body of its response is sent.
async fn streams(app: Data<App>) -> HttpResponse {
    let body = once(async move {
        let insert = diesel::insert_into(items::table).values(items::name.eq("streamed"));
        app.db(move |conn| Ok(insert.execute(conn)?)).await?;
        Ok::<_, ApiError>(Bytes::from_static(b"\"done\""))
    });
    HttpResponse::Ok().streaming(Box::pin(body))
}

#[actix_web::test]
async fn a_stream_writes_in_the_context_of_its_request() {
    let (database, app) = setup();
    let more = |config: &mut ServiceConfig| {
        config.service(resource("/streams").route(get().to(streams)));
    };
    let service = service(app, more).await;
    let streamed = request(Method::GET, "/streams", ADA, &json!({}));
    assert_eq!(send(&service, streamed).await, (200, json!("done")));
    assert_eq!(AuditContext::current(), None);
    assert_eq!(changes(&database), ["insert | 1 | user:1"]);
}

#[actix_web::test]
async fn the_readme_shows_what_is_answered() {
    let (_database, app) = setup();
    let service = service(app, |_| ()).await;
    for call in calls(include_str!("../../README.md")) {
        let method = call.method.parse().unwrap();
        let request = request(method, &call.path, call.token.as_deref(), &call.json());
        call.assert_answered(send(&service, request).await.1);
    }
}
