use std::ops::{Deref, DerefMut};
use std::thread;

use super::recording::or_panic;
use super::{Recorded, Recording};
use crate::connection::BlockingConnection;

/// A connection that fails its test when something was written through it without an actor:
/// with [`check`](Self::check), or when it is dropped at the end of the test.
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
#[derive(Debug)]
pub struct Attributed<C: BlockingConnection> {
    conn: C,
    recording: Option<Recording>,
}

impl<C: BlockingConnection> Attributed<C> {
    /// Watches a connection from now on, also one in a test transaction.
    ///
    /// # Panics
    ///
    /// The audit cannot be read.
    #[track_caller]
    pub fn new(mut conn: C) -> Self {
        let recording = Some(or_panic(Recording::begin(&mut conn)));
        Self { conn, recording }
    }

    /// Checks what was written so far, and goes on watching. Returns it.
    ///
    /// # Panics
    ///
    /// Something was written without an actor, or the audit cannot be read.
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

impl<C: BlockingConnection> Deref for Attributed<C> {
    type Target = C;

    fn deref(&self) -> &C {
        &self.conn
    }
}

impl<C: BlockingConnection> DerefMut for Attributed<C> {
    fn deref_mut(&mut self) -> &mut C {
        &mut self.conn
    }
}

impl<C: BlockingConnection> Drop for Attributed<C> {
    fn drop(&mut self) {
        // A second panic would end the process without a message.
        if let (Some(recording), false) = (self.recording.take(), thread::panicking()) {
            require_actors(&or_panic(recording.end(&mut self.conn, ())));
        }
    }
}

/// Panics if something was written without an actor; for `assert_no_unattributed!`.
#[doc(hidden)]
#[track_caller]
pub fn require_actors<T>(recorded: &Recorded<T>) {
    let nobody = recorded.unattributed();
    if !nobody.is_empty() {
        let count = nobody.len();
        let lines: String = nobody
            .iter()
            .map(|change| format!("\n  {}", super::got::Got::Change(change).title()))
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
