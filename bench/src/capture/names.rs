//! Names of what is measured along with a workload.

pub(super) fn wal(workload: &str) -> String {
    format!("WAL of {workload}")
}

/// Posting of what the workload left in the journal.
pub(super) fn posting(workload: &str) -> String {
    format!("posting of {workload}")
}

pub(super) fn stored(workload: &str) -> String {
    format!("stored by {workload}")
}
