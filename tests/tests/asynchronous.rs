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
use threadline::{ActorRef, AuditContext};
use threadline_tests::{Database, rows, run};
use tokio::task::JoinHandle;

const NOTES: &str = "
    CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL);
    SELECT threadline.audit('notes');
";

fn database() -> Database {
    let database = Database::new();
    run(&mut database.connect(), NOTES);
    database
}

fn user(id: impl ToString) -> AuditContext {
    AuditContext::new(ActorRef::user(id).unwrap())
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

/// Returns after how many polls the request of this number is dropped: two of three, sooner
/// or later.
fn polls_of(number: i32) -> usize {
    match number % 3 {
        0 => usize::MAX,
        _ => 1 + (number as usize * 7919) % 17,
    }
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

/// Waits until no other session of the database runs a statement: a commit that was sent
/// before its request was dropped has taken effect then.
async fn until_idle(conn: &mut PgConnection) {
    let busy = "SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle'";
    while rows(conn, busy) != ["0"] {
        tokio::task::yield_now().await;
    }
}

/// Returns each recorded change as `key | actor | origin`, oldest first.
fn recorded(conn: &mut PgConnection) -> Vec<String> {
    rows(
        conn,
        "SELECT key ->> 'id', coalesce(actor_type || ':' || actor_id, actor_type, '-'), actor_origin
         FROM threadline.changes ORDER BY id",
    )
}

/// Returns the keys in the table.
fn kept(conn: &mut PgConnection) -> Vec<String> {
    rows(conn, "SELECT id FROM notes ORDER BY id")
}
