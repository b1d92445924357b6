use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::result::Error;
use threadline::{ActorRef, AuditContext, AuditExt, ContextError};
use threadline_tests::{Database, Sent, assert_value, rolled_back_with, run};

use super::{NOTES, assert_recorded, insert, recorded, transactions, user};

/// Asserts that neither Diesel nor PostgreSQL is in a transaction.
fn assert_at_rest(conn: &mut PgConnection) {
    let depth = AnsiTransactionManager::transaction_manager_status_mut(conn)
        .transaction_depth()
        .unwrap();
    assert_eq!(depth, None);
    // A statement that PostgreSQL refuses inside a transaction.
    diesel::sql_query("VACUUM notes").execute(conn).unwrap();
}

#[test]
fn an_explicit_context_is_recorded_whole() {
    let (_, conn) = &mut Database::with(NOTES);
    let context = AuditContext::builder(ActorRef::admin("it's \\ \"me\"").unwrap())
        .request_id("r-1")
        .correlation_id("  c-1  ")
        .job_id("j-1")
        .source("api")
        .remote_ip("203.0.113.9".parse().unwrap())
        .metadata("tenant", "acme")
        .build()
        .unwrap();
    conn.audited_transaction(&context, |conn| insert(conn, 1))
        .unwrap();
    let row = threadline_tests::rows(
        conn,
        "SELECT actor_type, actor_id, actor_origin, request_id, correlation_id, job_id, source,
                remote_ip, meta, session_user_name = session_user, context_error
         FROM threadline.audit_transactions",
    );
    assert_eq!(
        row,
        [
            "admin | it's \\ \"me\" | explicit | r-1 |   c-1   | j-1 | api | 203.0.113.9 | {\"tenant\": \"acme\"} | true | NULL"
        ]
    );
    assert_at_rest(conn);
}

#[test]
fn the_current_context_reaches_audited_and_nothing_else() {
    let (_, conn) = &mut Database::with(NOTES);
    conn.audited_or_plain(|conn| insert(conn, 1)).unwrap();
    user(7).scope(|| {
        conn.audited_or_plain(|conn| insert(conn, 6)).unwrap();
        conn.audited(|conn| insert(conn, 2)).unwrap();
        insert(conn, 3).unwrap();
        conn.transaction(|conn| insert(conn, 4)).unwrap();
    });
    conn.audited_or_plain(|conn| insert(conn, 5)).unwrap();
    assert_recorded(
        conn,
        [
            "1 | - | none",
            "6 | user:7 | thread-local",
            "2 | user:7 | thread-local",
            "3 | - | none",
            "4 | - | none",
            "5 | - | none",
        ],
    );
}

#[test]
fn audited_without_a_context_is_refused_before_anything_is_sent() {
    let (_, conn) = &mut Database::with(NOTES);
    let mut called = false;
    let refused: QueryResult<()> = conn.audited(|_| {
        called = true;
        Ok(())
    });
    assert!(!called);
    let Err(Error::QueryBuilderError(error)) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(error.downcast_ref(), Some(&ContextError::NoContext));
    assert_eq!(
        error.to_string(),
        "no audit context is current on this thread; make one current where the request or the job begins, with `AuditContext::scope` or `in_context`, or call `audited_or_plain` if changes without an actor are right here"
    );
    assert_at_rest(conn);

    // In a transaction too, unless that one is audited.
    let nested = conn.transaction(|conn| conn.audited(|conn| insert(conn, 1)));
    assert!(nested.is_err());
    conn.audited_transaction(&user(1), |conn| conn.audited(|conn| insert(conn, 2)))
        .unwrap();
    assert_recorded(conn, ["2 | user:1 | explicit"]);
}

#[test]
fn an_inner_context_opens_a_transaction_of_its_own_and_the_outer_one_goes_on() {
    let (_, conn) = &mut Database::with(NOTES);
    conn.audited_transaction(&user(1), |conn| {
        insert(conn, 1)?;
        conn.audited_transaction(&user(2), |conn| insert(conn, 2))?;
        insert(conn, 3)?;
        let failed: QueryResult<()> = conn.audited_transaction(&user(3), |conn| {
            insert(conn, 4)?;
            Err(Error::RollbackTransaction)
        });
        assert_eq!(failed, Err(Error::RollbackTransaction));
        insert(conn, 5)
    })
    .unwrap();
    assert_recorded(
        conn,
        [
            "1 | user:1 | explicit",
            "2 | user:2 | explicit",
            "3 | user:1 | explicit",
            "5 | user:1 | explicit",
        ],
    );
    assert_eq!(transactions(conn), 2);
    assert_at_rest(conn);
}

#[test]
fn a_library_that_uses_audited_follows_the_explicit_context_around_it() {
    let (_, conn) = &mut Database::with(NOTES);
    user(1)
        .scope(|| {
            conn.audited_transaction(&user(2), |conn| {
                conn.audited(|conn| insert(conn, 1))?;
                user(3).scope(|| conn.audited(|conn| insert(conn, 2)))
            })
        })
        .unwrap();
    assert_recorded(conn, ["1 | user:2 | explicit", "2 | user:3 | thread-local"]);
}

