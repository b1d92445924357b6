//! Identifies the sender of a request, and passes it to the audit.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::Response;
use diesel::prelude::*;
use threadline::ActorRef;
use threadline_tower::{AuditLayer, X_CORRELATION_ID};

use crate::app::App;
use crate::error::ApiError;
use crate::schema::users;

#[derive(Debug, Clone, Copy)]
pub enum Caller {
    User(i64),
    Visitor,
}

/// Looks up the caller and adds it to the request. Refuses an unknown token.
pub async fn authenticate(
    State(app): State<App>,
    mut request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let caller = match request.headers().get("authorization") {
        None => Caller::Visitor,
        Some(header) => {
            let header = header.to_str().map_err(|_| ApiError::SignIn)?;
            let token = header.strip_prefix("Bearer ").ok_or(ApiError::SignIn)?;
            Caller::User(user_of(&app, token.to_owned()).await?)
        }
    };
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// The user with this token.
pub async fn user_of(app: &App, token: String) -> Result<i64, ApiError> {
    let find = move |conn: &mut _| {
        let users = users::table
            .filter(users::token.eq(token))
            .select(users::id);
        Ok(users.first(conn).optional()?)
    };
    app.db(find).await?.ok_or(ApiError::SignIn)
}

/// Returns the context of a request, from the result of `authenticate`.
pub fn audit() -> AuditLayer {
    AuditLayer::new(|parts| match parts.extensions.get()? {
        Caller::User(id) => ActorRef::user(id).ok(),
        // Visitors may comment. Their context says explicitly that they are anonymous.
        Caller::Visitor => Some(ActorRef::anonymous()),
    })
    .correlation_header(X_CORRELATION_ID)
    // Clients connect to this program directly. Behind proxies, use `behind_proxies(n)`.
    .remote_ip(|parts| {
        let peer: &ConnectInfo<SocketAddr> = parts.extensions.get()?;
        Some(peer.0.ip())
    })
}

/// Extracts the user in handlers that are not for visitors.
#[derive(Debug)]
pub struct SignedIn(pub i64);

impl<S: Sync> FromRequestParts<S> for SignedIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        match parts.extensions.get() {
            Some(Caller::User(id)) => Ok(Self(*id)),
            _ => Err(ApiError::SignIn),
        }
    }
}
