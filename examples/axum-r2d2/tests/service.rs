//! Sends requests through the service's own router, on a database.

#[path = "service/explored.rs"]
mod explored;
#[path = "service/gone.rs"]
mod gone;
#[path = "service/recorded.rs"]
mod recorded;
#[path = "service/refused.rs"]
mod refused;
#[path = "service/stress.rs"]
mod stress;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use axum_r2d2::app::App;
use axum_r2d2::{routes, service};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use threadline_tests::{Database, rows};
use tower::ServiceExt;

fn setup() -> (Database, App) {
    setup_with(4)
}

fn setup_with(connections: u32) -> (Database, App) {
    let database = Database::empty();
    let app = App::open(&database.url(), connections).unwrap();
    (database, app)
}

fn start() -> (Database, Router) {
    let (database, app) = setup();
    (database, service(routes::routes(), app))
}

fn request(method: Method, path: &str, token: Option<&str>, body: &Value) -> Request<Body> {
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header("content-type", "application/json");
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    request.body(Body::from(body.to_string())).unwrap()
}

/// Returns the status and the body of the response.
async fn send(service: &Router, request: Request<Body>) -> (u16, Value) {
    let response = service.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8_lossy(&body).into_owned();
    (status, serde_json::from_slice(&body).unwrap_or(json!(text)))
}

async fn post(service: &Router, path: &str, token: Option<&str>, body: Value) -> (u16, Value) {
    send(service, request(Method::POST, path, token, &body)).await
}

fn article(title: &str) -> Value {
    json!({ "title": title, "body": "" })
}

/// Returns every change with its actor.
fn changes(database: &Database) -> Vec<String> {
    rows(
        &mut database.connect(),
        "SELECT op, table_name, concat_ws(':', actor_type, actor_id)
         FROM threadline.changes ORDER BY id",
    )
}
