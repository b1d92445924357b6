//! The context while a response is sent.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use threadline::AuditContext;
use threadline_tower::AuditLayer;
use tower::{Layer, ServiceExt, service_fn};

use super::{layer, request};

type Seen = Option<AuditContext>;

/// Two frames, with a pause before each, and the context of each poll.
struct Watched {
    polls: usize,
    seen: Sender<(&'static str, Seen)>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.seen.send(("polled", AuditContext::current())).unwrap();
        self.polls += 1;
        match self.polls {
            1 | 3 => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            2 | 4 => Poll::Ready(Some(Ok(Frame::data("text".into())))),
            _ => Poll::Ready(None),
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(8)
    }

    fn is_end_stream(&self) -> bool {
        self.polls == 4
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.seen
            .send(("dropped", AuditContext::current()))
            .unwrap();
    }
}

/// The contexts in which a body is polled and dropped.
async fn contexts(layer: AuditLayer) -> Vec<(&'static str, Seen)> {
    let (send, receive) = channel();
    let service = service_fn(move |_: Request<super::Body>| {
        let body = Watched {
            polls: 0,
            seen: send.clone(),
        };
        async { Ok::<_, Infallible>(Response::new(body)) }
    });
    let response = layer.layer(service).oneshot(request(&[])).await.unwrap();
    let mut body = Box::pin(response.into_body());
    assert_eq!(body.size_hint().exact(), Some(8));
    let mut text = vec![];
    while !body.is_end_stream() {
        let frame = body.frame().await.unwrap().unwrap();
        text.extend(frame.into_data().unwrap());
        assert_eq!(AuditContext::current(), None);
    }
    assert_eq!(text, b"texttext");
    assert!(body.frame().await.is_none());
    drop(body);
    assert_eq!(AuditContext::current(), None);
    receive.try_iter().collect()
}

#[tokio::test]
async fn the_context_is_current_while_a_body_is_sent_and_dropped() {
    let seen = contexts(layer()).await;
    let what: Vec<_> = seen.iter().map(|(what, _)| *what).collect();
    assert_eq!(
        what,
        ["polled", "polled", "polled", "polled", "polled", "dropped"]
    );
    for (what, context) in seen {
        let context = context.unwrap_or_else(|| panic!("{what} without a context"));
        assert_eq!(context.actor().unwrap().to_string(), "user:42");
    }
}

#[tokio::test]
async fn without_an_actor_a_body_has_no_context() {
    let seen = contexts(AuditLayer::new(|_| None)).await;
    assert_eq!(seen.len(), 6);
    assert!(
        seen.iter().all(|(_, context)| context.is_none()),
        "{seen:?}"
    );
}

#[tokio::test]
async fn a_body_keeps_its_size_and_its_end() {
    let service = service_fn(async |_: Request<super::Body>| {
        Ok::<_, Infallible>(Response::new(Full::new(Bytes::from("text"))))
    });
    let response = layer().layer(service).oneshot(request(&[])).await.unwrap();
    let body = response.into_body();
    assert_eq!(body.size_hint().exact(), Some(4));
    assert!(!body.is_end_stream());
    assert_eq!(body.collect().await.unwrap().to_bytes(), "text");
}
