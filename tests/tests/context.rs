//! Actors: contexts, futures, and transactions on connections of all kinds.

#[path = "context/connection/mod.rs"]
mod connection;
#[path = "context/futures.rs"]
mod futures;
#[path = "context/interleaving.rs"]
mod interleaving;
#[path = "context/pooler.rs"]
mod pooler;
#[path = "context/scopes.rs"]
mod scopes;
#[path = "context/setting.rs"]
mod setting;
#[path = "context/stress.rs"]
mod stress;
#[path = "context/transactions.rs"]
mod transactions;
#[path = "context/values.rs"]
mod values;

use diesel::prelude::*;
use threadline_tests::notes::{NOTES, assert_recorded, insert, recorded, user};

fn transactions(conn: &mut PgConnection) -> i64 {
    threadline_tests::value(conn, "SELECT count(*) FROM threadline.audit_transactions")
        .unwrap()
        .parse()
        .unwrap()
}
