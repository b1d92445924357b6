use diesel::prelude::*;
use diesel::result::Error;
use threadline::{AuditContext, AuditExt};
use threadline_tests::{Database, Sent, rows, run};

use super::super::{NOTES, assert_recorded, insert, user};
use super::{connect, write};

const MODES: &str = "SELECT current_setting('transaction_isolation'),
    current_setting('transaction_read_only'), current_setting('transaction_deferrable')";

#[test]
fn an_audited_transaction_has_the_modes_that_it_is_built_with() {
    let (_, conn) = &mut Database::with(NOTES);
    let context = user(1);
    let modes = |conn: &mut PgConnection| Ok::<_, Error>(rows(conn, MODES).remove(0));
    let plain = conn.build_audited_transaction(&context).run(modes).unwrap();
    assert_eq!(plain, "read committed | off | off");
    let report = conn
        .build_audited_transaction(&context)
        .serializable()
        .read_only()
        .deferrable()
        .run(modes);
    assert_eq!(report.unwrap(), "serializable | on | on");
    let other = conn
        .build_audited_transaction(&context)
        .repeatable_read()
        .read_write()
        .not_deferrable()
        .run(modes);
    assert_eq!(other.unwrap(), "repeatable read | off | off");
    let committed = conn
        .build_audited_transaction(&context)
        .read_committed()
        .run(modes);
    assert_eq!(committed.unwrap(), "read committed | off | off");
}

#[test]
fn it_records_under_its_context_and_opens_no_savepoint() {
    let (_, conn) = &mut Database::with(NOTES);
    let sent = Sent::default();
    conn.set_instrumentation(sent.log());
    let context = user(1);
    conn.build_audited_transaction(&context)
        .serializable()
        .run(|conn| {
            assert_eq!(AuditContext::current(), Some(user(1)));
            insert(conn, 1)
        })
        .unwrap();
    assert_eq!(AuditContext::current(), None);
    let sent = sent.take();
    assert_eq!(sent.len(), 3, "{sent:?}");
    assert!(
        sent[0].starts_with(
            "BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE; SELECT pg_catalog.set_config("
        ),
        "{sent:?}"
    );
    assert_eq!(sent[2], "COMMIT");

    let failed: QueryResult<()> = conn.build_audited_transaction(&context).run(|conn| {
        insert(conn, 2)?;
        Err(Error::RollbackTransaction)
    });
    assert_eq!(failed, Err(Error::RollbackTransaction));
    let nested = conn.transaction(|conn| {
        conn.build_audited_transaction(&context)
            .run(|conn| insert(conn, 3))
    });
    assert_eq!(nested, Err(Error::AlreadyInTransaction));
    // One that cannot begin this way leaves the connection as it was.
    insert(conn, 4).unwrap();
    assert_recorded(conn, ["1 | user:1 | explicit", "4 | - | none"]);
}

#[test]
fn a_pooled_connection_builds_one_too() {
    let database = Database::new();
    let conn = &mut database.pool(1).get().unwrap();
    run(conn, NOTES);
    conn.build_audited_transaction(&user(1))
        .serializable()
        .run(|conn| insert(conn, 1))
        .unwrap();
    assert_recorded(conn, ["1 | user:1 | explicit"]);
}

#[test]
fn build_transaction_of_plain_code_carries_the_current_context() {
    let (_, conn) = &mut connect();
    let mut run = |id| {
        conn.build_transaction()
            .serializable()
            .run::<_, Error, _>(|conn| {
                write(conn, id)?;
                Ok(rows(conn.without_context(), MODES).remove(0))
            })
            .unwrap()
    };
    assert_eq!(run(1), "serializable | off | off");
    assert_eq!(user(1).scope(|| run(2)), "serializable | off | off");
    conn.build_audited_transaction(&user(2))
        .repeatable_read()
        .run(|conn| write(conn, 3))
        .unwrap();
    assert_recorded(
        conn.without_context(),
        [
            "1 | - | none",
            "2 | user:1 | thread-local",
            "3 | user:2 | explicit",
        ],
    );
}
