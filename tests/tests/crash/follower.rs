use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

/// A change in the ledger. The digest is of the whole row: a million transactions make
/// four million of them.
#[derive(Debug, Clone, PartialEq, Eq, QueryableByName)]
pub(crate) struct Change {
    #[diesel(sql_type = BigInt)]
    position: i64,
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = BigInt)]
    digest: i64,
}

/// Returns the changes after the last known one, with the query in the documentation.
pub(crate) fn next_page(conn: &mut PgConnection, known: &[Change]) -> QueryResult<Vec<Change>> {
    diesel::sql_query(
        "SELECT position, id, hashtextextended(c::text, 0) AS digest FROM threadline.ledger_changes AS c
         WHERE position > $1 ORDER BY position LIMIT 1000",
    )
    .bind::<BigInt, _>(last(known))
    .load(conn)
}

fn last(known: &[Change]) -> i64 {
    known.last().map_or(0, |change| change.position)
}

/// Reads the ledger by position on a thread, continues after the server was killed, and
/// remembers what it read.
#[derive(Debug)]
pub(crate) struct Follower {
    seen: Arc<Mutex<Vec<Change>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Follower {
    pub(crate) fn start(url: String) -> Self {
        let (seen, stop) = (Arc::default(), Arc::default());
        let (theirs, stopped) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = thread::spawn(move || follow(&url, &theirs, &stopped));
        Self {
            seen,
            stop,
            thread: Some(thread),
        }
    }

    /// Returns everything that it has read, in order.
    pub(crate) fn seen(&self) -> MutexGuard<'_, Vec<Change>> {
        lock(&self.seen)
    }

    /// Returns the last position that it has read.
    pub(crate) fn reached(&self) -> u64 {
        let is_running = self.thread.as_ref().is_some_and(|t| !t.is_finished());
        assert!(is_running, "the follower failed");
        last(&self.seen()).unsigned_abs()
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn follow(url: &str, seen: &Mutex<Vec<Change>>, stop: &AtomicBool) {
    let mut connection = None;
    while !stop.load(Ordering::Relaxed) {
        let Some(conn) = &mut connection else {
            connection = PgConnection::establish(url).ok();
            sleep(Duration::from_millis(5));
            continue;
        };
        let page = next_page(conn, &lock(seen));
        match page {
            Ok(page) if page.is_empty() => sleep(Duration::from_millis(5)),
            Ok(page) => lock(seen).extend(page),
            Err(error) => {
                // Only the server's death is an accepted error.
                assert!(conn.batch_execute("SELECT 1").is_err(), "{error}");
                connection = None;
            }
        }
    }
}

fn lock(seen: &Mutex<Vec<Change>>) -> MutexGuard<'_, Vec<Change>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
