//! The middleware: identifies the sender of a request and serves it in their context.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::Error;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes};
use diesel::prelude::*;
use threadline::{ActorRef, AuditContext, InContextExt};

use crate::app::App;
use crate::error::ApiError;
use crate::schema::clerks;

/// For `actix_web::middleware::from_fn`. Visitors have no context: they can read, and the
/// database refuses their writes.
pub async fn audit(
    app: web::Data<App>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(clerk) = clerk_of(&app, &request).await? else {
        return Ok(next.call(request).await?.map_into_boxed_body());
    };
    let mut context = AuditContext::builder(ActorRef::user(clerk).map_err(internal)?).source("web");
    let id = |name| header(&request, name).filter(|id| id.len() <= 128);
    if let Some(id) = id("x-request-id") {
        context = context.request_id(id);
    }
    if let Some(id) = id("x-correlation-id") {
        context = context.correlation_id(id);
    }
    if let Some(peer) = request.peer_addr() {
        context = context.remote_ip(peer.ip());
    }
    let context = context.build().map_err(internal)?;
    // In a block, because `call` runs before it returns its future.
    let response = async { next.call(request).await }.in_context(context.clone());
    let in_context = |body: BoxBody| BodyInContext(context, body).boxed();
    Ok(response.await?.map_body(|_, body| in_context(body.boxed())))
}

/// A body that is sent in the context of its request, so that a stream may write.
struct BodyInContext(AuditContext, BoxBody);

impl MessageBody for BodyInContext {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.1.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let Self(context, body) = &mut *self;
        context.scope(|| Pin::new(body).poll_next(cx))
    }
}

/// Looks up the owner of a token. Refuses an unknown token.
async fn clerk_of(app: &App, request: &ServiceRequest) -> Result<Option<i64>, ApiError> {
    if !request.headers().contains_key("authorization") {
        return Ok(None);
    }
    let token = header(request, "authorization").and_then(|text| text.strip_prefix("Bearer "));
    let token = token.ok_or(ApiError::SignIn)?.to_owned();
    let find = move |conn: &mut _| {
        let clerks = clerks::table
            .filter(clerks::token.eq(token))
            .select(clerks::id);
        Ok(clerks.first(conn).optional()?)
    };
    app.db(find).await?.ok_or(ApiError::SignIn).map(Some)
}

fn header<'r>(request: &'r ServiceRequest, name: &str) -> Option<&'r str> {
    request.headers().get(name)?.to_str().ok()
}

fn internal(error: threadline::ContextError) -> ApiError {
    ApiError::Internal(error.into())
}
