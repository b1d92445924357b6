//! Recordings of asynchronous code, for the tests of an application.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel::result::Error;
use threadline::AsyncAuditExt;
use threadline::testing::{
    Attributed, Recording, assert_recorded, context, fixtures_async, insert, recorded_async,
    recorded_under,
};
use threadline_tests::assert_rows;

use super::{connect, database, insert as add, user};

#[tokio::test]
async fn recordings_of_asynchronous_code_are_asserted_like_any_other() {
    let database = database();
    let mut conn = connect(&database).await;
    let mut other = connect(&database).await;
    let recording = Recording::begin(&mut conn).await.unwrap();
    let of_test = context("user:42");
    let added = conn
        .audited_transaction(&of_test, async |conn| add(conn, 1).await)
        .await;
    add(&mut other, 2).await.unwrap();
    let recorded = recording.end(&mut conn, added).await.unwrap();
    assert_recorded!(recorded, [insert("notes").set("id", 1).by("user:42")]);
    assert_eq!(recorded.value, Ok(1));
    let under = recorded_under(&mut other, &of_test).await;
    assert_recorded!(under, [insert("notes").set("id", 1).by("user:42")]);
}

#[tokio::test]
async fn an_async_closure_is_recorded_alone() {
    let database = database();
    let mut conn = connect(&database).await;
    let mut other = connect(&database).await;
    let fixed = fixtures_async::<_, _, Error, _>(&mut conn, async |conn| add(conn, 1).await).await;
    assert_eq!(fixed, Ok(1));
    let recorded = recorded_async(&mut conn, async |conn| {
        add(&mut other, 2).await.unwrap();
        conn.audited_transaction::<_, Error, _>(&user(42), async |conn| add(conn, 3).await)
            .await
    })
    .await;
    assert_recorded!(recorded, [insert("notes").set("id", 3).by("user:42")]);
    assert_eq!(recorded.value, Ok(1));
    let name = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name <> ''";
    assert_rows(&mut database.connect(), name, ["0"]);
}

/// Runs a test in the runtime of a thread of its own, and returns its panic message.
fn panicked(test: impl Future<Output = ()>) -> Option<String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let done = catch_unwind(AssertUnwindSafe(|| runtime.block_on(test)));
    let message = done.err()?;
    let text = message.downcast_ref::<String>().cloned();
    text.or_else(|| {
        message
            .downcast_ref::<&str>()
            .map(|text| (*text).to_owned())
    })
}

#[test]
fn an_asynchronous_connection_fails_its_test_when_something_is_written_without_an_actor() {
    let database = database();
    let fine = panicked(async {
        let mut conn = Attributed::new_async(connect(&database).await).await;
        let done =
            conn.audited_transaction::<_, Error, _>(&user(1), async |conn| add(conn, 1).await);
        done.await.unwrap();
        assert_eq!(conn.check_async().await.changes.len(), 1);
        assert_eq!(conn.check_async().await.changes.len(), 0);
    });
    assert_eq!(fine, None);
    let forgot = panicked(async {
        let mut conn = Attributed::new_async(connect(&database).await).await;
        add(&mut *conn, 2).await.unwrap();
        let _ = conn.check_async().await;
    });
    assert!(
        forgot
            .unwrap()
            .contains("1 change is recorded without an actor")
    );
    let unchecked = panicked(async {
        let mut conn = Attributed::new_async(connect(&database).await).await;
        add(&mut *conn, 3).await.unwrap();
    });
    assert!(
        unchecked
            .unwrap()
            .contains("end the test with `check_async().await`")
    );
}
