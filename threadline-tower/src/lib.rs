#![doc = include_str!("../README.md")]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod body;
mod context;
#[cfg(feature = "axum")]
mod extract;
mod header;
mod layer;
mod outgoing;
mod proxies;
mod service;
mod traceparent;

pub use body::AuditBody;
#[cfg(feature = "axum")]
pub use extract::{Audit, NobodyActs};
pub use layer::AuditLayer;
pub use outgoing::outgoing_headers;
pub use proxies::behind_proxies;
pub use service::{AuditFuture, AuditService};
pub use traceparent::{InvalidTraceParent, TraceParent};

use http::HeaderName;

/// The header `x-request-id`, which tower-http's `SetRequestIdLayer` sets.
pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The header `x-correlation-id`.
pub const X_CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
