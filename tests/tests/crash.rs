//! A bank under load by pgbench, with posters and a follower at work: the audit alone
//! tells what was there, to the last cent, and the follower has each change once and in
//! order, also after the server, its clients or a poster were killed.
//! THREADLINE_BANK_TRANSACTIONS and THREADLINE_KILLS say how much of it.

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

use std::thread::sleep;
use std::time::{Duration, Instant};

/// A number that whoever runs the tests may choose.
fn chosen(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(number) => number
            .parse()
            .unwrap_or_else(|e| panic!("{variable}={number}: {e}")),
        Err(_) => default,
    }
}

/// Waits for what comes by itself.
fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(600), "never: {what}");
        sleep(Duration::from_millis(1));
    }
}
