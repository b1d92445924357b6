use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use threadline::{AuditContext, InContext};

pin_project! {
    /// The body of a response, with the context of its request. The context is current
    /// while the body is polled, and while it is dropped.
    #[derive(Debug)]
    pub struct AuditBody<B> {
        #[pin]
        frames: InContext<NextFrame<B>>,
    }
}

impl<B: Body> AuditBody<B> {
    /// Attaches the current context.
    pub(crate) fn carry(body: B) -> Self {
        Self {
            frames: AuditContext::carry_future(NextFrame { body }),
        }
    }
}

impl<B: Body> Body for AuditBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        self.project().frames.poll(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.frames.get_ref().body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.frames.get_ref().body.size_hint()
    }
}

pin_project! {
    /// A body as a future of its next frame. It is polled again for each frame, because
    /// `InContext` forwards every poll.
    #[derive(Debug)]
    struct NextFrame<B> {
        #[pin]
        body: B,
    }
}

impl<B: Body> Future for NextFrame<B> {
    type Output = Option<Result<Frame<B::Data>, B::Error>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().body.poll_frame(cx)
    }
}
