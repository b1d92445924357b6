//! From the journal into the ledger: the same query results before and after, and
//! failures on the way.

#[path = "posting/batches.rs"]
mod batches;
#[path = "posting/failures.rs"]
mod failures;
#[path = "posting/generated.rs"]
mod generated;
#[path = "posting/journal.rs"]
mod journal;
#[path = "posting/locks.rs"]
mod locks;
#[path = "posting/moving.rs"]
mod moving;
#[path = "posting/work.rs"]
mod work;
