use std::time::Duration;

use tracing::field::Empty;

use super::{Level, Verified};

#[derive(Debug, Clone)]
pub(super) struct Span(tracing::Span);

impl Span {
    pub(super) fn of_transaction() -> Self {
        Self(tracing::info_span!(
            target: "threadline",
            "threadline.audited_transaction",
            otel.kind = "client",
            db.system.name = "postgresql",
            db.operation.name = "TRANSACTION",
            error.type = Empty,
        ))
    }

    pub(super) fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        self.0.in_scope(work)
    }

    pub(super) fn failed(&self, kind: &str) {
        self.0.record("error.type", kind);
    }
}

pub(super) fn posted(entries: u64, took: Duration) {
    tracing::debug!(
        name: "threadline.posted",
        target: "threadline",
        entries,
        duration_seconds = took.as_secs_f64(),
        "entries were posted"
    );
}

pub(super) fn purged(removed: u64, took: Duration) {
    tracing::info!(
        name: "threadline.purged",
        target: "threadline",
        removed,
        duration_seconds = took.as_secs_f64(),
        "changes and actions were purged"
    );
}

pub(super) fn erased(took: Duration) {
    tracing::info!(
        name: "threadline.erased",
        target: "threadline",
        duration_seconds = took.as_secs_f64(),
        "personal values were erased"
    );
}

/// The level of an event must be constant at its call site.
macro_rules! found {
    ($level:ident, $code:ident, $records:ident) => {
        tracing::event!(
            name: "threadline.finding",
            target: "threadline",
            tracing::Level::$level,
            $code,
            $records,
            "verification found something"
        )
    };
}

pub(super) fn verified(verified: &Verified<'_>, took: Duration) {
    let count = |level| {
        let findings = verified.findings.iter();
        findings.filter(|finding| finding.level == level).count()
    };
    tracing::info!(
        name: "threadline.verified",
        target: "threadline",
        errors = count(Level::Error),
        warnings = count(Level::Warning),
        is_stopped = verified.is_stopped,
        duration_seconds = took.as_secs_f64(),
        "the audit was verified"
    );
    for finding in &verified.findings {
        let code = finding.code;
        let records = finding.records;
        match finding.level {
            Level::Error => found!(ERROR, code, records),
            Level::Warning => found!(WARN, code, records),
            Level::Info => found!(INFO, code, records),
        }
    }
}

pub(super) fn failed(work: &str, kind: &str) {
    tracing::error!(
        name: "threadline.failed",
        target: "threadline",
        work,
        error.type = kind,
        "the audit's own work failed"
    );
}

pub(super) fn context_missing() {
    tracing::warn!(
        name: "threadline.context_missing",
        target: "threadline",
        "`audited` was called where no context is current"
    );
}
