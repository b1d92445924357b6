use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use diesel::ConnectionResult;

use super::post::POST;
use crate::connection::{AuditConnection, BlockingConnection, ready};
use crate::error::Error;
use crate::telemetry::Clock;

/// A batch of this size left entries behind. After a smaller batch, waiting for more
/// entries costs less than posting a few at a time.
const FULL: u64 = 10_000;

/// How long the worker waits after a failure before it reconnects.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Posts continuously, on a thread with its own connection: see [`post`](crate::post).
///
/// One worker for an application is enough. Several, in several processes, do no harm:
/// while one posts, the others do nothing.
///
/// ```
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let database_url = connection.database_url();
/// use diesel::{Connection, PgConnection};
/// use threadline::Worker;
///
/// let worker = Worker::new().spawn(move || PgConnection::establish(&database_url))?;
/// // … the application runs …
/// worker.stop();
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is posted before `spawn` or `run`"]
pub struct Worker {
    interval: Duration,
}

impl Default for Worker {
    fn default() -> Self {
        Self::new()
    }
}

impl Worker {
    /// Creates a worker that checks the journal every 200 ms.
    pub fn new() -> Self {
        Self {
            interval: Duration::from_millis(200),
        }
    }

    /// Sets how long it waits after it has posted all entries.
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Starts the worker on a thread, where it connects with `connect`. After an error, for
    /// instance while the server restarts, it reconnects after 5 seconds.
    ///
    /// # Errors
    ///
    /// Returns an error if the operating system cannot create the thread.
    pub fn spawn<C, F>(self, connect: F) -> io::Result<WorkerHandle>
    where
        C: BlockingConnection,
        F: FnMut() -> ConnectionResult<C> + Send + 'static,
    {
        let (stop, stopped) = channel::<()>();
        let thread = Builder::new()
            .name("threadline-worker".to_owned())
            .spawn(move || {
                self.run(connect, |pause, _| {
                    matches!(stopped.recv_timeout(pause), Err(RecvTimeoutError::Timeout))
                });
            })?;
        Ok(WorkerHandle {
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Posts on this thread, for a dedicated process. After each batch, it calls `go_on`
    /// with the time to wait, and with the number of moved entries or the error. `go_on`
    /// waits, and returns whether to continue. After a full batch of 10,000 entries or
    /// more, the time to wait is zero.
    pub fn run<C, F>(
        self,
        mut connect: F,
        mut go_on: impl FnMut(Duration, Result<u64, Error>) -> bool,
    ) where
        C: BlockingConnection,
        F: FnMut() -> ConnectionResult<C>,
    {
        ready(self.run_async(
            || std::future::ready(connect()),
            |pause, turn| std::future::ready(go_on(pause, turn)),
        ));
    }

    /// Same as [`run`](Self::run), but as a future on connections of diesel-async. The
    /// functions that connect and wait return futures.
    ///
    /// ```no_run
    /// # async fn work(database_url: String) {
    /// use diesel_async::{AsyncConnection, AsyncPgConnection};
    /// use threadline::Worker;
    ///
    /// let worker = Worker::new().run_async(
    ///     move || {
    ///         let database_url = database_url.clone();
    ///         async move { AsyncPgConnection::establish(&database_url).await }
    ///     },
    ///     async |pause, posted| {
    ///         if let Err(error) = posted {
    ///             eprintln!("posting failed, trying again: {error}");
    ///         }
    ///         tokio::time::sleep(pause).await;
    ///         true
    ///     },
    /// );
    /// tokio::spawn(worker);
    /// # }
    /// ```
    pub async fn run_async<C, Connecting, GoingOn>(
        self,
        mut connect: impl FnMut() -> Connecting,
        mut go_on: impl FnMut(Duration, Result<u64, Error>) -> GoingOn,
    ) where
        C: AuditConnection,
        Connecting: Future<Output = ConnectionResult<C>>,
        GoingOn: Future<Output = bool>,
    {
        let mut connection: Option<C> = None;
        loop {
            let clock = Clock::start();
            let posted = match &mut connection {
                Some(conn) => POST.one(conn).await,
                None => match connect().await {
                    Ok(conn) => POST.one(connection.insert(conn)).await,
                    Err(error) => Err(error.into()),
                },
            };
            let turn = clock.posted(posted.map(Option::unwrap_or_default));
            let pause = match &turn {
                Ok(FULL..) => Duration::ZERO,
                Ok(_) => self.interval,
                Err(_) => {
                    connection = None;
                    AFTER_FAILURE
                }
            };
            if !go_on(pause, turn).await {
                return;
            }
        }
    }
}

/// A running [`Worker`]. Dropping the handle stops the worker.
#[derive(Debug)]
#[must_use = "dropping it stops the worker"]
pub struct WorkerHandle {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl WorkerHandle {
    /// Stops the worker after its current batch.
    pub fn stop(self) {}
}

impl Drop for WorkerHandle {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
