use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel::connection::{SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::result::Error;
use threadline::{AuditExt, AuditedTransactionManager, is_actor_required};
use threadline_tests::notes::Note;
use threadline_tests::{assert_contains, assert_rows, run, value};

use super::super::{assert_recorded, recorded, transactions, user};
use super::{Audited, connect, notes, write};

fn assert_at_rest(conn: &mut Audited) {
    let status = AuditedTransactionManager::transaction_manager_status_mut(conn);
    assert_eq!(status.transaction_depth(), Ok(None));
    run(conn.without_context(), "VACUUM notes");
    let left = "SELECT current_setting('threadline.context', true)";
    let left = value(conn.without_context(), left).unwrap_or_default();
    assert_eq!(left, "");
}

#[test]
fn a_transaction_of_code_that_knows_no_audit_carries_the_context() {
    let (_, conn) = &mut connect();
    write(conn, 1).unwrap();
    conn.transaction(|conn| write(conn, 2)).unwrap();
    user(7).scope(|| {
        conn.transaction(|conn| write(conn, 3)).unwrap();
        assert_at_rest(conn);
        // Outside of a transaction: only if configured.
        write(conn, 4).unwrap();
    });
    conn.transaction(|conn| write(conn, 5)).unwrap();
    user(8).scope(|| {
        AuditedTransactionManager::begin_transaction(conn).unwrap();
        write(conn, 6).unwrap();
        AuditedTransactionManager::commit_transaction(conn).unwrap();
    });
    assert_recorded(
        conn.without_context(),
        [
            "1 | - | none",
            "2 | - | none",
            "3 | user:7 | thread-local",
            "4 | - | none",
            "5 | - | none",
            "6 | user:8 | thread-local",
        ],
    );
    assert_at_rest(conn);
}

#[test]
fn savepoints_belong_to_the_context_of_their_transaction() {
    let (_, conn) = &mut connect();
    user(1).scope(|| {
        conn.transaction::<_, Error, _>(|conn| {
            write(conn, 1)?;
            let failed: QueryResult<()> = conn.transaction(|conn| {
                write(conn, 2)?;
                Err(Error::RollbackTransaction)
            });
            assert_eq!(failed, Err(Error::RollbackTransaction));
            conn.transaction(|conn| write(conn, 3))?;
            user(2).scope(|| {
                conn.transaction(|conn| write(conn, 4))?;
                conn.audited(|conn| write(conn, 5))
            })?;
            conn.audited_transaction(&user(3), |conn| write(conn, 6))?;
            write(conn, 7)
        })
        .unwrap();
    });
    assert_recorded(
        conn.without_context(),
        [
            "1 | user:1 | thread-local",
            "3 | user:1 | thread-local",
            "4 | user:1 | thread-local",
            "5 | user:2 | thread-local",
            "6 | user:3 | explicit",
            "7 | user:1 | thread-local",
        ],
    );
    assert_at_rest(conn);
}

#[test]
fn failures_and_panics_leave_no_context() {
    let (_, conn) = &mut connect();
    user(1).scope(|| {
        let failed: QueryResult<()> = conn.transaction(|conn| {
            write(conn, 1)?;
            Err(Error::RollbackTransaction)
        });
        assert_eq!(failed, Err(Error::RollbackTransaction));
        assert_at_rest(conn);

        // A statement fails, and its error is hidden.
        let _ = conn.transaction::<_, Error, _>(|conn| {
            write(conn, 2)?;
            let _ = write(conn, 2);
            Ok(())
        });
        assert_at_rest(conn);

        // It is ended bypassing Diesel.
        let _ = conn.transaction::<_, Error, _>(|conn| conn.batch_execute("ROLLBACK"));
        assert_at_rest(conn);

        let failed = catch_unwind(AssertUnwindSafe(|| {
            conn.transaction::<(), Error, _>(|conn| {
                write(conn, 3)?;
                panic!("on purpose")
            })
        }));
        assert!(failed.is_err());
        AuditedTransactionManager::rollback_transaction(conn).unwrap();
        assert_at_rest(conn);
    });
    write(conn, 4).unwrap();
    conn.transaction(|conn| write(conn, 5)).unwrap();
    assert_recorded(conn.without_context(), ["4 | - | none", "5 | - | none"]);
}

#[test]
fn a_begin_that_fails_half_way_is_rolled_back() {
    let (_, conn) = &mut connect();
    let role = "CREATE ROLE threadline_sets_nothing; GRANT ALL ON notes TO threadline_sets_nothing;
        REVOKE EXECUTE ON FUNCTION set_config FROM PUBLIC; SET SESSION AUTHORIZATION threadline_sets_nothing";
    run(conn.without_context(), role);
    conn.autocommit_in_context(true);
    let failed = user(1).scope(|| {
        [
            conn.transaction(|conn| write(conn, 1)),
            conn.audited_transaction(&user(2), |conn| write(conn, 1)),
            write(conn, 1),
        ]
    });
    for failed in failed {
        let error = failed.unwrap_err().to_string();
        assert_contains(&error, "permission denied for function set_config");
    }
    write(conn, 2).unwrap();
    let role = "RESET SESSION AUTHORIZATION; REVOKE ALL ON notes FROM threadline_sets_nothing;
        DROP ROLE threadline_sets_nothing";
    run(conn.without_context(), role);
    assert_recorded(conn.without_context(), ["2 | - | none"]);
    assert_at_rest(conn);
}

#[test]
fn a_transaction_begun_by_hand_carries_the_context() {
    let (_, conn) = &mut connect();
    let insert = |id| format!("INSERT INTO notes VALUES ({id}, 'text')");
    user(1).scope(|| {
        conn.batch_execute(&format!(
            "-- Moves; things.\nBEGIN ISOLATION LEVEL SERIALIZABLE -- a comment; of two parts\n; {}; COMMIT",
            insert(1)
        ))
        .unwrap();
        conn.batch_execute(&format!("-- Moves; things.\nBEGIN; {}; COMMIT", insert(2)))
            .unwrap();
        for sql in ["start transaction", &insert(3), "COMMIT"] {
            conn.batch_execute(sql).unwrap();
        }
        conn.batch_execute("BEGIN").unwrap();
        conn.batch_execute(&insert(3)).unwrap_err();
        conn.batch_execute("ROLLBACK").unwrap();
        conn.batch_execute(&insert(4)).unwrap();
        for sql in ["BEGIN READ WRITE", &insert(5), "SAVEPOINT a", "COMMIT"] {
            diesel::sql_query(sql).execute(conn).unwrap();
        }
        diesel::sql_query(insert(6)).execute(conn).unwrap();
    });
    assert_recorded(
        conn.without_context(),
        [
            "1 | user:1 | thread-local",
            "2 | user:1 | thread-local",
            "3 | user:1 | thread-local",
            "4 | - | none",
            "5 | user:1 | thread-local",
            "6 | - | none",
        ],
    );
    assert_at_rest(conn);
}

/// A transaction of a statement's own would end it.
#[test]
fn a_statement_in_autocommit_mode_leaves_a_transaction_begun_by_hand_open() {
    let (_, conn) = &mut connect();
    conn.autocommit_in_context(true);
    user(1).scope(|| {
        for begin in ["BEGIN", "SELECT 1; BEGIN"] {
            conn.batch_execute(begin).unwrap();
            write(conn, 1).unwrap();
            conn.batch_execute("INSERT INTO notes VALUES (2, 'a')")
                .unwrap();
            conn.batch_execute("ROLLBACK").unwrap();
        }
        conn.batch_execute("BEGIN; INSERT INTO notes VALUES (1, 'a'); COMMIT")
            .unwrap();
        // Whether it is open is not known, so the statement is tried in its own.
        conn.batch_execute("BEGIN; SELECT 1 / 0; COMMIT")
            .unwrap_err();
        write(conn, 2).unwrap_err();
        conn.batch_execute("ROLLBACK").unwrap();
        write(conn, 3).unwrap();
        // Diesel's transaction ends it.
        conn.batch_execute("BEGIN").unwrap();
        conn.transaction(|conn| write(conn, 4)).unwrap();
        write(conn, 5).unwrap();
    });
    assert_recorded(
        conn.without_context(),
        [
            "1 | user:1 | thread-local",
            "3 | user:1 | thread-local",
            "4 | user:1 | thread-local",
            "5 | user:1 | thread-local",
        ],
    );
    assert_at_rest(conn);
}

#[test]
fn a_table_that_requires_an_actor_takes_the_transactions_under_a_context_alone() {
    let (_, conn) = &mut connect();
    run(
        conn.without_context(),
        "SELECT threadline.audit('notes', require_actor => true)",
    );
    let error = conn.transaction(|conn| write(conn, 1)).unwrap_err();
    assert!(is_actor_required(&error), "{error:?}");
    user(1)
        .scope(|| conn.transaction(|conn| write(conn, 2)))
        .unwrap();
    assert_recorded(conn.without_context(), ["2 | user:1 | thread-local"]);
}

#[test]
fn copy_and_save_changes_work_as_on_a_plain_connection() {
    let (database, conn) = &mut connect();
    let note = |id| (notes::id.eq(id), notes::body.eq("copied"));
    user(1).scope(|| {
        conn.transaction::<_, Error, _>(|conn| {
            let copied = diesel::copy_from(notes::table)
                .from_insertable(vec![note(1), note(2)])
                .execute(conn)?;
            assert_eq!(copied, 2);
            Ok(())
        })
        .unwrap();
    });
    let copied = diesel::copy_from(notes::table)
        .from_insertable(vec![note(3)])
        .execute(conn);
    assert_eq!(copied, Ok(1));
    let saved =
        user(2).scope(|| conn.transaction(|conn| Saved::new(1).save_changes::<Saved>(conn)));
    assert_eq!(saved, Ok(Saved::new(1)));
    let out: Vec<Note> = diesel::copy_to(notes::table)
        .load::<Note, _>(conn.without_context())
        .unwrap()
        .collect::<QueryResult<_>>()
        .unwrap();
    assert_eq!(out.len(), 3);
    assert_recorded(
        &mut database.connect(),
        [
            "1 | user:1 | thread-local",
            "2 | user:1 | thread-local",
            "3 | - | none",
            "1 | user:2 | thread-local",
        ],
    );
}

#[derive(Debug, PartialEq, Queryable, AsChangeset, Identifiable)]
#[diesel(table_name = notes)]
struct Saved {
    id: i32,
    body: String,
}

impl Saved {
    fn new(id: i32) -> Self {
        Self {
            id,
            body: "saved".into(),
        }
    }
}

#[test]
fn statements_are_prepared_once() {
    let (_, conn) = &mut connect();
    conn.autocommit_in_context(true);
    for id in 0..5 {
        user(id).scope(|| {
            conn.transaction(|conn| write(conn, id)).unwrap();
            write(conn, 10 + id).unwrap();
            let bodies = notes::table.select(notes::body).filter(notes::id.eq(id));
            assert_eq!(bodies.load::<String>(conn).unwrap(), ["text"]);
        });
    }
    let prepared = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%notes%'";
    assert_eq!(value(conn.without_context(), prepared).unwrap(), "2");
    let actors = "SELECT count(DISTINCT actor_id), count(*) FROM threadline.changes
        WHERE actor_id::int = (key ->> 'id')::int % 10";
    assert_rows(conn.without_context(), actors, ["5 | 10"]);
    assert_eq!(transactions(conn.without_context()), 10);
}

#[test]
fn migrations_run_on_it() {
    use diesel_migrations::{FileBasedMigrations, MigrationHarness};

    let (_, conn) = &mut connect();
    let dir = threadline_tests::scratch_dir();
    std::fs::create_dir(dir.join("2026-01-01-000000_fill")).unwrap();
    let up = "INSERT INTO notes VALUES (1, 'text');";
    std::fs::write(dir.join("2026-01-01-000000_fill/up.sql"), up).unwrap();
    let migrations = FileBasedMigrations::from_path(&dir).unwrap();
    user(1).scope(|| {
        conn.run_pending_migrations(migrations).unwrap();
    });
    assert_recorded(conn.without_context(), ["1 | user:1 | thread-local"]);
}

#[test]
fn each_transaction_of_a_test_carries_its_own_context() {
    let (_, conn) = &mut connect();
    conn.begin_test_transaction().unwrap();
    in_a_test(conn);
    AuditedTransactionManager::rollback_transaction(conn).unwrap();
    assert_at_rest(conn);
    conn.test_transaction(|conn| {
        in_a_test(conn);
        Ok::<_, Error>(())
    });
    assert_at_rest(conn);
    assert!(recorded(conn.without_context()).is_empty());
}

fn in_a_test(conn: &mut Audited) {
    user(1).scope(|| {
        conn.transaction::<_, Error, _>(|conn| {
            write(conn, 1)?;
            conn.transaction(|conn| write(conn, 2))
        })
        .unwrap();
        conn.autocommit_in_context(true);
        write(conn, 3).unwrap();
        conn.batch_execute("INSERT INTO notes VALUES (4, 'text')")
            .unwrap();
        conn.autocommit_in_context(false);
    });
    write(conn, 5).unwrap();
    user(2).scope(|| {
        let failed: QueryResult<()> = conn.transaction(|conn| {
            write(conn, 6)?;
            Err(Error::RollbackTransaction)
        });
        assert!(failed.is_err());
        conn.transaction(|conn| write(conn, 7)).unwrap();
        conn.audited(|conn| write(conn, 8)).unwrap();
    });
    conn.transaction(|conn| write(conn, 9)).unwrap();
    assert_recorded(
        conn.without_context(),
        [
            "1 | user:1 | thread-local",
            "2 | user:1 | thread-local",
            "3 | user:1 | thread-local",
            "4 | user:1 | thread-local",
            "5 | - | none",
            "7 | user:2 | thread-local",
            "8 | user:2 | thread-local",
            "9 | - | none",
        ],
    );
}

/// Several kinds of connections behind one type.
#[derive(diesel::MultiConnection)]
enum AnyConnection {
    Audited(Audited),
}

#[test]
fn it_is_one_of_several_kinds_of_connections() {
    let (_database, conn) = connect();
    let mut conn = AnyConnection::Audited(conn);
    user(1).scope(|| {
        conn.transaction(|conn| {
            diesel::insert_into(notes::table)
                .values((notes::id.eq(1), notes::body.eq("text")))
                .execute(conn)
        })
        .unwrap();
    });
    let AnyConnection::Audited(mut conn) = conn;
    assert_recorded(conn.without_context(), ["1 | user:1 | thread-local"]);
}
