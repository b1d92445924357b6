//! What asynchronous code recorded, for the tests of an application.

use threadline::AsyncAuditExt;
use threadline::testing::{Recording, assert_recorded, context, insert, recorded_under};

use super::{connect, database, insert as add};

#[tokio::test]
async fn what_asynchronous_code_recorded_is_asserted_as_of_any_other() {
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
