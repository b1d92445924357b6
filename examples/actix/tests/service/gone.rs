//! A client that disconnects during its request, over a real connection.

use std::sync::mpsc::channel;
use std::thread;

use actix::app::App;
use actix::error::ApiError;
use actix::schema::items;
use actix::{audit, routes};
use actix_web::dev::ServiceRequest;
use actix_web::middleware::{Next, from_fn};
use actix_web::rt::{System, spawn};
use actix_web::web::{Data, post, resource};
use actix_web::{HttpResponse, HttpServer};
use diesel::prelude::*;
use diesel::sql_types::Integer;
use threadline_tests::run;
use threadline_tests::socket::{Sent, Unanswered, until_waiting};

use super::{changes, setup_with};

/// Does not carry the context to its own task.
async fn forgets(app: Data<App>) -> Result<HttpResponse, ApiError> {
    let insert = diesel::insert_into(items::table).values(items::name.eq("forgotten"));
    let task = spawn(async move { app.db(move |conn| Ok(insert.execute(conn)?)).await });
    task.await.unwrap()?;
    Ok(HttpResponse::Ok().finish())
}

fn session(app: &App) -> i32 {
    let pid = diesel::select(diesel::dsl::sql::<Integer>("pg_backend_pid()"));
    let asked = app.db(move |conn| Ok(pid.get_result(conn)?));
    System::new().block_on(asked).unwrap()
}

#[test]
fn a_dropped_request_leaves_its_context_to_no_other() {
    let (database, app) = setup_with(1);
    let holder = &mut database.connect();
    let observer = &mut database.connect();
    let (dropped, gone) = channel();
    let (listening, listens) = channel();
    let of_service = app.clone();
    let server = thread::spawn(move || {
        System::new().block_on(async move {
            let server = HttpServer::new(move || {
                let dropped = dropped.clone();
                actix_web::App::new()
                    .app_data(Data::new(of_service.clone()))
                    .wrap(from_fn(audit::audit))
                    .wrap(from_fn(move |request: ServiceRequest, next: Next<_>| {
                        let unanswered = Unanswered::new(&dropped);
                        async move {
                            let response = next.call(request).await;
                            unanswered.answered();
                            response
                        }
                    }))
                    .configure(routes::routes)
                    .service(resource("/forgets").route(post().to(forgets)))
            })
            .workers(1)
            .disable_signals()
            // A client that closes its side has disconnected, as for most servers.
            .h1_allow_half_closed(false)
            .bind(("127.0.0.1", 0))
            .unwrap();
            let address = server.addrs()[0];
            let server = server.run();
            listening.send((address, server.handle())).unwrap();
            server.await.unwrap();
        });
    });
    let (address, handle) = listens.recv().unwrap();
    let send = |path, token, body: &str| Sent::new(address, "POST", path, token, body);

    let created = send("/items", "token-of-ada", r#"{"name": "bolts"}"#);
    assert_eq!(created.status(), 201);
    let before = session(&app);
    run(holder, "BEGIN; SELECT FROM items FOR UPDATE");
    let of_ada = send("/items/1/stock", "token-of-ada", r#"{"quantity": 3}"#);
    until_waiting(observer, 1);
    drop(of_ada);
    gone.recv().unwrap();
    // Waits for the only connection, on which the work for Ada continues.
    let of_grace = send("/items", "token-of-grace", r#"{"name": "nuts"}"#);
    run(holder, "ROLLBACK");
    assert_eq!(of_grace.status(), 201);
    let forgotten = send("/forgets", "token-of-grace", "{}");
    assert_eq!(forgotten.status(), 401, "a table that requires an actor");
    assert_eq!(session(&app), before, "another connection");
    assert_eq!(
        changes(&database),
        [
            "insert | 1 | user:1",
            "update | 1 | user:1",
            "insert | 2 | user:2"
        ]
    );
    System::new().block_on(handle.stop(true));
    server.join().unwrap();
}
