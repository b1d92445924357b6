//! A router of axum: layers, extractors, request ids.

use std::net::SocketAddr;

use axum::Extension;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::get;
use http_body_util::BodyExt;
use threadline::{ActorRef, AuditContext};
use threadline_tower::{Audit, AuditLayer, X_REQUEST_ID};
use tower::ServiceExt;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};

#[derive(Clone)]
struct CurrentUser(i64);

/// Asks for the user elsewhere, as most authentication does.
async fn authenticate(mut request: Request, next: Next) -> Response {
    let token = request.headers().get("authorization").cloned();
    tokio::task::yield_now().await;
    if token.is_some_and(|token| token == "Bearer of-user-7") {
        request.extensions_mut().insert(CurrentUser(7));
    }
    next.run(request).await
}

fn audit() -> AuditLayer {
    AuditLayer::new(|parts| ActorRef::user(parts.extensions.get::<CurrentUser>()?.0).ok())
}

fn actor(context: Option<AuditContext>) -> String {
    context.map_or("nobody".to_owned(), |context| {
        context.actor().unwrap().to_string()
    })
}

fn routes() -> Router {
    Router::new()
        .route("/current", get(async || actor(AuditContext::current())))
        .route(
            "/extractor",
            get(async |Audit(context): Audit| actor(Some(context))),
        )
        .route(
            "/option",
            get(async |audit: Option<Audit>| actor(audit.map(|Audit(context)| context))),
        )
        .route(
            "/extension",
            get(async |Extension(context): Extension<AuditContext>| actor(Some(context))),
        )
        .route(
            "/details",
            get(async |Audit(context): Audit| context.to_json()),
        )
}

fn app() -> Router {
    routes().layer(audit()).layer(from_fn(authenticate))
}

async fn answer(app: Router, path: &str, token: Option<&str>) -> (u16, String) {
    let mut request = Request::get(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    let response = app
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

#[tokio::test]
async fn the_authenticated_user_is_the_actor_in_the_handler() {
    for path in ["/current", "/extractor", "/option", "/extension"] {
        let answer = answer(app(), path, Some("of-user-7")).await;
        assert_eq!(answer, (200, "user:7".to_owned()), "{path}");
    }
}

#[tokio::test]
async fn a_request_in_which_nobody_acts_is_served_and_has_no_context() {
    for path in ["/current", "/option"] {
        let answer = answer(app(), path, None).await;
        assert_eq!(answer, (200, "nobody".to_owned()), "{path}");
    }
    let (status, said) = answer(app(), "/extractor", None).await;
    assert_eq!(status, 500);
    assert!(said.starts_with("this request has no actor: "), "{said}");
    assert_eq!(answer(app(), "/extension", None).await.0, 500);
}

#[tokio::test]
async fn layers_in_the_wrong_order_are_seen() {
    let wrong = || routes().layer(from_fn(authenticate)).layer(audit());
    let answered = answer(wrong(), "/current", Some("of-user-7")).await;
    assert_eq!(answered, (200, "nobody".to_owned()));
    assert_eq!(
        answer(wrong(), "/extractor", Some("of-user-7")).await.0,
        500
    );
}

#[tokio::test]
async fn the_request_id_is_the_one_that_tower_http_gives_and_answers() {
    let app = app()
        .layer(PropagateRequestIdLayer::new(X_REQUEST_ID))
        .layer(SetRequestIdLayer::new(X_REQUEST_ID, MakeRequestUuid));
    let request = Request::get("/details")
        .header("authorization", "Bearer of-user-7")
        .body(Body::empty())
        .unwrap();
    let response = app.oneshot(request).await.unwrap();
    let answered = response.headers()[X_REQUEST_ID]
        .to_str()
        .unwrap()
        .to_owned();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let context = AuditContext::from_json(std::str::from_utf8(&body).unwrap()).unwrap();
    assert_eq!(answered.len(), 36);
    assert_eq!(context.request_id(), Some(answered.as_str()));
}

#[tokio::test]
async fn the_address_of_the_connection_is_at_hand() {
    let layer = audit().remote_ip(|parts| {
        let peer: &ConnectInfo<SocketAddr> = parts.extensions.get()?;
        Some(peer.0.ip())
    });
    let app = routes().layer(layer).layer(from_fn(authenticate));
    let mut request = Request::get("/details")
        .header("authorization", "Bearer of-user-7")
        .header("x-forwarded-for", "198.51.100.1")
        .body(Body::empty())
        .unwrap();
    let peer = SocketAddr::from(([203, 0, 113, 9], 4711));
    request.extensions_mut().insert(ConnectInfo(peer));
    let response = app.oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let context = AuditContext::from_json(std::str::from_utf8(&body).unwrap()).unwrap();
    assert_eq!(context.remote_ip(), Some([203, 0, 113, 9].into()));
}
