//! Isolation levels above READ COMMITTED.

use diesel::prelude::*;
use threadline_tests::{Database, assert_rows, assert_value, run};

/// Unrelated transactions share nothing but the audit tables; looking for their own
/// AuditTransaction must not make them conflict.
#[test]
fn unrelated_serializable_transactions_do_not_conflict() {
    let (database, setup) = &mut Database::with(
        "CREATE TABLE t1 (id int PRIMARY KEY); CREATE TABLE t2 (id int PRIMARY KEY); CREATE TABLE t3 (id int PRIMARY KEY)",
    );
    run(
        setup,
        "SELECT threadline.audit('t1'), threadline.audit('t2'), threadline.audit('t3')",
    );
    let mut conns: Vec<PgConnection> = (0..3).map(|_| database.connect()).collect();
    for round in 0..5 {
        for conn in &mut conns {
            run(conn, "BEGIN ISOLATION LEVEL SERIALIZABLE");
        }
        for write in 0..3 {
            for (number, conn) in conns.iter_mut().enumerate() {
                run(
                    conn,
                    &format!(
                        "INSERT INTO t{} VALUES ({round} * 10 + {write})",
                        number + 1
                    ),
                );
            }
        }
        for conn in conns.iter_mut().rev() {
            run(conn, "COMMIT");
        }
    }
    assert_value(setup, "SELECT count(*) FROM threadline.audit_changes", "45");
    assert_value(
        setup,
        "SELECT count(*) FROM threadline.audit_transactions",
        "15",
    );
}

#[test]
fn a_truncate_that_cannot_see_all_rows_says_so() {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY); SELECT threadline.audit('items'); INSERT INTO items VALUES (1)",
    );
    run(conn, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    run(conn, "SELECT 1");
    run(&mut database.connect(), "INSERT INTO items VALUES (2)");
    run(conn, "TRUNCATE items");
    run(conn, "COMMIT");
    assert_rows(
        conn,
        "SELECT record_key, row_data FROM threadline.audit_changes WHERE op = 'T' ORDER BY id",
        [r#"1 | {"id": 1}"#, "NULL | NULL"],
    );
}
