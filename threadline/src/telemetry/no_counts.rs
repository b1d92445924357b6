//! Without the feature `metrics`.

use std::time::Duration;

use super::Verified;

pub(super) fn transaction(_: bool, _: Duration) {}

pub(super) fn posted(_: u64, _: Duration) {}

pub(super) fn purged(_: u64) {}

pub(super) fn erased() {}

pub(super) fn verified(_: &Verified<'_>, _: Duration) {}

pub(super) fn failed(_: &'static str) {}

pub(super) fn action(_: bool) {}

pub(super) fn context_missing() {}
