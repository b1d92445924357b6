//! From the journal into the ledger: what is asked before and after, and what goes
//! wrong on the way.

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
