//! Futures that are dropped at each of their await points.

use std::panic::AssertUnwindSafe;

use diesel::QueryableByName;
use diesel::result::Error;
use diesel::sql_types::{Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use threadline::AsyncAuditExt;

use super::{assert_recorded, at_each_await, connect, cut, database, insert, kept, recorded, user};

#[tokio::test]
async fn nothing_later_on_the_connection_is_done_under_the_old_context() {
    at_each_await(4, async |polls| {
        let database = database();
        let conn = &mut connect(&database).await;
        let work = conn.audited_transaction::<_, Error, _>(&user(1), async |conn| {
            insert(conn, 1).await?;
            insert(conn, 2).await
        });
        if let Some(done) = cut(work, polls).await {
            assert_eq!(done, Ok(1));
            return true;
        }
        insert(conn, 3).await.unwrap();
        let again = conn
            .audited_transaction::<_, Error, _>(&user(4), async |conn| insert(conn, 4).await)
            .await;
        assert!(
            matches!(again, Err(Error::BrokenTransactionManager)),
            "{polls} polls: {again:?}"
        );
        // When a future is dropped, it is unknown whether its COMMIT was sent.
        let seen = recorded(&mut database.connect());
        assert!(
            seen == ["3 | - | none"]
                || seen
                    == [
                        "1 | user:1 | explicit",
                        "2 | user:1 | explicit",
                        "3 | - | none"
                    ],
            "{polls} polls: {seen:?}"
        );
        assert_eq!(kept(&mut database.connect()).len(), seen.len());
        false
    })
    .await;
}

#[derive(QueryableByName)]
struct Context {
    #[diesel(sql_type = Nullable<Text>)]
    context: Option<String>,
}

/// Returns the context that a change would have now, unless the connection is unusable.
async fn context(conn: &mut AsyncPgConnection) -> Option<String> {
    diesel::sql_query("SELECT current_setting('threadline.context', true) AS context")
        .get_result::<Context>(conn)
        .await
        .ok()
        .and_then(|found| found.context)
}

#[tokio::test]
async fn the_outer_transaction_of_a_dropped_one_keeps_its_context_and_fails() {
    at_each_await(5, async |polls| {
        let database = database();
        let conn = &mut connect(&database).await;
        let mut whole = false;
        let done = conn
            .audited_transaction::<_, Error, _>(&user(1), async |conn| {
                insert(conn, 1).await?;
                let inner = conn.audited_transaction::<_, Error, _>(&user(2), async |conn| {
                    insert(conn, 2).await?;
                    insert(conn, 3).await
                });
                whole = cut(inner, polls).await.transpose()?.is_some();
                if let Some(context) = context(conn).await {
                    assert!(context.contains(r#""id":"1""#), "{polls} polls: {context}");
                }
                insert(conn, 4).await
            })
            .await;
        let seen = recorded(&mut database.connect());
        if whole {
            assert_eq!(done, Ok(1));
            let expected = ["1 | user:1", "2 | user:2", "3 | user:2", "4 | user:1"];
            assert_eq!(seen, expected.map(|change| format!("{change} | explicit")));
            return true;
        }
        assert!(done.is_err(), "{polls} polls");
        assert_eq!(seen, Vec::<String>::new(), "{polls} polls");
        insert(conn, 5).await.unwrap();
        assert_recorded(&mut database.connect(), ["5 | - | none"]);
        false
    })
    .await;
}

#[tokio::test]
async fn an_action_that_is_dropped_leaves_no_context() {
    at_each_await(4, async |polls| {
        let database = database();
        let conn = &mut connect(&database).await;
        let work = conn.audited_action::<(), _, _>(&user(1), "note.written", async |conn| {
            insert(conn, 1).await?;
            Err(Error::NotFound)
        });
        if let Some(done) = cut(work, polls).await {
            assert_eq!(done, Err(Error::NotFound));
            return true;
        }
        insert(conn, 2).await.unwrap();
        assert_recorded(&mut database.connect(), ["2 | - | none"]);
        false
    })
    .await;
}

#[tokio::test]
async fn a_panic_rolls_back_and_leaves_no_context() {
    let database = database();
    let mut conn = connect(&database).await;
    let panicked = {
        let work = conn.audited_transaction::<(), Error, _>(&user(1), async |conn| {
            insert(conn, 1).await?;
            panic!("in the middle");
        });
        let mut work = Box::pin(work);
        std::future::poll_fn(move |context| {
            match std::panic::catch_unwind(AssertUnwindSafe(|| work.as_mut().poll(context))) {
                Ok(std::task::Poll::Pending) => std::task::Poll::Pending,
                Ok(std::task::Poll::Ready(_)) => std::task::Poll::Ready(false),
                Err(_) => std::task::Poll::Ready(true),
            }
        })
        .await
    };
    assert!(panicked);
    insert(&mut conn, 2).await.unwrap();
    assert_recorded(&mut database.connect(), ["2 | - | none"]);
    assert_eq!(kept(&mut database.connect()), ["2"]);
}
