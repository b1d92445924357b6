//! Requests that fail, panic or are cancelled, and services that do work in `call`.

use std::convert::Infallible;
use std::future::{Future, pending, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::task::Poll;

use http::{Request, Response};
use http_body_util::BodyExt;
use threadline::AuditContext;
use tower::{Layer, Service, ServiceExt, service_fn};
use tower_http::catch_panic::CatchPanicLayer;

use super::{Body, layer, request};

struct Watched(Sender<Option<AuditContext>>);

impl Drop for Watched {
    fn drop(&mut self) {
        self.0.send(AuditContext::current()).unwrap();
    }
}

#[tokio::test]
async fn a_cancelled_request_is_dropped_in_its_context_and_leaves_none() {
    let (send, receive) = channel();
    let mut service = layer().layer(service_fn(move |_: Request<Body>| {
        let watched = Watched(send.clone());
        async move {
            let _watched = watched;
            pending::<Result<Response<Body>, Infallible>>().await
        }
    }));
    let mut response = Box::pin(service.call(request(&[])));
    let pending = poll_fn(|cx| Poll::Ready(response.as_mut().poll(cx).is_pending())).await;
    assert!(pending);
    assert_eq!(AuditContext::current(), None);
    drop(response);
    assert_eq!(AuditContext::current(), None);
    let dropped_in = receive.try_recv().unwrap().expect("a context");
    assert_eq!(dropped_in.actor().unwrap().to_string(), "user:42");
}

#[tokio::test]
async fn a_panic_ends_the_context_and_can_be_caught_on_either_side() {
    let panics = service_fn(|_: Request<Body>| async {
        if AuditContext::current().is_some() {
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        Ok::<_, Infallible>(Response::new(Body::new()))
    });
    let outside = CatchPanicLayer::new().layer(layer().layer(panics));
    let response = outside.oneshot(request(&[])).await.unwrap();
    assert_eq!(response.status(), 500);
    assert_eq!(AuditContext::current(), None);
    let inside = layer().layer(CatchPanicLayer::new().layer(panics));
    let response = inside.oneshot(request(&[])).await.unwrap();
    assert_eq!(response.status(), 500);
    response.into_body().collect().await.unwrap();
    assert_eq!(AuditContext::current(), None);
}

#[tokio::test]
async fn an_error_of_the_service_is_passed_on() {
    let fails = service_fn(|_: Request<Body>| ready(Err::<Response<Body>, _>("no")));
    let error = layer().layer(fails).oneshot(request(&[])).await;
    assert_eq!(error.map(|_| ()), Err("no"));
}

#[tokio::test]
async fn work_in_call_has_the_context_too() {
    let (send, receive) = channel();
    let mut service = layer().layer(service_fn(move |_: Request<Body>| {
        send.send(AuditContext::current()).unwrap();
        ready(Ok::<_, Infallible>(Response::new(Body::new())))
    }));
    let response = service.call(request(&[]));
    assert_eq!(AuditContext::current(), None);
    let context = receive.try_recv().unwrap().expect("a context");
    assert_eq!(context.source(), Some("web"));
    drop(response);

    let mut panics = layer().layer(service_fn(
        |_: Request<Body>| -> std::future::Ready<Result<Response<Body>, Infallible>> {
            std::panic::resume_unwind(Box::new("on purpose"))
        },
    ));
    let panicked = catch_unwind(AssertUnwindSafe(|| panics.call(request(&[]))));
    assert!(panicked.is_err());
    assert_eq!(AuditContext::current(), None);
}
