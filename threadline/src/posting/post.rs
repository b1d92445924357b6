use crate::batches::Batches;
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::telemetry::Clock;

/// Moves what waits in the journal into the ledger, and returns how many entries
/// that were.
///
/// Triggers append what they see to a journal without indexes, which costs a
/// write little. Posting moves it into the tables with indexes. Every answer is
/// right without it; with much in the journal, answers take longer. A
/// [`Worker`](crate::Worker) posts all along. Without one, whoever reads through
/// this crate outside a transaction posts first, when some hundred entries wait.
///
/// Returns 0 inside a transaction, on a standby, and while somebody else posts.
///
/// ```
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// let moved = threadline::post(conn)?;
/// println!("{moved} entries were moved into the ledger");
/// # Ok::<(), threadline::Error>(())
/// ```
///
/// # Errors
///
/// The audit schema is missing or too old, or the role may not execute
/// `threadline.post`.
pub fn post<C: AuditConnection>(conn: &mut C) -> C::Answer<'_, Result<u64, Error>> {
    C::answer(async move {
        let clock = Clock::start();
        clock.posted(POST.all(conn).await)
    })
}

/// Batches of 10,000 entries or, when very much waits, some more.
pub(crate) const POST: Batches = Batches("SELECT threadline.post() AS done");

/// Posts if so much waits that the question would take noticeably longer. What
/// fails here fails no question.
pub(crate) async fn post_before_reading<C: AuditConnection>(conn: &mut C) {
    if matches!(conn.status().transaction_depth(), Ok(None)) {
        let clock = Clock::start();
        let post = Batches("SELECT threadline.post_if_much() AS done");
        if let Some(entries) = post.perhaps_one(conn).await {
            let _ = clock.posted(Ok(entries));
        }
    }
}
