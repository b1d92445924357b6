use std::thread::sleep;
use std::time::Duration;

use threadline_tests::Database;

use crate::bank::Bank;
use crate::chosen;
use crate::load::{CLIENTS, Load};

/// More than there is time for.
const ENDLESS: u64 = 100_000_000;

fn rounds() -> u64 {
    chosen("THREADLINE_KILLS", 3)
}

/// Starts the load, and leaves it when the bank has done some more
/// transactions; another number each round.
fn loaded(bank: &mut Bank, round: u64) -> Load {
    let enough = bank.transactions() + 1 + round * 397 % 1500;
    let mut load = Load::start(&bank.database, ENDLESS);
    while bank.transactions() < enough {
        if !load.is_running() {
            panic!("ended after {} transactions", load.acknowledged());
        }
        sleep(Duration::from_millis(10));
    }
    load
}

#[test]
fn a_killed_server_comes_back_with_an_audit_of_all_that_it_acknowledged() {
    let mut bank = Bank::open(Database::durable(), 1);
    for round in 0..rounds() {
        let before = bank.transactions();
        let load = loaded(&mut bank, round);
        bank.crash();
        let acknowledged = load.acknowledged();
        let committed = bank.transactions() - before;
        // Each client was waiting for one answer at most.
        assert!(
            (acknowledged..=acknowledged + CLIENTS).contains(&committed),
            "round {round}: {acknowledged} acknowledged, {committed} committed"
        );
        bank.check();
        println!("round {round}: {acknowledged} acknowledged, {committed} committed");
    }
}

#[test]
fn killed_clients_leave_an_audit_of_what_they_committed() {
    let mut bank = Bank::open(Database::durable(), 1);
    for round in 0..rounds() {
        loaded(&mut bank, round).kill();
        while bank.is_busy() {
            sleep(Duration::from_millis(10));
        }
        bank.check();
        println!("round {round}: {} committed by now", bank.transactions());
    }
}
