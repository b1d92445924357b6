use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use diesel::ConnectionResult;

use super::post::POST;
use crate::connection::{AuditConnection, BlockingConnection, ready};
use crate::error::Error;
use crate::telemetry::Clock;

/// A batch of so many entries left some behind. After a smaller one it is cheaper to
/// wait for company than to post a few entries at a time.
const FULL: u64 = 10_000;

/// How long the worker waits after a failure before it connects again.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Posts all along, on a thread with a connection of its own: see
/// [`post`](crate::post).
///
/// One for an application suffices. Several, in several processes, do no harm:
/// while one posts, the others have nothing to do.
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
    /// A worker that looks every 200 ms.
    pub fn new() -> Self {
        Self {
            interval: Duration::from_millis(200),
        }
    }

    /// Sets how long it waits after it has posted all that there was.
    pub fn every(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Starts the worker on a thread, where it connects with `connect`. After an
    /// error, such as a server that restarts, it connects anew 5 seconds later.
    ///
    /// # Errors
    ///
    /// The operating system gives no thread.
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

    /// Posts on this thread, for a process of its own. After each batch `go_on` is
    /// given how long to wait, and how many entries were moved or what failed; it
    /// waits, and returns whether to go on. After a full batch, of 10,000 entries or
    /// more, there is nothing to wait for.
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

    /// Same as [`run`](Self::run) in a task, with what connects and what waits as futures,
    /// on connections of diesel-async.
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
    ///     async |pause, _posted| {
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
            let turn = clock.posted(match &mut connection {
                Some(conn) => POST.one(conn).await,
                None => match connect().await {
                    Ok(conn) => POST.one(connection.insert(conn)).await,
                    Err(error) => Err(error.into()),
                },
            });
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

/// A running [`Worker`]. It is stopped when this is dropped.
#[derive(Debug)]
#[must_use = "dropping it stops the worker"]
pub struct WorkerHandle {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl WorkerHandle {
    /// Stops the worker after the batch that it is at.
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
