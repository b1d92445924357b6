//! What is said of the library's own work to `tracing` and `metrics`, under the names in the
//! guide on monitoring. Without these features nothing is said.
//!
//! No actor, no id and no value is ever among it: telemetry is kept elsewhere, under other
//! rules, and read by others than the audit.

#[cfg(feature = "metrics")]
mod counts;
#[cfg(not(feature = "metrics"))]
#[path = "no_counts.rs"]
mod counts;
#[cfg(feature = "tracing")]
mod events;
#[cfg(not(feature = "tracing"))]
#[path = "no_events.rs"]
mod events;

use std::time::Instant;

use crate::action::{ActionStatus, AuditAction};
use crate::error::{Error, kind_of};

/// An audited transaction, from its begin to its end.
#[derive(Debug, Clone)]
#[must_use = "its end is said with `ended`"]
pub(crate) struct Transaction {
    started: Instant,
    span: events::Span,
}

impl Transaction {
    pub(crate) fn begin() -> Self {
        Self {
            started: Instant::now(),
            span: events::Span::of_transaction(),
        }
    }

    /// Runs `work` in the transaction's span.
    pub(crate) fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.run(work)
    }

    /// Polls `work` in the transaction's span.
    #[cfg(feature = "diesel-async")]
    pub(crate) async fn poll<F: Future>(&self, work: F) -> F::Output {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|context| self.run(|| work.as_mut().poll(context))).await
    }

    /// Says how it ended. Of an error only the type: what it says can hold values.
    pub(crate) fn ended<T, E>(self, result: &Result<T, E>) {
        if result.is_err() {
            self.span.failed(std::any::type_name::<E>());
        }
        counts::transaction(result.is_ok(), self.started.elapsed());
    }

    /// It was rolled back, for a reason that only its code knows.
    #[cfg(feature = "audited-connection")]
    pub(crate) fn was_rolled_back(self) {
        self.span.failed("rolled back");
        counts::transaction(false, self.started.elapsed());
    }

    /// It did not begin, or its work was dropped or panicked in the middle.
    pub(crate) fn was_left(self) {
        self.span.failed("unfinished");
        counts::transaction(false, self.started.elapsed());
    }
}

/// How long a piece of work takes, and what came of it.
#[derive(Debug, Clone, Copy)]
#[must_use = "what came of it is said with the result"]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Entries were moved from the journal into the ledger. A turn that found none is not
    /// worth telling.
    pub(crate) fn posted(self, result: Result<u64, Error>) -> Result<u64, Error> {
        told("posting", result, |entries| {
            if *entries > 0 {
                events::posted(*entries, self.0.elapsed());
                counts::posted(*entries, self.0.elapsed());
            }
        })
    }

    /// What is older than it is kept was removed.
    pub(crate) fn purged(self, result: Result<u64, Error>) -> Result<u64, Error> {
        told("purge", result, |removed| {
            events::purged(*removed, self.0.elapsed());
            counts::purged(*removed);
        })
    }

    /// What names a person was erased.
    pub(crate) fn erased<T>(self, result: Result<T, Error>) -> Result<T, Error> {
        told("erasure", result, |_| {
            events::erased(self.0.elapsed());
            counts::erased();
        })
    }

    /// The audit was verified, or a part of it.
    pub(crate) fn verified<V>(
        self,
        result: Result<V, Error>,
        tell: impl FnOnce(&V) -> Verified<'_>,
    ) -> Result<V, Error> {
        told("verification", result, |verification| {
            let verified = tell(verification);
            events::verified(&verified, self.0.elapsed());
            counts::verified(&verified, self.0.elapsed());
        })
    }
}

/// What is told of a verification.
#[derive(Debug)]
#[cfg_attr(not(feature = "tracing"), allow(dead_code))]
pub(crate) struct Verified<'a> {
    pub(crate) is_stopped: bool,
    pub(crate) findings: Vec<Found<'a>>,
}

/// What is told of a finding.
#[derive(Debug)]
#[cfg_attr(not(feature = "tracing"), allow(dead_code))]
pub(crate) struct Found<'a> {
    pub(crate) code: &'a str,
    pub(crate) level: Level,
    pub(crate) records: i64,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Error,
    Warning,
    Info,
}

fn told<T>(
    work: &'static str,
    result: Result<T, Error>,
    tell: impl FnOnce(&T),
) -> Result<T, Error> {
    match &result {
        Ok(value) => tell(value),
        Err(error) => {
            events::failed(work, &kind_of(error));
            counts::failed(work);
        }
    }
    result
}

/// An action was recorded.
pub(crate) fn action_recorded(action: &AuditAction) {
    counts::action(action.status == ActionStatus::Ok);
}

/// `audited` was called where no context is current.
pub(crate) fn context_missing() {
    events::context_missing();
    counts::context_missing();
}
