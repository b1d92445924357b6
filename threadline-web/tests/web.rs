//! Tests of the explorer's router with a database.

#[path = "web/about_the_audit.rs"]
mod about_the_audit;
#[path = "web/api.rs"]
mod api;
#[path = "web/attacks.rs"]
mod attacks;
#[path = "web/exports.rs"]
mod exports;
#[path = "web/fragments.rs"]
mod fragments;
#[path = "web/large.rs"]
mod large;
#[path = "web/newer.rs"]
mod newer;
#[path = "web/pages.rs"]
mod pages;
#[cfg(all(feature = "bb8", feature = "deadpool"))]
#[path = "web/pools.rs"]
mod pools;
#[path = "web/random_scopes.rs"]
mod random_scopes;
#[path = "web/reports.rs"]
mod reports;
#[path = "web/safety.rs"]
mod safety;
#[path = "web/scope.rs"]
mod scope;
#[path = "web/slow_clients.rs"]
mod slow_clients;
#[path = "web/taking_away.rs"]
mod taking_away;
#[path = "web/timeline.rs"]
mod timeline;

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt;
use threadline::ActorRef;
use threadline_tests::{Database, run, run_under};
use threadline_web::{Access, Explorer};
use tower::ServiceExt;

/// A response.
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer {
        status: parts.status,
        headers: parts.headers,
        body: String::from_utf8_lossy(&body).into_owned(),
    }
}

fn request(method: Method, path: &str) -> Request<Body> {
    let request = Request::builder().method(method).uri(path);
    request.body(Body::empty()).unwrap()
}

async fn get(router: &Router, path: &str) -> Answer {
    send(router, request(Method::GET, path)).await
}

/// Returns the page of a successful response.
#[track_caller]
fn shown(answer: Answer) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body
}

/// Mounts an explorer below `/audit` for a viewer with this access.
/// The time that a query may take: on a busy machine, more than by default.
const PATIENCE: Duration = Duration::from_secs(60);

fn mounted(database: &Database, access: Access) -> Router {
    let explorer = Explorer::new(database.pool(4))
        .timeout(PATIENCE)
        .authorize(move |_| {
            let access = access.clone();
            async { access }
        });
    Router::new().nest("/audit", explorer.into_router())
}

fn operator() -> Access {
    Access::to_everything(ActorRef::admin("grace").unwrap())
}

/// Creates two customers with invoices, and changes of these.
fn with_invoices() -> Database {
    let database = Database::new();
    run(
        &mut database.connect(),
        "CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, email text);
         CREATE TABLE invoices (id bigint PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers,
                                amount numeric NOT NULL, status text NOT NULL, margin numeric);
         SELECT threadline.audit('customers', mask => ARRAY['email']);
         SELECT threadline.audit('invoices');",
    );
    let conn = &mut database.connect();
    let steps = [
        (
            "user:7",
            "web",
            "INSERT INTO customers VALUES (7, 'Acme', 'a@acme.example'), (8, 'Bolt', 'b@bolt.example')",
        ),
        (
            "user:7",
            "web",
            "INSERT INTO invoices VALUES (1, 7, 1200.00, 'open', 3117), (2, 8, 800.00, 'open', 3228)",
        ),
        (
            "user:57",
            "web",
            "UPDATE invoices SET amount = amount / 100",
        ),
        (
            "job:small-amounts",
            "worker",
            "UPDATE invoices SET status = 'written off' WHERE id = 1",
        ),
    ];
    for (actor, source, sql) in steps {
        written(conn, actor, source, sql);
    }
    database
}

/// Adds customers with a range of ids.
fn with_customers(ids: std::ops::Range<i32>) -> Database {
    let (database, mut conn) = with_invoices().connected();
    let (from, to) = (ids.start, ids.end - 1);
    let sql = format!(
        "INSERT INTO customers SELECT n, 'C', NULL FROM generate_series({from}, {to}) AS n"
    );
    written(&mut conn, "user:7", "web", &sql);
    database
}

/// Runs a statement under an actor.
fn written(conn: &mut diesel::PgConnection, actor: &str, source: &str, sql: &str) {
    use threadline::AuditContext;
    let context = AuditContext::builder(actor.parse().unwrap())
        .source(source)
        .build()
        .unwrap();
    run_under(conn, &context, sql);
}
