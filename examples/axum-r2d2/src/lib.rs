//! A knowledge base: signed-in users write articles, and anyone can comment.
//!
//! The audit is in four places: `models.rs` (what is captured), `auth.rs` (who acts),
//! `app.rs` (how the context reaches the thread that writes), and the order of the layers
//! below. `explorer.rs` mounts the explorer.

pub mod app;
pub mod auth;
pub mod error;
pub mod explorer;
pub mod models;
pub mod routes;
pub mod schema;

use app::App;
use axum::Router;
use axum::middleware::from_fn_with_state;
use threadline_tower::X_REQUEST_ID;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::request_id::{MakeRequestUuid, PropagateRequestIdLayer, SetRequestIdLayer};

/// Returns the routes of the service under its middleware. The layer that is added last sees a
/// request first.
pub fn service(routes: Router<App>, app: App) -> Router {
    routes
        .merge(explorer::explorer(&app))
        .layer(auth::audit())
        .layer(from_fn_with_state(app.clone(), auth::authenticate))
        .layer(PropagateRequestIdLayer::new(X_REQUEST_ID))
        .layer(SetRequestIdLayer::new(X_REQUEST_ID, MakeRequestUuid))
        .layer(CatchPanicLayer::new())
        .with_state(app)
}
