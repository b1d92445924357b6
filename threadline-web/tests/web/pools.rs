//! The explorer with pools of diesel-async.

use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::AsyncDieselConnectionManager;
use threadline_web::Pool;

use super::*;

fn manager(database: &Database) -> AsyncDieselConnectionManager<AsyncPgConnection> {
    AsyncDieselConnectionManager::new(database.url())
}

/// Reads, exports and reverts.
async fn works<P: Pool>(database: &Database, pool: P) {
    let router = Explorer::new(pool)
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
