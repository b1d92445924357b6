//! Reports the library's own work to `tracing` and `metrics`, under the names in the guide
//! on monitoring. Without these features, nothing is reported.
//!
//! Actors, ids and values are never reported: telemetry is stored elsewhere, under other
//! rules, and has other readers than the audit.

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

/// An audited transaction, from its beginning to its end.
#[derive(Debug, Clone)]
#[must_use = "report its end with `ended`"]
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

    /// Runs `work` in the span of the transaction.
    pub(crate) fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        self.span.run(work)
    }

    /// Polls `work` in the span of the transaction.
    #[cfg(feature = "diesel-async")]
    pub(crate) async fn poll<F: Future>(&self, work: F) -> F::Output {
        let mut work = std::pin::pin!(work);
        std::future::poll_fn(|context| self.run(|| work.as_mut().poll(context))).await
    }

    /// Reports how it ended. Of an error, only the type is reported, because its message
    /// can contain values.
    pub(crate) fn ended<T, E>(self, result: &Result<T, E>) {
        if result.is_err() {
            self.span.failed(std::any::type_name::<E>());
        }
        counts::transaction(result.is_ok(), self.started.elapsed());
    }

    /// Reports a rollback whose reason only the calling code knows.
    #[cfg(feature = "audited-connection")]
    pub(crate) fn was_rolled_back(self) {
        self.span.failed("rolled back");
        counts::transaction(false, self.started.elapsed());
    }

    /// Reports that it did not begin, or that its work was dropped or panicked.
    pub(crate) fn was_left(self) {
        self.span.failed("unfinished");
        counts::transaction(false, self.started.elapsed());
    }
}

/// Measures how long a piece of work takes, and reports its result.
#[derive(Debug, Clone, Copy)]
#[must_use = "report its result"]
pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Reports that entries were moved from the journal into the ledger. A run without
    /// entries is not reported.
    pub(crate) fn posted(self, result: Result<u64, Error>) -> Result<u64, Error> {
        reported("posting", result, |entries| {
            if *entries > 0 {
                events::posted(*entries, self.0.elapsed());
                counts::posted(*entries, self.0.elapsed());
            }
        })
    }

    /// Reports that data beyond its retention was removed.
    pub(crate) fn purged(self, result: Result<u64, Error>) -> Result<u64, Error> {
        reported("purge", result, |removed| {
            events::purged(*removed, self.0.elapsed());
            counts::purged(*removed);
        })
    }

    /// Reports that personal values were erased.
    pub(crate) fn erased<T>(self, result: Result<T, Error>) -> Result<T, Error> {
        reported("erasure", result, |_| {
            events::erased(self.0.elapsed());
            counts::erased();
        })
    }

    /// Reports that the audit was verified, completely or in part.
    pub(crate) fn verified<V>(
        self,
        result: Result<V, Error>,
        report: impl FnOnce(&V) -> Verified<'_>,
    ) -> Result<V, Error> {
        reported("verification", result, |verification| {
            let verified = report(verification);
            events::verified(&verified, self.0.elapsed());
            counts::verified(&verified, self.0.elapsed());
        })
    }
}

/// The reported values of a verification.
#[derive(Debug)]
#[cfg_attr(not(feature = "tracing"), allow(dead_code))]
pub(crate) struct Verified<'a> {
    pub(crate) is_stopped: bool,
    pub(crate) findings: Vec<Found<'a>>,
}

/// The reported values of a finding.
#[derive(Debug)]
#[cfg_attr(not(feature = "tracing"), allow(dead_code))]
pub(crate) struct Found<'a> {
    pub(crate) code: &'a str,
    pub(crate) level: Level,
    pub(crate) records: i64,
}

/// The severity of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    Error,
    Warning,
    Info,
}

fn reported<T>(
    work: &'static str,
    result: Result<T, Error>,
    report: impl FnOnce(&T),
) -> Result<T, Error> {
    match &result {
        Ok(value) => report(value),
        Err(error) => {
            events::failed(work, &kind_of(error));
            counts::failed(work);
        }
    }
    result
}

/// Reports that an action was recorded.
pub(crate) fn action_recorded(action: &AuditAction) {
    counts::action(action.status == ActionStatus::Ok);
}

/// Reports that `audited` was called without a current context.
pub(crate) fn context_missing() {
    events::context_missing();
    counts::context_missing();
}
