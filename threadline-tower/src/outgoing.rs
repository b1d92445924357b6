use http::{HeaderMap, HeaderName, HeaderValue};
use threadline::AuditContext;

use crate::TraceParent;
use crate::context::TRACEPARENT;

/// Returns the headers with which a request to another service tells to what it belongs: the
/// correlation id of the current context, and its `traceparent`.
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
/// Without a correlation id it is the request id, so that what others do for this request leads
/// back to it. Without a context there are no headers. Who acts is not among them: the other
/// service has to find that out by itself.
///
/// `traceparent` is passed on as it came, as by a service that takes no part in the trace. If
/// your service does, let its own tracing library set that header.
pub fn outgoing_headers(correlation_header: HeaderName) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let Some(context) = AuditContext::current() else {
        return headers;
    };
    let id = context.correlation_id().or(context.request_id());
    // An id that the application made may be no header.
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
