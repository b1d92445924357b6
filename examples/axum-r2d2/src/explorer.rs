//! The explorer of the audit, behind a login.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Form, Router};
use serde::Deserialize;
use threadline::{ActorRef, Scope, TableScope};
use threadline_web::{Access, Explorer};

use crate::app::App;
use crate::auth::user_of;
use crate::models::audited;

/// The operator of the service. In your service, this would be a column of the user.
const GRACE: i64 = 2;

pub fn explorer(app: &App) -> Router<App> {
    let asked = app.clone();
    let explorer = Explorer::new(app.pool())
        .models(audited())
        .authorize(move |parts| {
            let app = asked.clone();
            async move { access(&app, &parts).await }
        });
    Router::new()
        .route("/login", get(form).post(login))
        .nest("/audit", explorer.into_router())
}

/// Grace sees everything and may revert it. Other users see articles, but no comments.
async fn access(app: &App, parts: &Parts) -> Access {
    let Some(token) = token_of(parts) else {
        return Access::denied();
    };
    let user = user_of(app, token).await.ok();
    match user.map(|id| (id, ActorRef::user(id))) {
        Some((GRACE, Ok(actor))) => Access::to_everything(actor).allow_export().allow_revert(),
        Some((_, Ok(actor))) => {
            Access::within(actor, Scope::new().table(TableScope::new("articles")))
        }
        _ => Access::denied(),
    }
}

fn token_of(parts: &Parts) -> Option<String> {
    let cookies = parts.headers.get(COOKIE)?.to_str().ok()?;
    let mut cookies = cookies.split(';').map(str::trim);
    cookies.find_map(|cookie| Some(cookie.strip_prefix("token=")?.to_owned()))
}

async fn form() -> Html<&'static str> {
    Html(
        "<!doctype html><meta charset=utf-8><title>Sign in</title>
         <form method=post><label>Token <input name=token type=password autofocus></label>
         <button>Sign in</button></form>",
    )
}

#[derive(Debug, Deserialize)]
struct Login {
    token: String,
}

/// Signs in with a token. Your service would use a password and a session.
async fn login(State(app): State<App>, Form(login): Form<Login>) -> Response {
    if user_of(&app, login.token.clone()).await.is_err() {
        return (StatusCode::UNAUTHORIZED, "this token is not known").into_response();
    }
    // With TLS, also set `Secure`.
    let cookie = format!("token={}; HttpOnly; SameSite=Lax; Path=/audit", login.token);
    ([(SET_COOKIE, cookie)], Redirect::to("/audit")).into_response()
}
