//! 500 requests over four connections, many of which are cancelled.

use std::collections::BTreeSet;

use diesel::result::Error;
use threadline::AsyncAuditExt;
use threadline_tests::rows;

use super::pools::deadpool;
use super::{database, insert, over, requests, user};

const REQUESTS: i32 = 500;

async fn every_change_has_its_own_actor() {
    let database = database();
    let pool = deadpool(&database, 4);
    let requests = requests(&pool, REQUESTS, |pool, number| async move {
        let mut conn = pool.get().await.unwrap();
        conn.audited::<_, Error, _>(async |conn| {
            insert(conn, number).await?;
            if number % 3 == 0 {
                let nested = user(REQUESTS + number);
                conn.audited_transaction::<_, Error, _>(&nested, async |conn| {
                    insert(conn, REQUESTS + number).await
                })
                .await?;
            }
            insert(conn, 2 * REQUESTS + number).await
        })
        .await
    });
    let conn = &mut database.connect();
    let its_own = "actor_id::int IN ((key ->> 'id')::int, (key ->> 'id')::int - 1000)";
    let (done, kept) = over(requests, pool, conn, its_own).await;
    let changes: BTreeSet<String> = rows(conn, "SELECT key ->> 'id' FROM threadline.changes")
        .into_iter()
        .collect();
    assert_eq!(changes, kept);
    for number in done {
        assert!(kept.contains(&number.to_string()), "{number} is lost");
        assert!(
            kept.contains(&(2 * REQUESTS + number).to_string()),
            "{number} is lost"
        );
        let nested = kept.contains(&(REQUESTS + number).to_string());
        assert_eq!(nested, number % 3 == 0, "{number}");
    }
}

#[tokio::test]
async fn on_one_thread_every_change_has_its_own_actor() {
    every_change_has_its_own_actor().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_many_threads_every_change_has_its_own_actor() {
    every_change_has_its_own_actor().await;
}
