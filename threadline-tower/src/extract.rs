use std::convert::Infallible;
use std::fmt;

use axum_core::extract::{FromRequestParts, OptionalFromRequestParts};
use axum_core::response::{IntoResponse, Response};
use http::StatusCode;
use http::request::Parts;
use threadline::AuditContext;

/// Extracts the context of the request in a handler of axum 0.8.
///
/// ```
/// use threadline_tower::Audit;
///
/// async fn handler(Audit(context): Audit) -> String {
///     format!("as {}", context.actor().unwrap())
/// }
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(handler));
/// ```
///
/// A request without an actor is refused with [`NobodyActs`]. `Option<Audit>` is then `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct Audit(pub AuditContext);

/// The rejection of a request that has no context, by a handler that needs one.
///
/// It is a server error, because the handler and the middleware disagree: the route has no
/// [`AuditLayer`](crate::AuditLayer), or the layer's function returned no actor, for
/// example because authentication runs after it. To refuse visitors, respond in the
/// authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct NobodyActs;

impl fmt::Display for NobodyActs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this request has no actor: give the route an AuditLayer inside of the authentication",
        )
    }
}

impl std::error::Error for NobodyActs {}

impl IntoResponse for NobodyActs {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, self.to_string()).into_response()
    }
}

impl<S: Sync> FromRequestParts<S> for Audit {
    type Rejection = NobodyActs;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, NobodyActs> {
        found(parts).ok_or(NobodyActs)
    }
}

impl<S: Sync> OptionalFromRequestParts<S> for Audit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Infallible> {
        Ok(found(parts))
    }
}

fn found(parts: &Parts) -> Option<Audit> {
    parts.extensions.get().cloned().map(Audit)
}