#[test]
fn a_context_inside_a_plain_transaction_ends_with_its_savepoint() {
    let (_, conn) = &mut Database::with(NOTES);
    conn.transaction::<_, Error, _>(|conn| {
        insert(conn, 1)?;
        conn.audited_transaction(&user(1), |conn| {
            insert(conn, 2)?;
            conn.transaction(|conn| insert(conn, 3))
        })?;
        insert(conn, 4)
    })
    .unwrap();
    assert_recorded(
        conn,
        [
            "1 | - | none",
            "2 | user:1 | explicit",
            "3 | user:1 | explicit",
            "4 | - | none",
        ],
    );
    assert_at_rest(conn);
}

#[test]
fn contexts_work_inside_a_test_transaction() {
    let conn = &mut rolled_back_with(NOTES);
    conn.audited_transaction(&user(1), |conn| insert(conn, 1))
        .unwrap();
    conn.audited_transaction(&user(2), |conn| insert(conn, 2))
        .unwrap();
    assert_recorded(conn, ["1 | user:1 | explicit", "2 | user:2 | explicit"]);
}

#[test]
fn a_rolled_back_savepoint_takes_its_audit_transaction_with_it() {
    let (_, conn) = &mut Database::with(NOTES);
    conn.audited_transaction(&user(1), |conn| {
        // The first write of the transaction, so the row of the AuditTransaction is
        // rolled back with the savepoint.
        let _: QueryResult<()> = conn.transaction(|conn| {
            insert(conn, 1)?;
            Err(Error::RollbackTransaction)
        });
        insert(conn, 2)
    })
    .unwrap();
    assert_recorded(conn, ["2 | user:1 | explicit"]);
    assert_eq!(transactions(conn), 1);
}

#[test]
fn errors_at_every_step_leave_the_connection_usable() {
    let (_, conn) = &mut Database::with(NOTES);
    insert(conn, 1).unwrap();

    // A statement fails.
    let failed = conn.audited_transaction(&user(1), |conn| insert(conn, 1));
    assert!(matches!(failed, Err(Error::DatabaseError(..))));
    assert_at_rest(conn);

    // A statement fails and the closure hides it: as in Diesel's `transaction`, nothing
    // of it is committed.
    let _ = conn.audited_transaction::<_, Error, _>(&user(1), |conn| {
        insert(conn, 9)?;
        let _ = insert(conn, 1);
        Ok(())
    });
    assert_value(conn, "SELECT count(*) FROM notes", "1");
    assert_at_rest(conn);

    // The same in a nested context: it fails, and the outer one continues.
    conn.audited_transaction::<_, Error, _>(&user(1), |conn| {
        let hidden = conn.audited_transaction::<_, Error, _>(&user(2), |conn| {
            let _ = insert(conn, 1);
            Ok(())
        });
        assert!(hidden.is_err());
        insert(conn, 2)
    })
    .unwrap();
    assert_at_rest(conn);

    // A deferred constraint fails at COMMIT.
    run(
        conn,
        "CREATE TABLE children (id int PRIMARY KEY, note int REFERENCES notes DEFERRABLE INITIALLY DEFERRED);
         SELECT threadline.audit('children');",
    );
    let failed = conn.audited_transaction(&user(1), |conn| {
        diesel::sql_query("INSERT INTO children VALUES (1, 999)").execute(conn)
    });
    assert!(matches!(failed, Err(Error::DatabaseError(..))));
    assert_at_rest(conn);

    // The transaction was ended bypassing Diesel.
    let _ = conn.audited_transaction::<_, Error, _>(&user(1), |conn| {
        run(conn, "ROLLBACK");
        Ok(())
    });
    assert_at_rest(conn);

    // The batch that begins the transaction fails after its BEGIN.
    run(
        conn,
        "CREATE ROLE threadline_no_settings; GRANT ALL ON notes TO threadline_no_settings;",
    );
    run(
        conn,
        "REVOKE EXECUTE ON FUNCTION set_config FROM PUBLIC; SET SESSION AUTHORIZATION threadline_no_settings",
    );
    let mut called = false;
    let failed = conn.audited_transaction::<_, Error, _>(&user(1), |_| {
        called = true;
        Ok(())
    });
    assert!(
        failed
            .unwrap_err()
            .to_string()
            .contains("permission denied for function set_config")
    );
    assert!(!called);
    insert(conn, 4).unwrap();
    run(conn, "RESET SESSION AUTHORIZATION");
    run(
        conn,
        "REVOKE ALL ON notes FROM threadline_no_settings; DROP ROLE threadline_no_settings",
    );
    assert_at_rest(conn);

    conn.audited_transaction(&user(3), |conn| insert(conn, 3))
        .unwrap();
    assert_recorded(
        conn,
        [
            "1 | - | none",
            "2 | user:1 | explicit",
            "4 | - | none",
            "3 | user:3 | explicit",
        ],
    );
}

