use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderName;
use http::request::Parts;
use threadline::{ActorRef, AuditContextBuilder};

use crate::X_REQUEST_ID;

type OfParts<T> = Arc<dyn Fn(&Parts) -> T + Send + Sync>;
type Add = Arc<dyn Fn(AuditContextBuilder, &Parts) -> AuditContextBuilder + Send + Sync>;

/// Serves each request in an [`AuditContext`](threadline::AuditContext) with its actor.
///
/// Your function alone determines the actor. It receives the request without its body. An
/// authentication middleware stores the user in the extensions:
///
/// ```
/// use threadline::ActorRef;
/// use threadline_tower::AuditLayer;
///
/// #[derive(Clone)]
/// struct CurrentUser {
///     id: i64,
/// }
///
/// let layer = AuditLayer::new(|parts| {
///     let user: &CurrentUser = parts.extensions.get()?;
///     ActorRef::user(user.id).ok()
/// });
/// ```
///
/// If the function returns `None`, the request has no context. It is still served: reads
/// work, and [`audited`](threadline::AuditExt::audited) returns an error. If visitors who
/// are not signed in may write, return [`ActorRef::anonymous()`].
///
/// The layer never refuses a request. A header that cannot be recorded is left out, and the
/// metadata lists its name in `ignored_headers`.
#[derive(Clone)]
pub struct AuditLayer {
    pub(crate) actor: OfParts<Option<ActorRef>>,
    pub(crate) source: String,
    pub(crate) request_id: HeaderName,
    pub(crate) correlation_id: Option<HeaderName>,
    pub(crate) traceparent: bool,
    pub(crate) remote_ip: Option<OfParts<Option<IpAddr>>>,
    pub(crate) more: Vec<Add>,
}

impl AuditLayer {
    /// Creates a layer that gets the actor of each request from the function `actor`.
    pub fn new(actor: impl Fn(&Parts) -> Option<ActorRef> + Send + Sync + 'static) -> Self {
        Self {
            actor: Arc::new(actor),
            source: "web".to_owned(),
            request_id: X_REQUEST_ID,
            correlation_id: None,
            traceparent: true,
            remote_ip: None,
            more: vec![],
        }
    }

    /// Sets the source under which requests are recorded, instead of `web`.
    pub fn source(mut self, source: impl Into<String>) -> Self {
        self.source = source.into();
        self
    }

    /// Sets the header that has the request id, instead of `x-request-id`.
    ///
    /// tower-http's `SetRequestIdLayer` sets the header if the client sent none. Add it
    /// outside of this layer.
    pub fn request_id_header(mut self, name: HeaderName) -> Self {
        self.request_id = name;
        self
    }

    /// Reads the correlation id from a header, such as
    /// [`X_CORRELATION_ID`](crate::X_CORRELATION_ID).
    ///
    /// Without this, or in a request without the header, the trace id of `traceparent` is the
    /// correlation id.
    pub fn correlation_header(mut self, name: HeaderName) -> Self {
        self.correlation_id = Some(name);
        self
    }

    /// Ignores the header `traceparent`.
    ///
    /// By default the metadata stores the header as `traceparent`, and its trace id as
    /// `trace_id`. [`outgoing_headers`](crate::outgoing_headers) passes the header on, and
    /// the trace id is the correlation id of a request that has no other.
    pub fn without_traceparent(mut self) -> Self {
        self.traceparent = false;
        self
    }

    /// Records the address that `address` returns.
    ///
    /// Without this no address is recorded, because only you know which one to trust. If
    /// clients connect directly to your program, use axum's `ConnectInfo`:
    ///
    /// ```
    /// # use threadline_tower::AuditLayer;
    /// # let layer = AuditLayer::new(|_| None);
    /// use std::net::SocketAddr;
    ///
    /// use axum::extract::ConnectInfo;
    ///
    /// let layer = layer.remote_ip(|parts| {
    ///     let peer: &ConnectInfo<SocketAddr> = parts.extensions.get()?;
    ///     Some(peer.0.ip())
    /// });
    /// ```
    ///
    /// Behind your own proxies, use [`behind_proxies`](crate::behind_proxies).
    pub fn remote_ip(
        mut self,
        address: impl Fn(&Parts) -> Option<IpAddr> + Send + Sync + 'static,
    ) -> Self {
        self.remote_ip = Some(Arc::new(address));
        self
    }

    /// Adds fields to each context, or replaces fields that the layer has set.
    ///
    /// ```
    /// # use threadline_tower::AuditLayer;
    /// # let layer = AuditLayer::new(|_| None);
    /// # #[derive(Clone)] struct Tenant(String);
    /// let layer = layer.with(|context, parts| match parts.extensions.get::<Tenant>() {
    ///     Some(tenant) => context.metadata("tenant", tenant.0.as_str()),
    ///     None => context,
    /// });
    /// ```
    ///
    /// If the resulting context is invalid, for example because its source is longer than
    /// 512 bytes, only the actor is recorded, and the metadata has the error in
    /// `context_error`.
    pub fn with(
        mut self,
        add: impl Fn(AuditContextBuilder, &Parts) -> AuditContextBuilder + Send + Sync + 'static,
    ) -> Self {
        self.more.push(Arc::new(add));
        self
    }
}

/// Omits the functions, which have no debug form.
impl fmt::Debug for AuditLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditLayer")
            .field("source", &self.source)
            .field("request_id", &self.request_id)
            .field("correlation_id", &self.correlation_id)
            .field("traceparent", &self.traceparent)
            .finish_non_exhaustive()
    }
}
