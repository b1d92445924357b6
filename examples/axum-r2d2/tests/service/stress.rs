//! 500 requests at once on a pool of four connections; some are cancelled, some panic, some
//! have no context.

use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::Method;
use axum::routing;
use axum_r2d2::app::App;
use axum_r2d2::auth::SignedIn;
use axum_r2d2::error::ApiError;
use axum_r2d2::schema::articles;
use axum_r2d2::{routes, service};
use diesel::prelude::*;
use serde_json::json;
use threadline::{AuditContext, AuditExt};
use threadline_tests::{Database, assert_rows, assert_value, run, value};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, yield_now};
use tokio::time::timeout;

use super::{post, request, send, setup};

const REQUESTS: i64 = 500;

#[test]
fn no_actor_is_lost_or_leaks_on_one_worker() {
    stress(Builder::new_current_thread().enable_time().build().unwrap());
}

#[test]
fn no_actor_is_lost_or_leaks_on_several_workers() {
    let mut workers = Builder::new_multi_thread();
    stress(workers.worker_threads(4).enable_time().build().unwrap());
}

/// Each row contains the name of its writer.
async fn write(app: &App, user: i64, step: i64) -> Result<(), ApiError> {
    let row = articles::title.eq(format!("{user}-{step}"));
    let insert = diesel::insert_into(articles::table).values(row);
    let written = app.db(move |conn| conn.audited(|conn| Ok(insert.execute(conn)?)));
    written.await.map(drop)
}

/// Three transactions, with others in between.
async fn several(State(app): State<App>, SignedIn(user): SignedIn) -> Result<(), ApiError> {
    for step in 0..3 {
        write(&app, user, step).await?;
        yield_now().await;
    }
    Ok(())
}

/// Writes, and panics in a transaction on the blocking thread.
async fn panics(State(app): State<App>, SignedIn(user): SignedIn) -> Result<(), ApiError> {
    write(&app, user, 0).await?;
    let row = articles::title.eq(format!("{user}-rolled back"));
    let insert = diesel::insert_into(articles::table).values(row);
    app.db(move |conn| {
        conn.audited(|conn| {
            insert.execute(conn)?;
            std::panic::resume_unwind(Box::new("on purpose"))
        })
    })
    .await
}

/// Does not call `audited`.
async fn forgets(State(app): State<App>, Path(number): Path<i64>) -> Result<(), ApiError> {
    let row = articles::title.eq(format!("{number}-forgotten"));
    let insert = diesel::insert_into(articles::table).values(row);
    app.db(move |conn| Ok(insert.execute(conn)?))
        .await
        .map(drop)
}

fn stressed(database: &Database, app: App) -> Router {
    run(
        &mut database.connect(),
        &format!(
            "INSERT INTO users (id, name, token)
             SELECT n, n, 'token-' || n FROM generate_series(1000, {}) AS n",
            999 + REQUESTS
        ),
    );
    let routes = routes::routes()
        .route("/several", routing::post(several))
        .route("/panics", routing::post(panics))
        .route("/forgets/{number}", routing::post(forgets));
    service(routes, app)
}

/// Returns the response to a request; nothing if it was cancelled.
async fn one_of_many(service: Router, user: i64) -> (i64, Option<u16>) {
    let token = format!("token-{user}");
    let token = Some(token.as_str());
    let cancelled = async |moment: Duration| {
        let request = request(Method::POST, "/several", token, &json!({}));
        let answer = timeout(moment, send(&service, request)).await;
        answer.ok().map(|(status, _)| status)
    };
    let status = match user % 5 {
        0 => Some(post(&service, "/several", token, json!({})).await.0),
        // At some moment of its life: before it runs, while it waits for a connection, or later.
        1 => cancelled(Duration::from_millis(user as u64 % 100)).await,
        2 => Some(post(&service, "/panics", token, json!({})).await.0),
        3 => {
            let comment = json!({ "text": user.to_string() });
            Some(
                post(&service, "/articles/1/comments", None, comment)
                    .await
                    .0,
            )
        }
        _ => Some(
            post(&service, &format!("/forgets/{user}"), token, json!({}))
                .await
                .0,
        ),
    };
    assert_eq!(AuditContext::current(), None);
    (user % 5, status)
}

fn stress(runtime: Runtime) {
    let (database, app) = setup();
    let service = stressed(&database, app);
    let mut cancelled = 0;
    runtime.block_on(async {
        let article = json!({ "title": "1-0", "body": "" });
        post(&service, "/articles", Some("token-of-ada"), article).await;
        let mut requests = JoinSet::new();
        for user in 1000..1000 + REQUESTS {
            requests.spawn(one_of_many(service.clone(), user));
        }
        while let Some(done) = requests.join_next().await {
            match done.unwrap() {
                (0, status) => assert_eq!(status, Some(200)),
                (1, Some(status)) => assert_eq!(status, 200),
                (1, None) => cancelled += 1,
                (2, status) => assert_eq!(status, Some(500)),
                (3, status) => assert_eq!(status, Some(201)),
                (_, status) => assert_eq!(status, Some(401)),
            }
        }
    });
    assert!(cancelled > 0, "nothing was cancelled");
    // Waits for blocking work whose request is gone.
    drop(runtime);
    check(&database);
}

fn check(database: &Database) {
    let conn = &mut database.connect();
    let wrong = "SELECT row_data, actor_type, actor_id FROM threadline.changes
         WHERE CASE table_name
             WHEN 'articles' THEN (actor_type, actor_id) IS DISTINCT FROM
                 ('user', split_part(row_data ->> 'title', '-', 1))
             ELSE actor_type IS DISTINCT FROM 'anonymous' END";
    assert_rows(conn, wrong, []);
    for (table, least) in [
        ("articles", 2 + 3 * REQUESTS / 5 + REQUESTS / 5),
        ("comments", REQUESTS / 5),
    ] {
        let written: i64 = value(conn, &format!("SELECT count(*) FROM {table}"))
            .unwrap()
            .parse()
            .unwrap();
        let recorded =
            format!("SELECT count(*) FROM threadline.changes WHERE table_name = '{table}'");
        assert_eq!(
            value(conn, &recorded),
            Some(written.to_string()),
            "a change of {table} was lost or invented"
        );
        assert!(written >= least, "{written} {table}, of at least {least}");
    }
    assert_value(
        conn,
        "SELECT count(*) FROM articles WHERE title ~ 'rolled back|forgotten'",
        "0",
    );
}
