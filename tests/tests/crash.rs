//! A bank under load by pgbench, with posters and a follower at work: the audit gives the
//! exact balances, and the follower has each change once and in order, also after the
//! server, its clients or a poster were killed. THREADLINE_BANK_TRANSACTIONS and
//! THREADLINE_KILLS set the amount of work.

#[path = "crash/bank.rs"]
mod bank;
#[path = "crash/follower.rs"]
mod follower;
#[path = "crash/kills.rs"]
mod kills;
#[path = "crash/load.rs"]
mod load;
#[path = "crash/positions.rs"]
mod positions;
#[path = "crash/poster.rs"]
mod poster;
#[path = "crash/reconstruction.rs"]
mod reconstruction;

/// Reads a number from an environment variable.
fn chosen(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(number) => number
            .parse()
            .unwrap_or_else(|e| panic!("{variable}={number}: {e}")),
        Err(_) => default,
    }
}
