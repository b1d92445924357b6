use std::collections::BTreeMap;

use diesel::prelude::*;
use diesel::result::Error;
use threadline::AuditExt;
use threadline_tests::{Database, in_threads, rows, run, value};

use super::{NOTES, insert, user};

const THREADS: i32 = 8;
const TRANSACTIONS: i32 = 500;

/// Many threads share few connections. Each transaction has an actor of its own, a third
/// are rolled back, and all have savepoints. Afterwards the key of every row shows which
/// actor must have written it.
#[test]
fn no_actor_leaks_between_users_of_a_pool() {
    let database = Database::new();
    let pool = database.pool(4);
    run(&mut pool.get().unwrap(), NOTES);

    in_threads(THREADS, TRANSACTIONS, |number| {
        let conn = &mut pool.get().unwrap();
        let work = |conn: &mut _| transaction_of(conn, number);
        let result = match number % 2 {
            0 => conn.audited_transaction(&user(number), work),
            _ => user(number).scope(|| conn.audited(work)),
        };
        assert_eq!(result.is_err(), number % 3 == 0);
        // The next user of the connection has no actor.
        if number % 50 == 1 {
            insert(&mut **conn, number * 10 + 9).unwrap();
        }
    });

    let conn = &mut pool.get().unwrap();
    let expected: BTreeMap<String, Option<String>> = rows(conn, "SELECT id FROM notes")
        .into_iter()
        .map(|id| {
            let key: i32 = id.parse().unwrap();
            let actor = (key % 10 != 9).then(|| (key / 10).to_string());
            (id, actor)
        })
        .collect();
    let kept = (THREADS * TRANSACTIONS) as usize - expected_rollbacks();
    let nobody = (0..THREADS * TRANSACTIONS).filter(|n| n % 50 == 1).count();
    assert_eq!(expected.len(), kept * 2 + nobody);

    let recorded: Vec<_> = rows(
        conn,
        "SELECT key ->> 'id', coalesce(actor_id, '-') FROM threadline.changes",
    );
    assert_eq!(
        recorded.len(),
        expected.len(),
        "a change was lost or invented"
    );
    for line in recorded {
        let (key, actor) = line.split_once(" | ").unwrap();
        let expected = expected[key].as_deref().unwrap_or("-");
        assert_eq!(actor, expected, "the change of {key}");
    }
    assert_eq!(
        value(conn, "SELECT count(*) FROM threadline.audit_transactions"),
        Some((kept + nobody).to_string())
    );
}

fn expected_rollbacks() -> usize {
    (0..THREADS * TRANSACTIONS).filter(|n| n % 3 == 0).count()
}

/// Writes two rows that stay and one in a savepoint that does not.
fn transaction_of<C: threadline::BlockingConnection>(conn: &mut C, number: i32) -> QueryResult<()> {
    insert(conn, number * 10)?;
    let _: QueryResult<()> = conn.transaction(|conn| {
        insert(conn, number * 10 + 5)?;
        Err(Error::RollbackTransaction)
    });
    conn.transaction(|conn| insert(conn, number * 10 + 1))?;
    if number % 3 == 0 {
        return Err(Error::RollbackTransaction);
    }
    Ok(())
}
