//! Any tower service over `http::Request`.

#[path = "tower/body.rs"]
mod body;
#[path = "tower/context.rs"]
mod context;
#[path = "tower/ends.rs"]
mod ends;
#[path = "tower/outgoing.rs"]
mod outgoing;

use std::convert::Infallible;

use http::{Request, Response};
use http_body_util::Empty;
use threadline::{ActorRef, AuditContext};
use threadline_tower::AuditLayer;
use tower::{Layer, Service, ServiceExt, service_fn};

type Body = Empty<bytes::Bytes>;

/// Requests of user 42.
fn layer() -> AuditLayer {
    AuditLayer::new(|_| ActorRef::user(42).ok())
}

fn user(id: i32) -> AuditContext {
    AuditContext::new(ActorRef::user(id).unwrap())
}

fn request(headers: &[(&str, &str)]) -> Request<Body> {
    let mut request = Request::builder();
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Body::new()).unwrap()
}

/// The context that is current in a service under `layer`.
async fn seen(layer: AuditLayer, request: Request<Body>) -> Option<AuditContext> {
    let (send, receive) = std::sync::mpsc::channel();
    let service = service_fn(move |request: Request<Body>| {
        let extension: Option<AuditContext> = request.extensions().get().cloned();
        let send = send.clone();
        async move {
            tokio::task::yield_now().await;
            assert_eq!(extension, AuditContext::current());
            send.send(extension).unwrap();
            Ok::<_, Infallible>(Response::new(Body::new()))
        }
    });
    let mut service = layer.layer(service);
    let response = service.ready().await.unwrap().call(request);
    assert_eq!(AuditContext::current(), None);
    response.await.unwrap();
    assert_eq!(AuditContext::current(), None);
    receive.recv().unwrap()
}
