//! Failures of requests.

use axum::http::StatusCode;
use threadline::{Error, ErrorClass, ErrorKind, FilterError};

use crate::access::took_too_long;
use crate::texts;

/// The reason why a request fails.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    /// The host denies the request, or the viewer lacks the permission.
    Denied,
    /// The scope of the viewer changed since the export.
    Narrowed,
    /// The requested item does not exist, or is outside of the viewer's scope.
    NotFound(String),
    /// The request is invalid.
    Question(String),
    /// The cursor belongs to another query.
    Stale,
    /// The request conflicts with the current state.
    Conflict(String),
    /// The query took too long.
    Slow,
    /// Too many requests query the database at the same time.
    Busy,
    /// The audit is not set up, or the database role lacks a privilege.
    SetUp,
    /// The database is not available.
    Database,
    /// The file of an export could not be written.
    Storage(String),
}

impl From<FilterError> for Failure {
    fn from(error: FilterError) -> Self {
        Error::from(error).into()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if took_too_long(&error) {
            return Self::Slow;
        }
        match (error.class(), error.kind()) {
            (_, ErrorKind::Cursor { .. }) => Self::Stale,
            (ErrorClass::Caller, _) => Self::Question(error.to_string()),
            (ErrorClass::NotFound, _) => Self::NotFound(error.to_string()),
            (ErrorClass::Conflict, _) => Self::Conflict(error.to_string()),
            (ErrorClass::SetUp, _) => Self::SetUp,
            _ => Self::Database,
        }
    }
}

impl Failure {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Denied | Self::Narrowed => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Question(_) | Self::Stale => StatusCode::BAD_REQUEST,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::Slow => StatusCode::GATEWAY_TIMEOUT,
            Self::Busy | Self::Database => StatusCode::SERVICE_UNAVAILABLE,
            Self::SetUp => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Storage(_) => StatusCode::INSUFFICIENT_STORAGE,
        }
    }

    /// Returns the title and the message of the error page.
    pub(crate) fn message(&self) -> (&'static str, &str) {
        match self {
            Self::Denied => texts::DENIED,
            Self::Narrowed => texts::NARROWED,
            Self::NotFound(what) => (texts::NOT_FOUND, what),
            Self::Question(what) => (texts::NOT_UNDERSTOOD, what),
            Self::Stale => texts::STALE,
            Self::Conflict(what) => (texts::CONFLICT, what),
            Self::Slow => texts::SLOW,
            Self::Busy => texts::BUSY,
            Self::SetUp => texts::NOT_SET_UP,
            Self::Database => texts::NO_DATABASE,
            Self::Storage(why) => (texts::NO_STORAGE, why),
        }
    }
}

/// A failure as JSON.
pub(crate) struct ApiFailure(pub(crate) Failure);

impl<F: Into<Failure>> From<F> for ApiFailure {
    fn from(failure: F) -> Self {
        Self(failure.into())
    }
}
