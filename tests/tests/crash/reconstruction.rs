use diesel::prelude::*;
use threadline::Worker;
use threadline_tests::Database;

use crate::bank::Bank;
use crate::chosen;
use crate::load::Load;

#[test]
fn the_bank_is_rebuilt_from_the_audit_alone_forward_and_backward() {
    let transactions = chosen("THREADLINE_BANK_TRANSACTIONS", 20_000);
    let mut bank = Bank::open(Database::alone(), 2);
    let url = bank.database.url();
    let worker = Worker::new().spawn(move || PgConnection::establish(&url));
    let acknowledged = Load::start(&bank.database, transactions).acknowledged();
    assert_eq!(acknowledged, transactions.next_multiple_of(8));
    assert_eq!(bank.transactions(), acknowledged);
    bank.check();
    worker.expect("a thread").stop();
}
