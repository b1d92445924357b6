//! Names of the figures measured along with a workload.

pub(super) fn wal(workload: &str) -> String {
    format!("WAL of {workload}")
}

/// Returns the name for posting a workload's journal entries.
pub(super) fn posting(workload: &str) -> String {
    format!("posting of {workload}")
}

pub(super) fn stored(workload: &str) -> String {
    format!("stored by {workload}")
}
