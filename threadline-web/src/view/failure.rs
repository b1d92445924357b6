//! The page of a failure, and its JSON.

use axum::Json;
use axum::response::{IntoResponse, Response};
use maud::html;
use serde_json::json;

use super::layout;
use crate::failure::{ApiFailure, Failure};
use crate::texts;

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let (title, what) = self.message();
        let page = layout::Page::new(title).body(html! {
            section.notice role="alert" {
                h1 { (title) }
                p { (what) }
                p { a href="timeline" { (texts::BACK_TO_TIMELINE) } }
            }
        });
        (self.status(), page).into_response()
    }
}

impl IntoResponse for ApiFailure {
    fn into_response(self) -> Response {
        let (title, message) = self.0.message();
        let body = Json(json!({ "error": title, "message": message }));
        (self.0.status(), body).into_response()
    }
}
