use http::{HeaderMap, HeaderName, HeaderValue};
use threadline::AuditContext;

use crate::TraceParent;
use crate::context::TRACEPARENT;

/// Returns headers for a request to another service: the correlation id of the current
/// context, and its `traceparent`.
///
/// ```
/// use threadline::{ActorRef, AuditContext};
/// use threadline_tower::{X_CORRELATION_ID, outgoing_headers};
///
/// let context = AuditContext::builder(ActorRef::user(42)?)
///     .request_id("req-7f3a")
///     .build()?;
/// let headers = context.scope(|| outgoing_headers(X_CORRELATION_ID));
/// assert_eq!(headers["x-correlation-id"], "req-7f3a");
/// # Ok::<(), threadline::ContextError>(())
/// ```
///
/// If the context has no correlation id, its request id is used, so that changes of the
/// other service lead back to this request. Without a context there are no headers. The
/// actor is not among them: the other service has to authenticate it.
///
/// `traceparent` is passed on unchanged, as by a service that does not take part in the
/// trace. If your service takes part, let its own tracing library set that header.
pub fn outgoing_headers(correlation_header: HeaderName) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(context) = AuditContext::current() else {
        return headers;
    };
    let id = context.correlation_id().or(context.request_id());
    // An id that the application chose may not be a valid header value.
    if let Some(id) = id.and_then(|id| HeaderValue::from_str(id).ok()) {
        headers.insert(correlation_header, id);
    }
    let traceparent = context.metadata().get(TRACEPARENT);
    let traceparent: Option<TraceParent> =
        traceparent.and_then(|value| value.as_str()?.parse().ok());
    if let Some(value) = traceparent.and_then(|it| HeaderValue::from_str(&it.to_string()).ok()) {
        headers.insert(HeaderName::from_static(TRACEPARENT), value);
    }
    headers
}
