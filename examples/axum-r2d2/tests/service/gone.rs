//! A client that disconnects during its request, over a real connection.

use std::net::SocketAddr;
use std::sync::mpsc::channel;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn};
use axum::routing;
use axum_r2d2::app::App;
use axum_r2d2::error::ApiError;
use axum_r2d2::schema::articles;
use axum_r2d2::{routes, service};
use diesel::prelude::*;
use diesel::sql_types::Integer;
use threadline_tests::run;
use threadline_tests::socket::{Sent, Unanswered, until_waiting};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use super::{changes, setup_with};

/// Does not call `audited`.
async fn forgets(State(app): State<App>) -> Result<(), ApiError> {
    let insert = diesel::insert_into(articles::table).values(articles::title.eq("forgotten"));
    app.db(move |conn| Ok(insert.execute(conn)?))
        .await
        .map(drop)
}

async fn session(app: &App) -> i32 {
    let pid = diesel::select(diesel::dsl::sql::<Integer>("pg_backend_pid()"));
    app.db(move |conn| Ok(pid.get_result(conn)?)).await.unwrap()
}

#[test]
fn a_dropped_request_leaves_its_context_to_no_other() {
    let (database, app) = setup_with(1);
    let holder = &mut database.connect();
    let observer = &mut database.connect();
    let (dropped, gone) = channel();
    let routes = routes::routes().route("/forgets", routing::post(forgets));
    let service =
        service(routes, app.clone()).layer(from_fn(move |request: Request, next: Next| {
            let unanswered = Unanswered::new(&dropped);
            async move {
                let response = next.run(request).await;
                unanswered.answered();
                response
            }
        }));
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    let service = service.into_make_service_with_connect_info::<SocketAddr>();
    runtime.spawn(async { axum::serve(listener, service).await });
    let send = |method, path, token, title| {
        let body = format!(r#"{{"title": "{title}", "body": ""}}"#);
        Sent::new(address, method, path, token, &body)
    };

    assert_eq!(
        send("POST", "/articles", "token-of-ada", "first").status(),
        201
    );
    let before = runtime.block_on(session(&app));
    run(holder, "BEGIN; SELECT FROM articles FOR UPDATE");
    let of_ada = send("PUT", "/articles/1", "token-of-ada", "second");
    until_waiting(observer, 1);
    drop(of_ada);
    gone.recv().unwrap();
    // Waits for the only connection, on which the work for Ada continues.
    let of_grace = send("POST", "/articles", "token-of-grace", "third");
    run(holder, "ROLLBACK");
    assert_eq!(of_grace.status(), 201);
    let forgotten = send("POST", "/forgets", "token-of-grace", "");
    assert_eq!(forgotten.status(), 401, "a table that requires an actor");
    assert_eq!(
        runtime.block_on(session(&app)),
        before,
        "another connection"
    );
    assert_eq!(
        changes(&database),
        [
            "insert | articles | user:1",
            "update | articles | user:1",
            "insert | articles | user:2",
        ]
    );
}
