//! Connections of diesel-async: the same queries, transactions under a context, and
//! futures that are dropped before they end.

#[path = "asynchronous/audited_connection.rs"]
mod audited_connection;
#[path = "asynchronous/cancelled.rs"]
mod cancelled;
#[path = "asynchronous/exports.rs"]
mod exports;
#[path = "asynchronous/migrations.rs"]
mod migrations;
#[path = "asynchronous/pools.rs"]
mod pools;
#[path = "asynchronous/questions.rs"]
mod questions;
#[path = "asynchronous/recordings.rs"]
mod recordings;
#[path = "asynchronous/rows.rs"]
mod rows_one_by_one;
#[path = "asynchronous/stress.rs"]
mod stress;
#[path = "asynchronous/transactions.rs"]
mod transactions;

use std::collections::BTreeSet;
use std::future::{Future, poll_fn};
use std::task::Poll;

use diesel::{PgConnection, QueryResult};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use threadline::InContextExt;
use threadline_tests::notes::{NOTES, assert_recorded, recorded, user};
use threadline_tests::{Database, Sent, rows};
use tokio::task::JoinHandle;

fn database() -> Database {
    Database::with(NOTES).0
}

async fn connect(database: &Database) -> AsyncPgConnection {
    AsyncPgConnection::establish(&database.url()).await.unwrap()
}

async fn insert<C>(conn: &mut C, id: i32) -> QueryResult<usize>
where
    C: AsyncConnection<Backend = diesel::pg::Pg>,
{
    diesel::sql_query(format!("INSERT INTO notes VALUES ({id}, 'text')"))
        .execute(conn)
        .await
}

/// Polls a future a number of times, and drops it if it is not ready then.
async fn cut<F: Future>(future: F, polls: usize) -> Option<F::Output> {
    let mut future = Box::pin(future);
    let mut left = polls;
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending if left <= 1 => Poll::Ready(None),
        Poll::Pending => {
            left -= 1;
            Poll::Pending
        }
    })
    .await
}

/// Does work of which a future is dropped after one poll, then after two, and so on until it
/// completes, which `work` returns. At least `fewest` futures are dropped.
async fn at_each_await(fewest: usize, mut work: impl AsyncFnMut(usize) -> bool) {
    for polls in 1..200 {
        if work(polls).await {
            assert!(polls > fewest, "{} cuts", polls - 1);
            return;
        }
    }
    panic!("it never completes");
}

/// Returns after how many polls the request of this number is dropped: two of three, sooner
/// or later.
fn polls_of(number: i32) -> usize {
    match number % 3 {
        0 => usize::MAX,
        _ => 1 + (number as usize * 7919) % 17,
    }
}

/// Begins a request for each number up to `count`, under the context of the user of that
/// number. [`polls_of`] cuts them.
fn requests<P: Clone, F>(
    pool: &P,
    count: i32,
    request: impl Fn(P, i32) -> F,
) -> Vec<JoinHandle<Option<F::Output>>>
where
    F: Future<Output: Send> + Send + 'static,
{
    (1..=count)
        .map(|number| {
            let request = request(pool.clone(), number).in_context(user(number));
            tokio::spawn(cut(request, polls_of(number)))
        })
        .collect()
}

/// Awaits requests that [`polls_of`] cuts, and returns the numbers of those that completed.
async fn completed<T>(requests: Vec<JoinHandle<Option<QueryResult<T>>>>) -> BTreeSet<i32> {
    let all = requests.len();
    let mut completed = BTreeSet::new();
    for (request, number) in requests.into_iter().zip(1..) {
        if let Some(result) = request.await.unwrap() {
            result.unwrap();
            completed.insert(number);
        }
    }
    assert!(completed.len() >= all / 3, "{}", completed.len());
    assert!(completed.len() < all, "{}", completed.len());
    completed
}

/// Waits until requests that [`polls_of`] cuts are over, and asserts that no change has an actor
/// other than `its_own`, a condition, allows. Returns the numbers of the requests that completed,
/// and the keys in the table.
async fn over<T, P>(
    requests: Vec<JoinHandle<Option<QueryResult<T>>>>,
    pool: P,
    conn: &mut PgConnection,
    its_own: &str,
) -> (BTreeSet<i32>, BTreeSet<String>) {
    let done = completed(requests).await;
    drop(pool);
    until_idle(conn).await;
    let wrong = rows(
        conn,
        &format!(
            "SELECT key ->> 'id', actor_type, actor_id FROM threadline.changes
             WHERE actor_type IS DISTINCT FROM 'user' OR NOT ({its_own})"
        ),
    );
    assert_eq!(wrong, Vec::<String>::new());
    (done, kept(conn).into_iter().collect())
}

/// Asserts that a transaction of one statement took three messages.
#[track_caller]
fn assert_context_sent_with_begin(sent: &Sent) {
    let messages = sent.take();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert!(messages[0].starts_with("BEGIN; SELECT"), "{messages:?}");
    assert_eq!(messages[2], "COMMIT");
}

/// Asserts that of work that was dropped after so many polls, unless it was `whole`, either
/// nothing is recorded or `all`: it is unknown whether its COMMIT was sent. `after` is what came
/// after it.
#[track_caller]
fn assert_all_or_nothing(seen: &[String], polls: usize, whole: bool, all: &[&str], after: &[&str]) {
    assert!(
        seen == after && !whole || seen == [all, after].concat(),
        "{polls} polls: {seen:?}"
    );
}

/// Waits until no other session of the database runs a statement: a commit that was sent
/// before its request was dropped has taken effect then.
async fn until_idle(conn: &mut PgConnection) {
    let busy = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'";
    while rows(conn, busy) != ["0"] {
        tokio::task::yield_now().await;
    }
}

/// Returns the keys in the table.
fn kept(conn: &mut PgConnection) -> Vec<String> {
    rows(conn, "SELECT id FROM notes ORDER BY id")
}
