//! 500 requests at once on a pool of four connections; some are cancelled, some panic, some
//! have no context.

use std::rc::Rc;
use std::thread;
use std::time::Duration;

use actix::app::App;
use actix::error::ApiError;
use actix::schema::items;
use actix_web::dev::{Service, ServiceResponse};
use actix_web::http::Method;
use actix_web::rt::time::timeout;
use actix_web::rt::{System, spawn};
use actix_web::web::{Data, Path, ServiceConfig, post, resource};
use actix_web::{Error, HttpResponse};
use diesel::prelude::*;
use serde_json::json;
use threadline::AuditContext;
use threadline_tests::{Database, assert_rows, run, value};

use super::{request, send, service, setup};

const REQUESTS: i64 = 500;

#[test]
fn no_actor_is_lost_or_leaks_on_one_worker() {
    stress(1);
}

/// Each worker of actix-web is a thread with its own instance of the service; they share
/// the pool.
#[test]
fn no_actor_is_lost_or_leaks_on_several_workers() {
    stress(4);
}

/// Each row contains the name of its writer.
async fn write(app: &App, user: i64, step: i64) -> Result<(), ApiError> {
    let row = items::name.eq(format!("{user}-{step}"));
    let insert = diesel::insert_into(items::table).values(row);
    app.db(move |conn| match step {
        0 => Ok(conn.transaction(|conn| insert.execute(conn))?),
        _ => Ok(insert.execute(conn)?),
    })
    .await
    .map(drop)
}

/// Three transactions, with others in between.
async fn several(app: Data<App>, user: Path<i64>) -> Result<HttpResponse, ApiError> {
    for step in 0..3 {
        write(&app, *user, step).await?;
        actix_web::rt::task::yield_now().await;
    }
    Ok(HttpResponse::Ok().finish())
}

/// Writes, and panics in a transaction on the blocking thread, or on the worker.
async fn panics(app: Data<App>, user: Path<i64>) -> Result<HttpResponse, ApiError> {
    write(&app, *user, 0).await?;
    if *user % 2 == 0 {
        std::panic::resume_unwind(Box::new("on purpose"));
    }
    let row = items::name.eq(format!("{user}-rolled back"));
    let insert = diesel::insert_into(items::table).values(row);
    app.db(move |conn| {
        conn.transaction(|conn| -> Result<(), ApiError> {
            insert.execute(conn)?;
            std::panic::resume_unwind(Box::new("on purpose"))
        })
    })
    .await?;
    Ok(HttpResponse::Ok().finish())
}

/// Does not carry the context to its own task.
async fn forgets(app: Data<App>, user: Path<i64>) -> Result<HttpResponse, ApiError> {
    let task = spawn(async move { write(&app, *user, 9).await });
    task.await.unwrap()?;
    Ok(HttpResponse::Ok().finish())
}

fn more(config: &mut ServiceConfig) {
    config
        .service(resource("/several/{user}").route(post().to(several)))
        .service(resource("/panics/{user}").route(post().to(panics)))
        .service(resource("/forgets/{user}").route(post().to(forgets)));
}

/// Returns the response to a request; nothing if it was cancelled, an error if it
/// panicked.
async fn one_of_many<B: actix_web::body::MessageBody>(
    service: Rc<impl Service<actix_http::Request, Response = ServiceResponse<B>, Error = Error>>,
    user: i64,
) -> Option<u16> {
    let token = format!("token-{user}");
    let path = match user % 5 {
        0 | 1 => format!("/several/{user}"),
        2 => format!("/panics/{user}"),
        3 => "/items".to_owned(),
        _ => format!("/forgets/{user}"),
    };
    // A visitor writes; the write must be refused.
    let token = (user % 5 != 3).then_some(token.as_str());
    let body = json!({ "name": format!("{user}-visitor") });
    let answer = send(&*service, request(Method::POST, &path, token, &body));
    let status = match user % 5 {
        // At some moment of its life: before it runs, while it waits for a connection, or
        // later.
        1 => timeout(Duration::from_millis(user as u64 % 100), answer)
            .await
            .ok(),
        _ => Some(answer.await),
    };
    assert_eq!(AuditContext::current(), None);
    status.map(|(status, _)| status)
}

/// Serves the requests of one worker; returns the numbers of cancelled ones and of
/// panics.
async fn work(app: App, users: Vec<i64>) -> (usize, usize) {
    let service = Rc::new(service(app, more).await);
    let requests: Vec<_> = users
        .into_iter()
        .map(|user| (user, spawn(one_of_many(service.clone(), user))))
        .collect();
    let (mut cancelled, mut panicked) = (0, 0);
    for (user, request) in requests {
        match (user % 5, request.await) {
            (1, Ok(None)) => cancelled += 1,
            (0 | 1, done) => assert_eq!(done.unwrap(), Some(200)),
            (2, Err(error)) => panicked += usize::from(error.is_panic()),
            (2, done) => assert_eq!(done.unwrap(), Some(500)),
            (_, done) => assert_eq!(done.unwrap(), Some(401)),
        }
    }
    (cancelled, panicked)
}

fn stress(workers: i64) {
    let (database, app) = setup();
    run(
        &mut database.connect(),
        &format!(
            "INSERT INTO clerks (id, name, token)
             SELECT n, n, 'token-' || n FROM generate_series(1000, {}) AS n",
            999 + REQUESTS
        ),
    );
    let threads: Vec<_> = (0..workers)
        .map(|worker| {
            let users = (1000..1000 + REQUESTS).filter(|user| user % workers == worker);
            let (app, users) = (app.clone(), users.collect());
            thread::spawn(move || System::new().block_on(work(app, users)))
        })
        .collect();
    // Each system waits, when it ends, for blocking work whose request is gone.
    let ends = threads.into_iter().map(|thread| thread.join().unwrap());
    let (cancelled, panicked) = ends.fold((0, 0), |all, one| (all.0 + one.0, all.1 + one.1));
    assert!(cancelled > 0, "nothing was cancelled");
    assert_eq!(panicked as i64, REQUESTS / 10);
    check(&database);
}

fn check(database: &Database) {
    let conn = &mut database.connect();
    let wrong = "SELECT row_data, actor_type, actor_id FROM threadline.changes
         WHERE (actor_type, actor_id) IS DISTINCT FROM
               ('user', split_part(row_data ->> 'name', '-', 1))";
    assert_rows(conn, wrong, []);
    let count = |conn: &mut _, sql: &str| value(conn, sql).unwrap().parse::<i64>().unwrap();
    let written = count(conn, "SELECT count(*) FROM items");
    let recorded = count(conn, "SELECT count(*) FROM threadline.changes");
    assert_eq!(recorded, written, "a change was lost or invented");
    let least = 3 * REQUESTS / 5 + REQUESTS / 5;
    assert!(written >= least, "{written} items, of at least {least}");
    let never = "SELECT count(*) FROM items WHERE name ~ 'rolled back|visitor|-9'";
    assert_eq!(count(conn, never), 0);
}
