use std::time::Duration;

use metrics::{counter, histogram};

use super::{Level, Verified};

pub(super) fn transaction(is_committed: bool, took: Duration) {
    let outcome = if is_committed { "committed" } else { "failed" };
    counter!("threadline_audited_transactions_total", "outcome" => outcome).increment(1);
    histogram!("threadline_audited_transaction_duration_seconds", "outcome" => outcome)
        .record(took);
}

pub(super) fn posted(entries: u64, took: Duration) {
    counter!("threadline_posted_entries_total").increment(entries);
    histogram!("threadline_posting_duration_seconds").record(took);
}

pub(super) fn purged(removed: u64) {
    counter!("threadline_purged_total").increment(removed);
}

pub(super) fn erased() {
    counter!("threadline_erasures_total").increment(1);
}

pub(super) fn verified(verified: &Verified<'_>, took: Duration) {
    histogram!("threadline_verification_duration_seconds").record(took);
    for finding in &verified.findings {
        let severity = match finding.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Info => "info",
        };
        counter!("threadline_findings_total", "severity" => severity).increment(1);
    }
}

pub(super) fn failed(work: &'static str) {
    counter!("threadline_failures_total", "work" => work).increment(1);
}

pub(super) fn action(is_ok: bool) {
    let status = if is_ok { "ok" } else { "error" };
    counter!("threadline_actions_total", "status" => status).increment(1);
}

pub(super) fn context_missing() {
    counter!("threadline_contexts_missing_total").increment(1);
}
