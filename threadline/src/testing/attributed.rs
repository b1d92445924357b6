use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::thread;

use super::recording::or_panic;
use super::{Recorded, Recording};
#[cfg(feature = "diesel-async")]
use crate::connection::Asynchronous;
use crate::connection::{AuditConnection, BlockingConnection};

/// A connection that fails its test if something was written through it without an actor.
/// It checks in [`check`](Self::check), and when it is dropped at the end of the test.
///
/// ```should_panic
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let connection = PgConnection::establish(&Box::leak(Box::new(connect(env!("CARGO_MANIFEST_DIR")))).database_url()).unwrap();
/// use threadline::testing::Attributed;
///
/// let mut conn = Attributed::new(connection);
/// // A place that forgot its context.
/// diesel::delete(users::table.find(42)).execute(&mut *conn).unwrap();
/// ```
///
/// For a connection of diesel-async, use [`new_async`](Self::new_async). A drop cannot
/// await, so such a test must end with [`check_async`](Self::check_async), and fails
/// otherwise.
#[derive(Debug)]
pub struct Attributed<C: AuditConnection> {
    conn: C,
    recording: Option<Recording>,
    /// Whether the connection was used since the last check.
    is_used: bool,
}

impl<C: BlockingConnection> Attributed<C> {
    /// Watches a connection from now on. It may be in a test transaction.
    ///
    /// # Panics
    ///
    /// Panics if the audit cannot be read.
    #[track_caller]
    pub fn new(mut conn: C) -> Self {
        let recording = or_panic(Recording::begin(&mut conn));
        Self::of(conn, recording)
    }

    /// Checks the writes so far and continues to watch. Returns what was recorded.
    ///
    /// # Panics
    ///
    /// Panics if something was written without an actor, or if the audit cannot be read.
    #[track_caller]
    pub fn check(&mut self) -> Recorded {
        let Some(recording) = self.recording.take() else {
            unreachable!("it is watched until the drop");
        };
        let recorded = or_panic(recording.end(&mut self.conn, ()));
        self.recording = Some(or_panic(Recording::begin(&mut self.conn)));
        require_actors(&recorded);
        recorded
    }
}

#[cfg(feature = "diesel-async")]
impl<C: Asynchronous> Attributed<C> {
    /// Watches a connection of diesel-async from now on. Same as [`new`](Self::new).
    ///
    /// # Panics
    ///
    /// Panics if the audit cannot be read.
    pub async fn new_async(mut conn: C) -> Self {
        let recording = or_panic(Recording::begin_on(&mut conn).await);
        Self::of(conn, recording)
    }

    /// Checks the writes so far and continues to watch. Same as [`check`](Self::check).
    ///
    /// # Panics
    ///
    /// Panics if something was written without an actor, or if the audit cannot be read.
    pub async fn check_async(&mut self) -> Recorded {
        let Some(recording) = self.recording.take() else {
            panic!("a check of this connection was dropped before its end");
        };
        self.is_used = false;
        let recorded = or_panic(recording.end_on(&mut self.conn).await);
        self.recording = Some(or_panic(Recording::begin_on(&mut self.conn).await));
        require_actors(&recorded);
        recorded
    }
}

impl<C: AuditConnection> Attributed<C> {
    fn of(conn: C, recording: Recording) -> Self {
        Self {
            conn,
            recording: Some(recording),
            is_used: false,
        }
    }
}

impl<C: AuditConnection> Deref for Attributed<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.conn
    }
}

impl<C: AuditConnection> DerefMut for Attributed<C> {
    fn deref_mut(&mut self) -> &mut C {
        self.is_used = true;
        &mut self.conn
    }
}

impl<C: AuditConnection> Drop for Attributed<C> {
    fn drop(&mut self) {
        // A second panic would abort the process without a message.
        if let (Some(recording), true, false) =
            (self.recording.take(), self.is_used, thread::panicking())
        {
            let end = pin!(recording.end_on(&mut self.conn));
            match end.poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(recorded) => require_actors(&or_panic(recorded)),
                // The recorded changes are not read: the connection ends with its test.
                Poll::Pending => panic!(
                    "the connection was used after its last check; end the test with `check_async().await`"
                ),
            }
        }
    }
}

/// Panics if something was written without an actor. Used by `assert_no_unattributed!`.
#[doc(hidden)]
#[track_caller]
pub fn require_actors<T>(recorded: &Recorded<T>) {
    let nobody = recorded.unattributed();
    if !nobody.is_empty() {
        let count = nobody.len();
        let lines: String = nobody
            .iter()
            .map(|change| {
                format!(
                    "\n  {}",
                    super::got::Got::Change(change, &recorded.columns).title()
                )
            })
            .collect();
        panic!(
            "{count} {} recorded without an actor:{lines}\nwrite in `audited_transaction(&context, …)` or `audited(…)`, and fixtures of a test in `threadline::testing::fixtures`",
            if count == 1 {
                "change is"
            } else {
                "changes are"
            },
        );
    }
}
