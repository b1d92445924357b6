use http::request::Parts;
use http::{HeaderMap, HeaderName};
use threadline::AuditContext;

use crate::{AuditLayer, TraceParent, header};

/// The name of the header, and of the entry of the metadata that stores it.
pub(crate) const TRACEPARENT: &str = "traceparent";

impl AuditLayer {
    /// Returns the context of a request, or `None` if it has no actor.
    pub(crate) fn context(&self, parts: &Parts) -> Option<AuditContext> {
        let actor = (self.actor)(parts)?;
        let mut headers = Headers::new(&parts.headers);
        let mut context = AuditContext::builder(actor.clone()).source(&self.source);
        if let Some(id) = headers.id(&self.request_id) {
            context = context.request_id(id);
        }
        let trace = self.traceparent.then(|| headers.traceparent()).flatten();
        let correlation_id = self
            .correlation_id
            .as_ref()
            .and_then(|name| headers.id(name));
        if let Some(id) = correlation_id.or(trace.as_ref().map(TraceParent::trace_id)) {
            context = context.correlation_id(id);
        }
        if let Some(trace) = &trace {
            context = context
                .trace_id(trace.trace_id())
                .metadata(TRACEPARENT, trace.to_string());
        }
        if !headers.ignored.is_empty() {
            context = context.metadata("ignored_headers", headers.ignored);
        }
        if let Some(address) = self.remote_ip.as_ref().and_then(|address| address(parts)) {
            context = context.remote_ip(address.to_canonical());
        }
        for add in &self.more {
            context = add(context, parts);
        }
        Some(context.build().unwrap_or_else(|error| {
            AuditContext::builder(actor)
                .metadata("context_error", error.to_string())
                .build()
                .expect("an actor and a short message are a context")
        }))
    }
}

/// The headers of a request, and the names of the headers that were read but cannot be
/// recorded.
struct Headers<'h> {
    headers: &'h HeaderMap,
    ignored: Vec<String>,
}

impl<'h> Headers<'h> {
    fn new(headers: &'h HeaderMap) -> Self {
        Self {
            headers,
            ignored: vec![],
        }
    }

    fn id(&mut self, name: &HeaderName) -> Option<&'h str> {
        header::value(self.headers, name).unwrap_or_else(|header::Unusable| {
            self.ignored.push(name.to_string());
            None
        })
    }

    fn traceparent(&mut self) -> Option<TraceParent> {
        let name = HeaderName::from_static(TRACEPARENT);
        let trace = self.id(&name)?.parse();
        if trace.is_err() {
            self.ignored.push(name.to_string());
        }
        trace.ok()
    }
}
