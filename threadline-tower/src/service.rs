use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use threadline::{AuditContext, InContext};
use tower_layer::Layer;
use tower_service::Service;

use crate::{AuditBody, AuditLayer};

/// A service whose requests are served in an audit context, made by [`AuditLayer`].
#[derive(Debug, Clone)]
pub struct AuditService<S> {
    inner: S,
    layer: Arc<AuditLayer>,
}

impl<S> Layer<S> for AuditLayer {
    type Service = AuditService<S>;

    fn layer(&self, inner: S) -> AuditService<S> {
        AuditService {
            inner,
            layer: Arc::new(self.clone()),
        }
    }
}

impl<S, RequestBody, ResponseBody> Service<Request<RequestBody>> for AuditService<S>
where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>>,
    ResponseBody: Body,
{
    type Response = Response<AuditBody<ResponseBody>>;
    type Error = S::Error;
    type Future = AuditFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<RequestBody>) -> AuditFuture<S::Future> {
        let (mut parts, body) = request.into_parts();
        let Some(context) = self.layer.context(&parts) else {
            return AuditFuture::carry(self.inner.call(Request::from_parts(parts, body)));
        };
        parts.extensions.insert(context.clone());
        let request = Request::from_parts(parts, body);
        // `call` of some services does work before it returns its future. `scope` refuses
        // closures that return a future; this future carries the context, so the tuple is
        // safe.
        let (future,) = context.scope(|| (AuditFuture::carry(self.inner.call(request)),));
        future
    }
}

pin_project! {
    /// The response of an [`AuditService`].
    #[derive(Debug)]
    pub struct AuditFuture<F> {
        #[pin]
        response: InContext<WithBody<F>>,
    }
}

impl<F> AuditFuture<F> {
    /// Attaches the current context.
    fn carry(future: F) -> Self
    where
        WithBody<F>: Future,
    {
        Self {
            response: AuditContext::carry_future(WithBody { future }),
        }
    }
}

impl<F, B, E> Future for AuditFuture<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<AuditBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().response.poll(cx)
    }
}

pin_project! {
    /// A response whose body keeps the context in which it was created.
    #[derive(Debug)]
    pub(crate) struct WithBody<F> {
        #[pin]
        future: F,
    }
}

impl<F, B, E> Future for WithBody<F>
where
    F: Future<Output = Result<Response<B>, E>>,
    B: Body,
{
    type Output = Result<Response<AuditBody<B>>, E>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let response = ready!(self.project().future.poll(cx))?;
        Poll::Ready(Ok(response.map(AuditBody::carry)))
    }
}
