//! Connections that a pool lends to one request after the other.

use diesel::result::Error;
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, bb8, deadpool, mobc};
use threadline::AsyncAuditExt;
use threadline_tests::Database;

use super::{
    assert_all_or_nothing, assert_recorded, at_each_await, cut, database, insert, recorded, user,
};

fn manager(database: &Database) -> AsyncDieselConnectionManager<AsyncPgConnection> {
    AsyncDieselConnectionManager::new(database.url())
}

pub fn deadpool(database: &Database, size: usize) -> deadpool::Pool<AsyncPgConnection> {
    deadpool::Pool::builder(manager(database))
        .max_size(size)
        .build()
        .unwrap()
}

/// One connection, on which a transaction is dropped at each await point, and the next two
/// requests that get it. Returns how many of them found it broken.
macro_rules! lent_again {
    ($pool:expr) => {{
        let mut broken = 0;
        at_each_await(3, async |polls| {
            let database = database();
            let pool = $pool(&database).await;
            let whole = {
                let mut conn = pool.get().await.unwrap();
                let work = conn.audited_transaction::<_, Error, _>(&user(1), async |conn| {
                    insert(conn, 1).await
                });
                cut(work, polls).await.is_some()
            };
            insert(&mut pool.get().await.unwrap(), 2).await.unwrap();
            let mut conn = pool.get().await.unwrap();
            let third = conn
                .audited_transaction::<_, Error, _>(&user(3), async |conn| insert(conn, 3).await)
                .await;
            let mut seen = recorded(&mut database.connect());
            // A commit that was sent may take effect after changes of another connection.
            seen.sort();
            let mut expected = vec!["2 | - | none"];
            match third {
                Ok(_) => expected.push("3 | user:3 | explicit"),
                Err(Error::BrokenTransactionManager) => broken += 1,
                Err(error) => panic!("{polls} polls: {error}"),
            }
            assert_all_or_nothing(&seen, polls, whole, &["1 | user:1 | explicit"], &expected);
            whole
        })
        .await;
        broken
    }};
}

#[tokio::test]
async fn a_connection_of_deadpool_does_not_lend_its_context() {
    let broken = lent_again!(async |database: &Database| deadpool(database, 1));
    assert_eq!(broken, 0);
}

#[tokio::test]
async fn a_connection_of_bb8_does_not_lend_its_context() {
    let broken = lent_again!(async |database: &Database| bb8::Pool::builder()
        .max_size(1)
        .build(manager(database))
        .await
        .unwrap());
    assert_eq!(broken, 0);
}

/// diesel-async 0.9 reports a broken connection to mobc as usable, so it is lent again;
/// see <https://docs.rs/mobc/latest/mobc/trait.Manager.html#method.validate>.
#[tokio::test]
async fn a_connection_of_mobc_does_not_lend_its_context() {
    let broken = lent_again!(async |database: &Database| mobc::Pool::builder()
        .max_open(1)
        .build(manager(database)));
    assert_ne!(broken, 0, "now mobc can be recommended");
}

#[tokio::test]
async fn a_request_that_panics_does_not_lend_its_context() {
    let database = database();
    let pool = deadpool(&database, 1);
    let request = tokio::spawn({
        let pool = pool.clone();
        async move {
            let mut conn = pool.get().await.unwrap();
            conn.audited_transaction::<(), Error, _>(&user(1), async |conn| {
                insert(conn, 1).await?;
                panic!("in the middle");
            })
            .await
        }
    });
    assert!(request.await.unwrap_err().is_panic());
    insert(&mut pool.get().await.unwrap(), 2).await.unwrap();
    assert_recorded(&mut database.connect(), ["2 | - | none"]);
}
