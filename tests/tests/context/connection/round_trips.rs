use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use threadline::AuditExt;
use threadline_tests::{Database, connect, run};

use super::super::{NOTES, user};
use super::proxy::Proxy;
use super::{Audited, write};

fn transaction<C>(conn: &mut C, id: i32)
where
    C: diesel::connection::LoadConnection<Backend = diesel::pg::Pg>,
{
    conn.transaction(|conn| {
        write(conn, id)?;
        conn.transaction(|conn| write(conn, id + 1))
    })
    .unwrap();
}

#[test]
fn a_transaction_takes_no_more_round_trips_than_on_a_plain_connection() {
    let database = Database::new();
    run(&mut database.connect(), NOTES);
    let proxy = Proxy::of(&database);
    let plain = &mut connect(proxy.url());
    let audited = &mut Audited::establish(proxy.url()).unwrap();
    // Prepares the statement.
    transaction(plain, 10);
    transaction(audited, 20);
    let expected = proxy.count(|| transaction(plain, 30));
    // BEGIN, INSERT, SAVEPOINT, INSERT, RELEASE, COMMIT.
    assert_eq!(expected, 6);
    let counted = |work: &mut dyn FnMut()| user(1).scope(|| proxy.count(work));
    assert_eq!(counted(&mut || transaction(audited, 40)), expected);
    let built = counted(&mut || {
        let write = |conn: &mut Audited| write(conn, 50);
        audited
            .build_transaction()
            .serializable()
            .run(write)
            .unwrap();
    });
    assert_eq!(built, 3);
    let built = counted(&mut || {
        let write = |conn: &mut Audited| write(conn, 60);
        let mut builder = audited.build_audited_transaction(&user(2)).serializable();
        builder.run(write).unwrap();
    });
    assert_eq!(built, 3);
}

#[test]
fn a_statement_in_autocommit_takes_two_more_and_a_batch_none() {
    let database = Database::new();
    run(&mut database.connect(), NOTES);
    let proxy = Proxy::of(&database);
    let conn = &mut Audited::establish(proxy.url()).unwrap();
    write(conn, 1).unwrap();
    assert_eq!(proxy.count(|| _ = write(conn, 2).unwrap()), 1);
    conn.autocommit_in_context(true);
    assert_eq!(proxy.count(|| _ = write(conn, 3).unwrap()), 1);
    user(1).scope(|| {
        assert_eq!(proxy.count(|| _ = write(conn, 4).unwrap()), 3);
        let batch = "INSERT INTO notes VALUES (5, 'text')";
        assert_eq!(proxy.count(|| conn.batch_execute(batch).unwrap()), 1);
    });
}
