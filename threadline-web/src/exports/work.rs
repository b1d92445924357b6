//! The work of an export in the background.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::Utc;
use threadline::{BlockingConnection, Filter};
use tokio::time::sleep;

use super::file::storage;
use super::{ExportFile, Exports, Job, Jobs, State};
use crate::access::{Access, Scoped};
use crate::failure::Failure;
use crate::pool::Pool;

/// The maximum time for the count of the changes, which only serves the display of progress.
const COUNTING: Duration = Duration::from_secs(30);

/// The time between two attempts to cancel a query.
const AGAIN: Duration = Duration::from_millis(100);

/// Runs an export on a task of its own, which goes on if the browser disconnects.
pub(crate) fn start<P: Pool>(
    pool: P,
    jobs: Arc<Jobs>,
    job: Arc<Job>,
    file: ExportFile,
    filter: Filter,
    access: Arc<Access>,
    exports: &Exports,
) {
    let (timeout, kept) = (exports.timeout, exports.kept);
    let job = Ending(job);
    tokio::spawn(async move {
        if let Some(turn) = job.0.turn(jobs.turns.clone()).await {
            let running = job.0.clone();
            let work = move |conn: &mut P::Connection| {
                let result = write(conn, &access, &running, file, filter, timeout);
                drop(turn);
                result
            };
            // A task of its own, so that a panic of the work does not end this one.
            let result = tokio::spawn(async move { pool.run(work).await }).await;
            let ended = match result {
                Ok(Ok(Ok((file, changes)))) => State::Done {
                    file: Arc::new(file),
                    changes,
                    until: Utc::now() + kept,
                },
                Ok(Ok(Err(failure))) => State::Failed(failure),
                Ok(Err(_)) | Err(_) => State::Failed(Failure::Database),
            };
            // The file of a cancelled export is dropped here.
            job.0.becomes(ended);
        }
        let id = job.0.id.clone();
        // The file of an export that is removed earlier must not be kept here.
        drop(job);
        sleep(kept).await;
        jobs.remove(&id);
    });
}

/// Ends an export with its task. A runtime that shuts down drops its tasks, and then waits for
/// the work on other threads, which stops after the next page of changes.
struct Ending(Arc<Job>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// Writes the file, and returns it with the number of changes.
fn write<C: BlockingConnection>(
    conn: &mut C,
    access: &Access,
    job: &Job,
    mut file: ExportFile,
    filter: Filter,
    timeout: Duration,
) -> Result<(ExportFile, u64), Failure> {
    let begun = Instant::now();
    let mut stopped = None;
    let exported = Scoped::read(conn, access, timeout, |audit| {
        job.runs_in(Some(audit.session()?));
        let exported = (|| {
            // False if the export was cancelled before its session was known.
            if !job.becomes(State::Counting) {
                return Ok(None);
            }
            let total = audit.count(filter.clone(), None, COUNTING.min(timeout))?;
            job.becomes(State::Writing(total));
            let write = |piece: Vec<u8>, changes| {
                stopped = if !job.state().is_open() {
                    Some(Failure::Conflict(String::new()))
                } else if begun.elapsed() > timeout {
                    Some(Failure::Slow)
                } else {
                    file.append(&piece).map_err(storage).err()
                };
                job.wrote(changes, file.bytes());
                match stopped {
                    Some(_) => Err(io::ErrorKind::Interrupted.into()),
                    None => Ok(()),
                }
            };
            audit
                .export(filter, job.format, usize::MAX, write)
                .map(Some)
        })();
        // Before the rollback, which nothing may cancel.
        job.runs_in(None);
        exported
    });
    match (stopped, exported) {
        (Some(failure), _) => Err(failure),
        (None, Ok(Some(exported))) => Ok((file, exported.changes)),
        (None, Ok(None)) => Err(Failure::Conflict(String::new())),
        (None, Err(error)) => Err(error.into()),
    }
}

/// Cancels an export, and soon the query that it runs.
pub(crate) fn cancel<P: Pool>(pool: P, job: Arc<Job>) {
    if !job.cancel() {
        return;
    }
    // Not awaited: if no connection is free, the export ends with its query.
    tokio::spawn(async move {
        // Repeated, because a session ignores it between two queries.
        loop {
            let running = job.clone();
            let cancel = move |conn: &mut P::Connection| {
                let cancel = |session| Scoped::<P::Connection>::cancel(conn, session);
                running.in_session(cancel).is_some()
            };
            match pool.run(cancel).await {
                Ok(true) => sleep(AGAIN).await,
                Ok(false) | Err(_) => break,
            }
        }
    });
}
