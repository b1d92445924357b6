//! Without the feature `metrics`.

use std::time::Duration;

use crate::verify::Verification;

pub(super) fn transaction(_: bool, _: Duration) {}

pub(super) fn posted(_: u64, _: Duration) {}

pub(super) fn purged(_: u64) {}

pub(super) fn erased() {}

pub(super) fn verified(_: &Verification, _: Duration) {}

pub(super) fn failed(_: &'static str) {}

pub(super) fn action(_: bool) {}

pub(super) fn context_missing() {}
