//! Sends requests through the service's own routes and middleware, on a database.

#[path = "service/gone.rs"]
mod gone;
#[path = "service/recorded.rs"]
mod recorded;
#[path = "service/refused.rs"]
mod refused;
#[path = "service/stress.rs"]
mod stress;

use actix::app::App;
use actix::{audit, routes};
use actix_web::body::MessageBody;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, init_service, read_body};
use actix_web::{Error, web};
use serde_json::{Value, json};
use threadline_tests::{Database, rows};

fn setup() -> (Database, App) {
    setup_with(4)
}

fn setup_with(connections: u32) -> (Database, App) {
    let database = Database::empty();
    let app = App::open(&database.url(), connections).unwrap();
    (database, app)
}

/// Returns the service as on a worker, with more routes.
async fn service(
    app: App,
    more: fn(&mut web::ServiceConfig),
) -> impl Service<actix_http::Request, Response = ServiceResponse<impl MessageBody>, Error = Error>
{
    let app = actix_web::App::new()
        .app_data(web::Data::new(app))
        .wrap(from_fn(audit::audit))
        .configure(routes::routes)
        .configure(more);
    init_service(app).await
}

fn request(method: Method, path: &str, token: Option<&str>, body: &Value) -> TestRequest {
    let request = TestRequest::default()
        .method(method)
        .uri(path)
        .set_json(body);
    match token {
        Some(token) => request.insert_header(("authorization", format!("Bearer {token}"))),
        None => request,
    }
}

/// Returns the status and the body of the response.
async fn send<B: MessageBody>(
    service: &impl Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>,
    request: TestRequest,
) -> (u16, Value) {
    match service.call(request.to_request()).await {
        Ok(response) => {
            let status = response.status().as_u16();
            let body = read_body(response).await;
            let text = String::from_utf8_lossy(&body).into_owned();
            (status, serde_json::from_slice(&body).unwrap_or(json!(text)))
        }
        // A middleware's error, which the server would respond with.
        Err(error) => {
            let error = error.as_response_error();
            (
                error.status_code().as_u16(),
                json!({ "error": error.to_string() }),
            )
        }
    }
}

/// Returns every change with its actor.
fn changes(database: &Database) -> Vec<String> {
    rows(
        &mut database.connect(),
        "SELECT op, key ->> 'id', concat_ws(':', actor_type, actor_id)
         FROM threadline.changes ORDER BY id",
    )
}
