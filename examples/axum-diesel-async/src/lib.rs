//! An address book on axum and diesel-async.
//!
//! The audit is in three places: `models.rs` (what is captured), the `AuditLayer` below (who
//! acts), and `conn.audited(async |conn| …)` in `routes.rs`.

pub mod app;
pub mod error;
pub mod models;
pub mod routes;

use app::App;
use axum::Router;
use threadline_tower::{AuditLayer, X_REQUEST_ID};
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};

/// Returns the routes of the service under its middleware. The layer that is added last sees a
/// request first.
pub fn service(routes: Router<App>, app: App) -> Router {
    let actors = app.clone();
    routes
        .layer(AuditLayer::new(move |parts| actors.caller(&parts.headers)))
        .layer(PropagateRequestIdLayer::new(X_REQUEST_ID))
        .layer(SetRequestIdLayer::new(X_REQUEST_ID, MakeRequestUuid))
        .layer(CatchPanicLayer::new())
        .with_state(app)
}
