//! Sends requests through the service's own router, on a database.

#[path = "service/gone.rs"]
mod gone;

use std::collections::HashMap;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request};
use axum_diesel_async::app::App;
use axum_diesel_async::{routes, service};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use threadline::{ActorRef, AuditContext};
use threadline_tests::console::calls;
use threadline_tests::{Database, assert_contains, assert_rows, value};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tower::ServiceExt;

/// Starts the service with Ada, Grace who is an admin, and a number of others, each with
/// a token.
async fn start(others: i64) -> (Database, Router) {
    let (database, app) = open(others, 4).await;
    (database, service(routes::routes(), app))
}

async fn open(others: i64, connections: usize) -> (Database, App) {
    let database = Database::empty();
    let mut tokens = HashMap::from([
        ("token-of-ada".to_owned(), ActorRef::user(1).unwrap()),
        (
            "token-of-grace".to_owned(),
            ActorRef::admin("grace").unwrap(),
        ),
    ]);
    for number in 1000..1000 + others {
        let actor = ActorRef::user(number).unwrap();
        tokens.insert(format!("token-{number}"), actor);
    }
    let app = App::open(database.url(), tokens, connections)
        .await
        .unwrap();
    (database, app)
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

async fn get(service: &Router, path: &str, token: &str) -> (u16, Value) {
    send(service, request(Method::GET, path, Some(token), &json!({}))).await
}

fn contact(name: &str) -> Value {
    json!({ "name": name, "email": format!("{name}@example.com"), "phone": "1" })
}

const ADA: &str = "token-of-ada";
const GRACE: &str = "token-of-grace";

#[tokio::test]
async fn the_readme_shows_what_is_answered() {
    let (_database, service) = start(0).await;
    for call in calls(include_str!("../README.md")) {
        let method = call.method.parse().unwrap();
        let request = request(method, &call.path, call.token.as_deref(), &call.json());
        call.assert_answered(send(&service, request).await.1);
    }
}

#[tokio::test]
async fn a_refused_request_leaves_nothing() {
    let (database, service) = start(0).await;
    let create = |token, name| request(Method::POST, "/contacts", token, &contact(name));
    assert_eq!(send(&service, create(None, "a")).await.0, 401);
    assert_eq!(send(&service, create(Some("nobody's"), "a")).await.0, 401);
    assert_eq!(send(&service, create(Some(ADA), "a")).await.0, 201);
    assert_eq!(send(&service, create(Some(GRACE), "a")).await.0, 409);
    let removed = request(Method::DELETE, "/contacts/7", Some(ADA), &json!({}));
    assert_eq!(send(&service, removed).await.0, 404);
    let recorded = "SELECT op, actor_type, actor_id FROM threadline.changes";
    assert_rows(&mut database.connect(), recorded, ["insert | user | 1"]);
}

#[tokio::test]
async fn an_admin_exports_what_changed() {
    let (_database, service) = start(0).await;
    let create = request(Method::POST, "/contacts", Some(ADA), &contact("babbage"));
    assert_eq!(send(&service, create).await.0, 201);
    let (status, lines) = get(&service, "/audit/export?actor=user:1", GRACE).await;
    assert_eq!(status, 200);
    let lines: Vec<Value> = lines
        .as_str()
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines[0]["row_data"]["name"], "babbage");
    assert_eq!(lines[0]["row_data"]["phone"], "***");
    assert_eq!(lines[1]["count"], 1);
    assert_eq!(get(&service, "/audit/export", ADA).await.0, 403);
    assert_eq!(
        get(&service, "/audit/export?table=none", GRACE).await.0,
        404
    );
    assert_eq!(
        get(&service, "/audit/export?operation=upsert", GRACE)
            .await
            .0,
        400
    );
}

#[tokio::test]
async fn the_timeline_is_read_from_the_url_a_page_at_a_time() {
    let (_database, service) = start(0).await;
    for name in ["a", "b", "c"] {
        let create = request(Method::POST, "/contacts", Some(ADA), &contact(name));
        assert_eq!(send(&service, create).await.0, 201);
    }
    let (status, page) = get(&service, "/audit/timeline?actor=user:1&limit=2", GRACE).await;
    assert_eq!(status, 200);
    let names = |page: &Value| -> Vec<String> {
        let entries = page["entries"].as_array().unwrap();
        let name = |entry: &Value| {
            entry["change"]["row_data"]["name"]
                .as_str()
                .map(str::to_owned)
        };
        entries.iter().filter_map(name).collect()
    };
    assert_eq!(names(&page), ["c", "b"]);
    let next = page["next"].as_str().unwrap();
    let path = format!("/audit/timeline?actor=user:1&limit=2&cursor={next}");
    let (_, page) = get(&service, &path, GRACE).await;
    assert_eq!(names(&page), ["a"]);
    assert_eq!(page["next"], Value::Null);

    let (status, error) = get(&service, "/audit/timeline?operation=upsert", GRACE).await;
    assert_eq!(status, 400);
    let error = error["error"].as_str().unwrap();
    assert_contains(error, "operation");
    let (status, _) = get(&service, "/audit/timeline?table=none", GRACE).await;
    assert_eq!(status, 404);
}

const REQUESTS: i64 = 500;

#[test]
fn no_actor_is_lost_or_leaks_on_one_worker() {
    stress(Builder::new_current_thread().enable_all().build().unwrap());
}

#[test]
fn no_actor_is_lost_or_leaks_on_several_workers() {
    let mut workers = Builder::new_multi_thread();
    stress(workers.worker_threads(4).enable_all().build().unwrap());
}

/// The name of a contact is that of its writer. Every second request is cancelled at some
/// moment of its life: before it runs, while it waits for a connection, in its transaction.
async fn one_of_many(service: Router, user: i64) -> Option<u16> {
    let token = format!("token-{user}");
    let body = contact(&user.to_string());
    let create = request(Method::POST, "/contacts", Some(&token), &body);
    let sent = send(&service, create);
    let status = if user % 2 == 0 {
        let moment = Duration::from_micros(user.unsigned_abs() * 7_919 % 300_000);
        timeout(moment, sent).await.ok().map(|(status, _)| status)
    } else {
        Some(sent.await.0)
    };
    assert_eq!(AuditContext::current(), None);
    status
}

fn stress(runtime: Runtime) {
    let (database, answered) = runtime.block_on(async {
        let (database, service) = start(REQUESTS).await;
        let mut requests = JoinSet::new();
        for user in 1000..1000 + REQUESTS {
            requests.spawn(one_of_many(service.clone(), user));
        }
        let mut answered = 0;
        while let Some(status) = requests.join_next().await {
            if let Some(status) = status.unwrap() {
                assert_eq!(status, 201);
                answered += 1;
            }
        }
        (database, answered)
    });
    drop(runtime);
    assert!(answered < REQUESTS, "nothing was cancelled");

    let conn = &mut database.connect();
    let wrong = "SELECT row_data, actor_type, actor_id FROM threadline.changes
         WHERE (actor_type, actor_id) IS DISTINCT FROM ('user', row_data ->> 'name')";
    assert_rows(conn, wrong, []);
    let count = |conn: &mut _, table| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        value(conn, &sql).unwrap().parse().unwrap()
    };
    let written = count(conn, "contacts");
    assert_eq!(count(conn, "threadline.changes"), written);
    assert!(
        written >= answered,
        "{written} written, {answered} answered"
    );
}
