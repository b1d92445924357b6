//! A bank under load by pgbench: the audit alone tells what was there, to the
//! last cent, also after the server or its clients were killed.
//! THREADLINE_BANK_TRANSACTIONS and THREADLINE_KILLS say how much of it.

#[path = "crash/bank.rs"]
mod bank;
#[path = "crash/kills.rs"]
mod kills;
#[path = "crash/load.rs"]
mod load;
#[path = "crash/reconstruction.rs"]
mod reconstruction;

/// A number that whoever runs the tests may choose.
fn chosen(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(number) => number
            .parse()
            .unwrap_or_else(|e| panic!("{variable}={number}: {e}")),
        Err(_) => default,
    }
}
