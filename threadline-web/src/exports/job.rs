//! An export in the background.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;

use chrono::{DateTime, Utc};
use threadline::{ActorRef, ExportFormat, Scope};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::file::ExportFile;
use crate::access::Access;
use crate::failure::Failure;

/// An export in the background.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) id: String,
    /// The search.
    pub(crate) line: String,
    pub(crate) format: ExportFormat,
    pub(crate) begun_at: DateTime<Utc>,
    owner: ActorRef,
    scope: Option<Scope>,
    written: AtomicU64,
    bytes: AtomicU64,
    state: Mutex<State>,
    /// The database session, while a query of the export may run in it.
    session: Mutex<Option<i32>>,
    cancelled: Notify,
}

/// The state of an export.
#[derive(Debug, Clone)]
pub(crate) enum State {
    /// Other exports run.
    Waiting,
    /// The number of changes is counted.
    Counting,
    /// Changes are written; of a total, if it is known.
    Writing(Option<u64>),
    /// The file is complete.
    Done {
        file: Arc<ExportFile>,
        changes: u64,
        until: DateTime<Utc>,
    },
    Failed(Failure),
    Cancelled,
}

impl State {
    /// Returns whether the export waits or runs.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Waiting | Self::Counting | Self::Writing(_))
    }
}

impl Job {
    pub(super) fn new(
        id: String,
        access: &Access,
        line: String,
        format: ExportFormat,
        begun_at: DateTime<Utc>,
    ) -> Self {
        Self {
            id,
            line,
            format,
            begun_at,
            owner: access.actor().clone(),
            scope: access.scope().cloned(),
            written: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            state: Mutex::new(State::Waiting),
            session: Mutex::new(None),
            cancelled: Notify::new(),
        }
    }

    /// Returns whether the viewer began the export.
    pub(crate) fn is_of(&self, access: &Access) -> bool {
        self.owner == *access.actor()
    }

    /// Returns whether the access still covers what the export contains. A scope that differs
    /// in any way does not.
    pub(crate) fn is_within(&self, access: &Access) -> bool {
        access.scope().is_none() || access.scope() == self.scope.as_ref()
    }

    pub(crate) fn state(&self) -> State {
        locked(&self.state).clone()
    }

    /// Returns the numbers of changes and bytes written so far.
    pub(crate) fn written(&self) -> (u64, u64) {
        (
            self.written.load(Ordering::Relaxed),
            self.bytes.load(Ordering::Relaxed),
        )
    }

    pub(super) fn wrote(&self, changes: u64, bytes: u64) {
        self.written.store(changes, Ordering::Relaxed);
        self.bytes.store(bytes, Ordering::Relaxed);
    }

    /// Sets the state, unless the export has ended. Returns whether it was set.
    pub(super) fn becomes(&self, next: State) -> bool {
        let mut state = locked(&self.state);
        let open = state.is_open();
        if open {
            *state = next;
        }
        open
    }

    /// Waits until one of the permits is free. Returns `None` if the export is cancelled
    /// first.
    pub(super) async fn turn(&self, turns: Arc<Semaphore>) -> Option<OwnedSemaphorePermit> {
        let mut turn = pin!(turns.acquire_owned());
        let mut cancelled = pin!(self.cancelled.notified());
        poll_fn(|context| {
            if cancelled.as_mut().poll(context).is_ready() {
                return Poll::Ready(None);
            }
            turn.as_mut().poll(context).map(Result::ok)
        })
        .await
    }

    /// Marks the export as cancelled. Returns whether it was waiting or running.
    pub(crate) fn cancel(&self) -> bool {
        let open = self.becomes(State::Cancelled);
        self.cancelled.notify_one();
        open
    }

    /// Sets the database session in which queries of the export run from now on.
    pub(super) fn runs_in(&self, session: Option<i32>) {
        *locked(&self.session) = session;
    }

    /// Calls back with the database session. The export cannot leave it meanwhile, so no
    /// other query can run in it.
    pub(crate) fn in_session<T>(&self, work: impl FnOnce(i32) -> T) -> Option<T> {
        let session = locked(&self.session);
        session.map(work)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
