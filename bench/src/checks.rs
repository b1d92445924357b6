//! Checks of the audit itself: of the structure of many tables, and of the chains of changes.

use std::time::Instant;

use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use threadline::Models;

use crate::goals::{Bound, Goals};
use crate::numbers::thousands;
use crate::samples::warm_median;
use crate::sql::number;

const TABLES: usize = 200;

/// The number of health checks; the median counts.
const CHECKS: usize = 15;

/// Audits many tables, and checks whether recording works for all of them.
pub(crate) fn structure(conn: &mut PgConnection, goals: &mut Goals) {
    let models = Models::new(vec![]);
    models.install(conn).expect("the schema installs");
    for table in 1..=TABLES {
        conn.batch_execute(&format!(
            "CREATE TABLE checked_{table} (
                 id bigint PRIMARY KEY, name text, status text, amount numeric(12,2), quantity int,
                 note text, updated_at timestamptz, version int);
             SELECT threadline.audit('checked_{table}')"
        ))
        .expect("a table is audited");
    }
    let median = warm_median(CHECKS, || {
        let health = models.health(conn).expect("an answer");
        assert!(health.healthy, "{:?}", health.findings);
    });
    println!("\nhealth of {TABLES} tables: {median:.1} ms");
    goals.add(
        "health check of 200 tables",
        "at most 50 ms",
        Bound::AtMost(50.0),
        median,
    );
    for table in 1..=TABLES {
        conn.batch_execute(&format!(
            "SELECT threadline.unaudit('checked_{table}'); DROP TABLE checked_{table}"
        ))
        .expect("a table is removed");
    }
}

/// Compares the changes of each record of the four tables of `load_kept.sql`, and the last one
/// with the live row.
pub(crate) fn chains(conn: &mut PgConnection, goals: &mut Goals) {
    let changes = number(
        conn,
        "SELECT count(*) FROM threadline.ledger_changes AS c
         JOIN threadline.audited_tables AS t ON t.id = c.table_id WHERE t.table_name LIKE 'kept%'",
    );
    let start = Instant::now();
    for table in 1..=4 {
        let found = number(
            conn,
            &format!("SELECT count(*) FROM threadline.chain_drift('kept_{table}')"),
        );
        assert_eq!(found, 0, "kept_{table} has records that do not agree");
    }
    let rate = changes as f64 / start.elapsed().as_secs_f64();
    println!(
        "{} changes verified, {} a second",
        thousands(changes as usize),
        thousands(rate as usize)
    );
    goals.add(
        "chains of changes, verified",
        "at least 500,000 changes a second",
        Bound::AtLeast(500_000.0),
        rate,
    );
}
