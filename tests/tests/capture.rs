//! The triggers record every change, and never record certain values.

#[path = "capture/chosen.rs"]
mod chosen;
#[path = "capture/closed.rs"]
mod closed;
#[path = "capture/complete.rs"]
mod complete;
#[path = "capture/fidelity.rs"]
mod fidelity;
#[path = "capture/hashes.rs"]
mod hashes;
#[path = "capture/long_values.rs"]
mod long_values;
#[path = "capture/order.rs"]
mod order;
#[path = "capture/privileges.rs"]
mod privileges;
#[path = "capture/redaction.rs"]
mod redaction;
#[path = "capture/replaced.rs"]
mod replaced;
#[path = "capture/replication.rs"]
mod replication;
#[path = "capture/secret_keys.rs"]
mod secret_keys;
#[path = "capture/serializable.rs"]
mod serializable;
#[path = "capture/transactions.rs"]
mod transactions;
#[path = "capture/writes.rs"]
mod writes;
