//! Errors, and how the client sees them.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, ResponseError};
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use serde_json::json;
use threadline::is_actor_required;

#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error("there is no such item")]
    NotFound,
    #[error("sign in first")]
    SignIn,
    #[error("there is another item with this name")]
    NameTaken,
    #[error("there are not so many")]
    OutOfStock,
    #[error("something is wrong here")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ResponseError for ApiError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::SignIn => StatusCode::UNAUTHORIZED,
            Self::NameTaken | Self::OutOfStock => StatusCode::CONFLICT,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        if let Self::Internal(error) = self {
            eprintln!("error: {error}");
        }
        HttpResponse::build(self.status_code()).json(json!({ "error": self.to_string() }))
    }
}

impl From<DieselError> for ApiError {
    fn from(error: DieselError) -> Self {
        match &error {
            DieselError::NotFound => Self::NotFound,
            DieselError::DatabaseError(DatabaseErrorKind::UniqueViolation, _) => Self::NameTaken,
            DieselError::DatabaseError(DatabaseErrorKind::CheckViolation, _) => Self::OutOfStock,
            // A visitor's request has no context.
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

impl From<actix_web::error::BlockingError> for ApiError {
    fn from(error: actix_web::error::BlockingError) -> Self {
        Self::Internal(error.to_string().into())
    }
}
