//! Errors, and how the client sees them.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_async::pooled_connection::deadpool::PoolError;
use serde_json::json;
use threadline::ErrorClass;

#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("there is no such contact")]
    NotFound,
    #[error("sign in first")]
    SignIn,
    #[error("only an admin reads the audit")]
    Forbidden,
    #[error("there is another contact with this address")]
    EmailTaken,
    /// From a query of the audit.
    #[error("{0}")]
    Audit(threadline::Error),
    #[error("something is wrong here")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = match &self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::SignIn => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::EmailTaken => StatusCode::CONFLICT,
            Self::Audit(error) => match error.class() {
                ErrorClass::NotFound => StatusCode::NOT_FOUND,
                ErrorClass::Conflict => StatusCode::CONFLICT,
                _ => StatusCode::BAD_REQUEST,
            },
            Self::Internal(error) => {
                // Such as `audited` without a context: a route without the layer.
                eprintln!("error: {error}");
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        (status, Json(json!({ "error": self.to_string() }))).into_response()
    }
}

impl From<threadline::Error> for ApiError {
    fn from(error: threadline::Error) -> Self {
        match error.class() {
            ErrorClass::Caller | ErrorClass::NotFound | ErrorClass::Conflict => Self::Audit(error),
            _ => Self::Internal(error.into()),
        }
    }
}

impl From<DieselError> for ApiError {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::NotFound => Self::NotFound,
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::EmailTaken,
            error => Self::Internal(error.into()),
        }
    }
}

impl From<PoolError> for ApiError {
    fn from(error: PoolError) -> Self {
        Self::Internal(error.into())
    }
}
