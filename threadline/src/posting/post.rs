use crate::batches::Batches;
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::telemetry::Clock;

/// Moves the entries of the journal into the ledger. Returns the number of entries.
///
/// Triggers append their entries to a journal without indexes, which adds little to a
/// write. Posting moves them into indexed tables. Queries are correct without posting, but
/// take longer with many entries in the journal. A [`Worker`](crate::Worker) posts
/// continuously. Without one, reading through this crate outside a transaction posts first,
/// when some hundred entries wait.
///
/// Returns 0 inside a transaction, on a standby, and while another session posts. The
/// `statement_timeout` and the `default_transaction_isolation` of the role or the database
/// do not apply.
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
/// Returns an error if the audit schema is missing or too old, or if the role may not
/// execute `threadline.post`.
pub fn post<C: AuditConnection>(conn: &mut C) -> C::Answer<'_, Result<u64, Error>> {
    C::answer(async move {
        let clock = Clock::start();
        clock.posted(POST.all(conn).await)
    })
}

/// Batches of 10,000 entries, or more if very many wait.
pub(crate) const POST: Batches = Batches("SELECT nullif(threadline.post(), 0) AS done");

/// Posts if so many entries wait that the query would take noticeably longer. An error here
/// does not fail the query.
pub(crate) async fn post_before_reading<C: AuditConnection>(conn: &mut C) {
    if matches!(conn.status().transaction_depth(), Ok(None)) {
        let clock = Clock::start();
        let post = Batches("SELECT threadline.post_if_much() AS done");
        if let Some(entries) = post.perhaps_one(conn).await {
            let _ = clock.posted(Ok(entries));
        }
    }
}
