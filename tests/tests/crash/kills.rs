use std::thread::sleep;
use std::time::Duration;

use threadline_tests::{Database, assert_value, value, wait_until};

use crate::bank::Bank;
use crate::chosen;
use crate::load::{CLIENTS, Load};
use crate::poster::Poster;

/// More than there is time for.
const ENDLESS: u64 = 100_000_000;

fn rounds() -> u64 {
    chosen("THREADLINE_KILLS", 3)
}

/// Starts the load, and returns when the bank has done some more transactions, another
/// number each round, and some of their changes are posted.
fn loaded(bank: &mut Bank, round: u64) -> Load {
    let enough = bank.transactions() + 1 + round * 397 % 1500;
    let followed = bank.follower.reached();
    let mut load = Load::start(&bank.database, ENDLESS);
    while bank.transactions() < enough || bank.follower.reached() == followed {
        if !load.is_running() {
            panic!("ended after {} transactions", load.acknowledged());
        }
        sleep(Duration::from_millis(10));
    }
    load
}

/// Kills the load, and waits until the server has rolled it back.
fn stop(bank: &mut Bank, load: Load) {
    load.kill();
    wait_until("the server is idle", || !bank.is_busy("pgbench"));
}

#[test]
fn a_killed_server_comes_back_with_an_audit_of_all_that_it_acknowledged() {
    let mut bank = Bank::open(Database::durable(), 1);
    for round in 0..rounds() {
        let before = bank.transactions();
        let posters = Poster::start_all(&bank.database);
        let load = loaded(&mut bank, round);
        wait_until("somebody posts", || bank.posting("poster").is_some());
        bank.crash();
        drop(posters);
        let acknowledged = load.acknowledged();
        let committed = bank.transactions() - before;
        // Each client was waiting for one response at most.
        assert!(
            (acknowledged..=acknowledged + CLIENTS).contains(&committed),
            "round {round}: {acknowledged} acknowledged, {committed} committed"
        );
        let followed = bank.follower.reached();
        bank.check();
        println!(
            "round {round}: {acknowledged} acknowledged, {committed} committed, followed to position {followed} before the end"
        );
    }
}

#[test]
fn killed_clients_leave_an_audit_of_what_they_committed() {
    let mut bank = Bank::open(Database::durable(), 1);
    let mut posters = Poster::start_all(&bank.database);
    for round in 0..rounds() {
        let load = loaded(&mut bank, round);
        stop(&mut bank, load);
        bank.check();
        println!("round {round}: {} committed by now", bank.transactions());
    }
    assert!(posters.iter_mut().all(Poster::is_running));
}

#[test]
fn a_killed_poster_has_moved_all_of_a_batch_or_nothing_and_another_goes_on() {
    let mut bank = Bank::open(Database::durable(), 1);
    let mut posters = Poster::start_all(&bank.database);
    let mut interrupted = 0;
    for round in 0..rounds() {
        let load = loaded(&mut bank, round);
        let number = round as usize % posters.len();
        let fate = kill(&mut bank, &mut posters[number], round % 3 == 0);
        let followed = bank.follower.reached();
        wait_until("another poster goes on", || {
            bank.follower.reached() > followed
        });
        stop(&mut bank, load);
        bank.check();
        println!("round {round}: poster {number} was killed, its batch is {fate}");
        interrupted += u64::from(fate == "aborted");
        posters[number] = Poster::start(&bank.database, number);
    }
    assert!(posters.iter_mut().all(Poster::is_running));
    assert!(interrupted > 0 || rounds() == 0, "no batch was interrupted");
}

/// Ends a poster while it posts, from within the server or from outside; returns the
/// outcome of its transaction.
fn kill(bank: &mut Bank, poster: &mut Poster, within: bool) -> String {
    let mut transaction = None;
    wait_until("the poster posts", || {
        transaction = bank.posting(&poster.name);
        transaction.is_some()
    });
    if within {
        let terminate = format!(
            "SELECT bool_and(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = '{}'",
            poster.name
        );
        assert_value(bank.conn(), &terminate, "true");
        wait_until("psql ends", || !poster.is_running());
    } else {
        poster.psql.kill();
    }
    wait_until("the session ends", || !bank.is_busy(&poster.name));
    let fate = format!(
        "SELECT pg_xact_status('{}')",
        transaction.expect("it posted")
    );
    value(bank.conn(), &fate).expect("a recent transaction")
}
