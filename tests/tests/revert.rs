//! Reverts: the exact former state, or no change and the reasons.

#[path = "revert/common.rs"]
mod common;
#[path = "revert/concurrency.rs"]
mod concurrency;
#[path = "revert/conflicts.rs"]
mod conflicts;
#[path = "revert/keys.rs"]
mod keys;
#[path = "revert/record.rs"]
mod record;
#[path = "revert/redaction.rs"]
mod redaction;
#[path = "revert/roles.rs"]
mod roles;
#[path = "revert/structure.rs"]
mod structure;
#[path = "revert/transactions.rs"]
mod transactions;
#[path = "revert/triggers.rs"]
mod triggers;
#[path = "revert/values.rs"]
mod values;