#[test]
fn a_panic_in_the_closure_leaves_no_context_on_the_thread() {
    let database = Database::new();
    let pool = database.pool(1);
    run(&mut pool.get().unwrap(), NOTES);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let conn = &mut pool.get().unwrap();
        conn.audited_transaction::<(), Error, _>(&user(1), |conn| {
            insert(conn, 1)?;
            panic!("on purpose")
        })
    }));
    assert!(result.is_err());
    assert_eq!(AuditContext::current(), None);
    let conn = &mut pool.get().unwrap();
    insert(conn, 2).unwrap();
    assert_recorded(conn, ["2 | - | none"]);
}

/// The connection outlives the panic in a worker that catches it.
#[test]
fn a_panic_rolls_back_and_the_next_write_has_no_actor() {
    let (_, conn) = &mut Database::with(NOTES);
    let panics = |conn: &mut PgConnection, id| {
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            conn.audited_transaction::<(), Error, _>(&user(1), |conn| {
                insert(conn, id)?;
                // Savepoints that the panic leaves open, too.
                conn.transaction(|conn| conn.audited(|_| panic!("on purpose")))
            })
        }));
        assert!(result.is_err());
    };
    panics(conn, 1);
    insert(conn, 2).unwrap();
    // In an outer transaction, only what panicked is undone.
    conn.audited_transaction::<_, Error, _>(&user(2), |conn| {
        insert(conn, 3)?;
        panics(conn, 4);
        insert(conn, 5)
    })
    .unwrap();
    assert_recorded(
        conn,
        [
            "2 | - | none",
            "3 | user:2 | explicit",
            "5 | user:2 | explicit",
        ],
    );
}

#[test]
fn a_pooled_connection_hands_itself_to_the_closure() {
    use diesel::r2d2::{ConnectionManager, PooledConnection};

    fn write(conn: &mut PooledConnection<ConnectionManager<PgConnection>>) -> QueryResult<usize> {
        insert(conn, 1)
    }
    let database = Database::new();
    let conn = &mut database.pool(1).get().unwrap();
    run(conn, NOTES);
    conn.audited_transaction(&user(1), write).unwrap();
    let nested =
        conn.transaction(|conn| conn.audited_transaction(&user(2), |conn| insert(conn, 2)));
    nested.unwrap();
    assert_recorded(conn, ["1 | user:1 | explicit", "2 | user:2 | explicit"]);
}

#[test]
fn an_error_type_of_ones_own_comes_back_as_it_is() {
    #[derive(Debug)]
    enum AppError {
        Refused,
        #[allow(dead_code)]
        Database(Error),
        #[allow(dead_code)]
        Context(ContextError),
    }
    impl From<Error> for AppError {
        fn from(error: Error) -> Self {
            Self::Database(error)
        }
    }
    impl From<ContextError> for AppError {
        fn from(error: ContextError) -> Self {
            Self::Context(error)
        }
    }
    let (_, conn) = &mut Database::with(NOTES);
    let result: Result<(), AppError> = conn.audited_transaction(&user(1), |conn| {
        insert(conn, 1)?;
        ActorRef::user("ok")?;
        Err(AppError::Refused)
    });
    assert!(matches!(result, Err(AppError::Refused)));
    assert!(recorded(conn).is_empty());
    assert_at_rest(conn);
}

#[test]
fn a_begin_costs_one_round_trip() {
    let (_, conn) = &mut Database::with(NOTES);
    let sent = Sent::default();
    conn.set_instrumentation(sent.log());
    conn.audited_transaction::<_, Error, _>(&user(1), |_| Ok(()))
        .unwrap();
    let sent = sent.take();
    assert_eq!(sent.len(), 2, "{sent:?}");
    assert!(sent[0].starts_with("BEGIN; SELECT pg_catalog.set_config('threadline.context', pg_catalog.concat(EXTRACT(epoch FROM pg_catalog.now()), ' ',  E'"));
    assert_eq!(sent[1], "COMMIT");
}

/// As the documentation says of nested contexts.
#[test]
fn a_deferred_trigger_runs_under_the_context_of_the_outermost_transaction() {
    let (_, conn) = &mut Database::with(NOTES);
    run(
        conn,
        "CREATE FUNCTION copied() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN INSERT INTO notes VALUES (NEW.id + 10, NEW.body); RETURN NULL; END $$;
         CREATE CONSTRAINT TRIGGER copied AFTER INSERT ON notes DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW WHEN (NEW.id < 10) EXECUTE FUNCTION copied()",
    );
    for (id, last) in [(1, "SELECT 1"), (2, "SET CONSTRAINTS ALL IMMEDIATE")] {
        conn.audited_transaction::<_, Error, _>(&user(1), |conn| {
            conn.audited_transaction(&user(2), |conn| {
                insert(conn, id)?;
                conn.batch_execute(last)
            })
        })
        .unwrap();
    }
    assert_eq!(
        threadline_tests::rows(
            conn,
            "SELECT key ->> 'id', actor_id FROM threadline.changes ORDER BY id"
        ),
        ["1 | 2", "11 | 1", "2 | 2", "12 | 2"]
    );
}
