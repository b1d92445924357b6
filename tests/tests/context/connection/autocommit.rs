use diesel::connection::SimpleConnection;
use diesel::pg::PgRowByRowLoadingMode;
use diesel::prelude::*;
use diesel::result::Error;
use threadline::{Audited, AuditedConnection, Filter};
use threadline_tests::notes::Note;
use threadline_tests::value;

use super::super::{assert_recorded, user};
use super::{connect, notes, write};

#[test]
fn by_choice_a_single_statement_carries_the_context() {
    let (_, conn) = &mut connect();
    conn.autocommit_in_context(true);
    user(1).scope(|| {
        write(conn, 1).unwrap();
        // A statement that returns rows.
        let returned = diesel::insert_into(notes::table)
            .values((notes::id.eq(2), notes::body.eq("text")))
            .returning(notes::id)
            .get_result::<i32>(conn);
        assert_eq!(returned, Ok(2));
        conn.batch_execute(
            "INSERT INTO notes VALUES (3, 'text'); INSERT INTO notes VALUES (4, 'text')",
        )
        .unwrap();
        let copied = diesel::copy_from(notes::table)
            .from_insertable(vec![(notes::id.eq(5), notes::body.eq("text"))])
            .execute(conn);
        assert_eq!(copied, Ok(1));
        conn.transaction(|conn| write(conn, 6)).unwrap();
    });
    write(conn, 7).unwrap();
    conn.batch_execute("INSERT INTO notes VALUES (8, 'text')")
        .unwrap();
    user(2).scope(|| {
        write(conn.without_context(), 9).unwrap();
        conn.autocommit_in_context(false);
        write(conn, 10).unwrap();
    });
    assert_recorded(
        conn.without_context(),
        [
            "1 | user:1 | thread-local",
            "2 | user:1 | thread-local",
            "3 | user:1 | thread-local",
            "4 | user:1 | thread-local",
            "5 | user:1 | thread-local",
            "6 | user:1 | thread-local",
            "7 | - | none",
            "8 | - | none",
            "9 | - | none",
            "10 | - | none",
        ],
    );
}

#[test]
fn a_statement_that_fails_in_autocommit_leaves_nothing_behind() {
    let (_, conn) = &mut connect();
    conn.autocommit_in_context(true);
    user(1).scope(|| {
        write(conn, 1).unwrap();
        assert!(write(conn, 1).is_err());
        let returned = diesel::insert_into(notes::table)
            .values((notes::id.eq(1), notes::body.eq("text")))
            .returning(notes::id)
            .get_result::<i32>(conn);
        assert!(returned.is_err());
        let batch = "INSERT INTO notes VALUES (2, 'text'); INSERT INTO notes VALUES (1, 'text')";
        conn.batch_execute(batch).unwrap_err();
        // Refused under a context, and not without.
        diesel::sql_query("VACUUM notes").execute(conn).unwrap_err();
        conn.batch_execute("VACUUM notes").unwrap_err();
        conn.without_context()
            .batch_execute("VACUUM notes")
            .unwrap();
    });
    conn.batch_execute("VACUUM notes").unwrap();
    let left = "SELECT current_setting('threadline.context', true)";
    assert_eq!(value(conn.without_context(), left).unwrap_or_default(), "");
    assert_recorded(conn.without_context(), ["1 | user:1 | thread-local"]);
}

#[test]
fn rows_one_by_one_need_a_transaction() {
    let (_, conn) = &mut connect();
    conn.autocommit_in_context(true);
    let ids = notes::table.select(notes::id);
    user(1).scope(|| {
        write(conn, 1).unwrap();
        let refused = ids.load_iter::<i32, PgRowByRowLoadingMode>(conn).err();
        let error = refused.unwrap().to_string();
        assert_eq!(
            error,
            "rows cannot be loaded one by one in autocommit under a context, because the transaction ends before they are read; load them in a transaction"
        );
        conn.transaction::<_, Error, _>(|conn| {
            let rows = ids.load_iter::<i32, PgRowByRowLoadingMode>(conn)?;
            assert_eq!(rows.collect::<QueryResult<Vec<_>>>()?, [1]);
            Ok(())
        })
        .unwrap();
    });
    let rows = ids.load_iter::<i32, PgRowByRowLoadingMode>(conn).unwrap();
    assert_eq!(rows.count(), 1);
}

/// The library loads its own long results this way.
#[test]
fn the_past_and_exports_are_read_under_a_context() {
    let (_, conn) = &mut connect();
    conn.autocommit_in_context(true);
    user(1).scope(|| {
        write(conn, 1).unwrap();
        let now = chrono::Utc::now();
        assert_eq!(Note::all_as_of(conn, now).unwrap().count(), 1);
        let mut file = vec![];
        threadline::export_csv(conn, &Filter::new(), &mut file).unwrap();
        assert!(!file.is_empty());
        assert_eq!(Note::history_of(conn, 1).unwrap().len(), 1);
        assert_eq!(Note::versions_of(conn, 1).unwrap().len(), 1);
        // The writer's context is current again.
        write(conn, 2).unwrap();
    });
    assert_recorded(
        conn.without_context(),
        ["1 | user:1 | thread-local", "2 | user:1 | thread-local"],
    );
}

#[test]
fn it_wraps_a_pooled_connection_too() {
    let (database, _conn) = connect();
    let pool = database.pool(1);
    let mut conn = AuditedConnection::new(pool.get().unwrap());
    conn.autocommit_in_context(true);
    user(1).scope(|| {
        conn.transaction(|conn| write(conn, 1)).unwrap();
        write(&mut conn, 2).unwrap();
        let ids = notes::table.select(notes::id).order(notes::id);
        assert_eq!(ids.load::<i32>(&mut conn), Ok(vec![1, 2]));
        drop(conn);
        write(&mut pool.get().unwrap(), 3).unwrap();
    });
    assert_recorded(
        &mut pool.get().unwrap(),
        [
            "1 | user:1 | thread-local",
            "2 | user:1 | thread-local",
            "3 | - | none",
        ],
    );
}
