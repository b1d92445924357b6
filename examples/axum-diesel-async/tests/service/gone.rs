//! A client that disconnects during its request, over a real connection.

use std::sync::mpsc::channel;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn};
use axum::routing;
use axum_diesel_async::app::App;
use axum_diesel_async::error::ApiError;
use axum_diesel_async::models::contacts;
use axum_diesel_async::{routes, service};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use threadline_tests::socket::{Sent, Unanswered, until, until_waiting};
use threadline_tests::{assert_rows, run};
use tokio::net::TcpListener;
use tokio::runtime::Builder;

use super::{ADA, GRACE, contact, open};

/// Does not call `audited`.
async fn forgets(State(app): State<App>) -> Result<(), ApiError> {
    let values = (
        contacts::name.eq("forgotten"),
        contacts::email.eq("f@example.com"),
        contacts::phone.eq("1"),
    );
    let insert = diesel::insert_into(contacts::table).values(values);
    insert.execute(&mut app.conn().await?).await?;
    Ok(())
}

#[test]
fn a_dropped_request_leaves_its_context_to_no_other() {
    let runtime = Builder::new_multi_thread().enable_all().build().unwrap();
    let (database, app) = runtime.block_on(open(0, 1));
    let holder = &mut database.connect();
    let observer = &mut database.connect();
    let (dropped, gone) = channel();
    let routes = routes::routes().route("/forgets", routing::post(forgets));
    let service = service(routes, app).layer(from_fn(move |request: Request, next: Next| {
        let unanswered = Unanswered::new(&dropped);
        async move {
            let response = next.run(request).await;
            unanswered.answered();
            response
        }
    }));
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    runtime.spawn(async { axum::serve(listener, service).await });
    let send = |method, path, token, name| {
        Sent::new(address, method, path, token, &contact(name).to_string())
    };

    assert_eq!(send("POST", "/contacts", ADA, "first").status(), 201);
    run(holder, "BEGIN; SELECT FROM contacts FOR UPDATE");
    let of_ada = send("PUT", "/contacts/1", ADA, "second");
    until_waiting(observer, 1);
    drop(of_ada);
    gone.recv().unwrap();
    // The pool has one connection: that of Ada's request, or its replacement.
    let of_grace = send("POST", "/contacts", GRACE, "third");
    run(holder, "ROLLBACK");
    assert_eq!(of_grace.status(), 201);
    let forgotten = send("POST", "/forgets", GRACE, "");
    assert_eq!(forgotten.status(), 500, "the table requires an actor");
    let in_transactions = "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()";
    until(observer, in_transactions, 0);
    let recorded = "SELECT op, actor_type, actor_id, row_data ->> 'name'
         FROM threadline.changes ORDER BY id";
    assert_rows(
        observer,
        recorded,
        [
            "insert | user | 1 | first",
            // The change of a cancelled request rolled back.
            "insert | admin | grace | third",
        ],
    );
}
