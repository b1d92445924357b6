//! Without the feature `tracing`.

use std::time::Duration;

use super::Verified;

#[derive(Debug, Clone)]
pub(super) struct Span;

impl Span {
    pub(super) fn of_transaction() -> Self {
        Self
    }

    pub(super) fn run<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }

    pub(super) fn failed(&self, _: &str) {}
}

pub(super) fn posted(_: u64, _: Duration) {}

pub(super) fn purged(_: u64, _: Duration) {}

pub(super) fn erased(_: Duration) {}

pub(super) fn verified(_: &Verified<'_>, _: Duration) {}

pub(super) fn failed(_: &str, _: &str) {}

pub(super) fn context_missing() {}
