//! Errors, and how the client sees them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use serde_json::json;
use threadline::is_actor_required;

#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("there is no such article")]
    NotFound,
    #[error("sign in first")]
    SignIn,
    #[error("there is another article with this title")]
    TitleTaken,
    #[error("something is wrong here")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::SignIn => StatusCode::UNAUTHORIZED,
            Self::TitleTaken => StatusCode::CONFLICT,
            Self::Internal(error) => {
                // Such as `audited` without a context: a route without the layer.
                eprintln!("error: {error}");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

impl From<DieselError> for ApiError {
    fn from(error: DieselError) -> Self {
        match &error {
            DieselError::NotFound => Self::NotFound,
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::TitleTaken,
            DieselError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => Self::NotFound,
            error if is_actor_required(error) => Self::SignIn,
            _ => Self::Internal(error.into()),
        }
    }
}

impl From<threadline::Error> for ApiError {
    fn from(error: threadline::Error) -> Self {
        Self::Internal(error.into())
    }
}

impl From<diesel::r2d2::PoolError> for ApiError {
    fn from(error: diesel::r2d2::PoolError) -> Self {
        Self::Internal(error.into())
    }
}

/// A panic of blocking work is the panic of its request.
impl From<tokio::task::JoinError> for ApiError {
    fn from(error: tokio::task::JoinError) -> Self {
        match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Self::Internal(error.into()),
        }
    }
}
