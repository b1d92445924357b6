//! The explorer with pools of diesel-async.

use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::AsyncDieselConnectionManager;
use threadline_web::{Exports, Pool};

use super::exports::{begun, until, until_running};
use super::*;

fn manager(database: &Database) -> AsyncDieselConnectionManager<AsyncPgConnection> {
    AsyncDieselConnectionManager::new(database.url())
}

/// Reads, exports and reverts.
async fn works<P: Pool>(database: &Database, pool: P) {
    let router = Explorer::new(pool.clone())
        .authorize(async |_| operator().allow_export().allow_revert())
        .into_router();
    let page = shown(get(&router, "/timeline").await);
    assert!(page.contains("written off"));
    shown(get(&router, "/record?table=invoices&key=1&at=2100-01-01").await);
    let form = |path: &str, fields: &'static str| {
        Request::post(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(fields))
            .unwrap()
    };
    let exported = shown(send(&router, form("/export", "q=&format=csv")).await);
    assert_eq!(exported.lines().count(), 1 + 7);
    // In the background, too, where the count waits, and is cancelled by another connection.
    let background = Explorer::new(pool)
        .exports(Exports::new().stream_up_to(0).parallel(1))
        .authorize(async |_| operator().allow_export())
        .mount(Router::new(), "/audit");
    let id = begun(&background, "q=&format=csv").await;
    assert_eq!(until(&background, &id, "done").await["changes"], 7);
    let holder = database.hold_ledger();
    let id = begun(&background, "q=&format=csv").await;
    until_running(&background, &id).await;
    let cancel = format!("id={id}&step=cancel").leak();
    send(&background, form("/audit/export-job", cancel)).await;
    let next = begun(&background, "q=&format=csv").await;
    until_running(&background, &next).await;
    drop(holder);
    until(&background, &next, "done").await;
    let id = threadline_tests::value(
        &mut database.connect(),
        "SELECT max(transaction_id) FROM threadline.changes",
    );
    let fields = format!("transaction={}&step=apply&reason=r", id.unwrap());
    let answer = send(&router, form("/revert", fields.leak())).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let page = shown(get(&router, "/timeline?q=source%3Aexplorer").await);
    assert!(page.contains("audit.reverted"));
}

#[tokio::test]
async fn a_pool_of_deadpool_serves() {
    let database = with_invoices();
    let pool = diesel_async::pooled_connection::deadpool::Pool::builder(manager(&database));
    works(&database, pool.max_size(2).build().unwrap()).await;
}

#[tokio::test]
async fn a_pool_of_bb8_serves() {
    let database = with_invoices();
    let pool = diesel_async::pooled_connection::bb8::Pool::builder().max_size(2);
    works(&database, pool.build(manager(&database)).await.unwrap()).await;
}
