use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel::result::Error;
use threadline::AutocommitInContext;
use threadline_tests::{Database, assert_rows, in_threads, run, value};

use super::super::{NOTES, assert_recorded, user};
use super::{Audited, write};

const THREADS: i32 = 8;
const TURNS: i32 = 100;

fn pool(database: &Database, size: u32) -> Pool<ConnectionManager<Audited>> {
    Pool::builder()
        .max_size(size)
        .connection_customizer(Box::new(AutocommitInContext))
        .build(ConnectionManager::new(database.url()))
        .unwrap()
}

/// The key of each row shows which actor must have written it: the last digit tells how.
#[test]
fn no_actor_is_lost_or_leaks_between_users_of_a_pool() {
    let database = Database::new();
    run(&mut database.connect(), NOTES);
    let pool = pool(&database, 2);
    in_threads(THREADS, TURNS, |number| take_turn(&pool, number));
    let conn = &mut database.connect();
    let wrong = "SELECT key, actor_id FROM threadline.changes
        WHERE actor_id IS DISTINCT FROM CASE WHEN (key ->> 'id')::int % 10 < 5 THEN ((key ->> 'id')::int / 10)::text END";
    assert_rows(conn, wrong, []);
    let written = value(conn, "SELECT count(*) FROM notes").unwrap();
    let recorded = value(conn, "SELECT count(*) FROM threadline.changes").unwrap();
    assert_eq!(written, recorded);
    // In each turn, two of three transactions, a statement and a write without an actor.
    let turns = THREADS * TURNS;
    let kept = (0..turns).filter(|number| number % 3 != 0).count() as i32;
    assert_eq!(written, (2 * kept + 2 * turns).to_string());
}

fn take_turn(pool: &Pool<ConnectionManager<Audited>>, number: i32) {
    user(number).scope(|| {
        let conn = &mut pool.get().unwrap();
        let result = conn.transaction::<_, Error, _>(|conn| {
            write(conn, number * 10)?;
            conn.transaction(|conn| write(conn, number * 10 + 1))?;
            match number % 3 {
                0 => Err(Error::RollbackTransaction),
                _ => Ok(()),
            }
        });
        assert_eq!(result.is_err(), number % 3 == 0);
        write(conn, number * 10 + 2).unwrap();
    });
    // The next user of a connection has no actor.
    write(&mut pool.get().unwrap(), number * 10 + 9).unwrap();
}

#[test]
fn a_connection_whose_user_panicked_is_not_used_again() {
    let database = Database::new();
    run(&mut database.connect(), NOTES);
    let pool = pool(&database, 1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let conn = &mut pool.get().unwrap();
        user(1).scope(|| {
            conn.transaction::<(), Error, _>(|conn| {
                write(conn, 1)?;
                panic!("on purpose")
            })
        })
    }));
    assert!(panicked.is_err());
    let conn = &mut pool.get().unwrap();
    write(conn, 2).unwrap();
    conn.transaction(|conn| write(conn, 3)).unwrap();
    assert_recorded(&mut database.connect(), ["2 | - | none", "3 | - | none"]);
}

#[test]
fn a_connection_that_comes_back_in_a_transaction_is_not_used_again() {
    use diesel::connection::TransactionManager;

    let database = Database::new();
    run(&mut database.connect(), NOTES);
    let pool = pool(&database, 1);
    user(1).scope(|| {
        let conn = &mut pool.get().unwrap();
        threadline::AuditedTransactionManager::begin_transaction(&mut **conn).unwrap();
        write(conn, 1).unwrap();
    });
    write(&mut pool.get().unwrap(), 2).unwrap();
    assert_recorded(&mut database.connect(), ["2 | - | none"]);
}

/// Diesel knows nothing of it.
#[test]
fn a_connection_that_comes_back_in_a_transaction_begun_by_hand_is_not_used_again() {
    let database = Database::new();
    run(&mut database.connect(), NOTES);
    let pool = pool(&database, 1);
    let process = |pool: &Pool<ConnectionManager<Audited>>| {
        let query = diesel::dsl::sql::<diesel::sql_types::Integer>("pg_backend_pid()");
        diesel::select(query)
            .get_result::<i32>(&mut pool.get().unwrap())
            .unwrap()
    };
    for begin in ["BEGIN", "SELECT 1; BEGIN", "BEGIN; SELECT 1 / 0; COMMIT"] {
        user(1).scope(|| {
            let conn = &mut pool.get().unwrap();
            let begun = conn.batch_execute(begin);
            assert_eq!(begun.is_ok(), !begin.ends_with("COMMIT"));
            if begun.is_ok() {
                diesel::sql_query("INSERT INTO notes VALUES (1, 'a')")
                    .execute(conn.without_context())
                    .unwrap();
            }
        });
    }
    user(1).scope(|| {
        let conn = &mut pool.get().unwrap();
        for sql in ["BEGIN", "INSERT INTO notes VALUES (1, 'a')"] {
            diesel::sql_query(sql).execute(conn).unwrap();
        }
    });
    write(&mut pool.get().unwrap(), 2).unwrap();
    let before = process(&pool);
    user(3).scope(|| {
        let conn = &mut pool.get().unwrap();
        conn.batch_execute("BEGIN; INSERT INTO notes VALUES (3, 'a'); COMMIT")
            .unwrap();
        conn.batch_execute("BEGIN").unwrap();
        conn.batch_execute("ROLLBACK").unwrap();
    });
    write(&mut pool.get().unwrap(), 4).unwrap();
    assert_eq!(before, process(&pool));
    assert_recorded(
        &mut database.connect(),
        ["2 | - | none", "3 | user:3 | thread-local", "4 | - | none"],
    );
}
