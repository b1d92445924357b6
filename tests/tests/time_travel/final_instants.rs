//! The answer for a past instant never changes. Transactions of several connections are
//! interleaved in one thread, step by step.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use threadline::{ActorRef, AuditContext, AuditExt, Audited, ErrorKind, Unavailable};
use threadline_tests::{Database, assert_contains, assert_rows, now, run, value};

use crate::each;

diesel::table! {
    members (id) { id -> Int4, name -> Text, }
}

#[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = members)]
struct Member {
    id: i32,
    name: String,
}

/// Creates an audited table of two rows, and a table that is not audited.
fn database() -> Database {
    filled(Database::new())
}

fn filled(database: Database) -> Database {
    each(
        &mut database.connect(),
        &[
            "CREATE TABLE members (id int PRIMARY KEY, name text NOT NULL)",
            "CREATE TABLE unaudited (id int)",
            "SELECT threadline.audit('members')",
            "INSERT INTO members VALUES (1, 'Ada'), (2, 'Bob')",
        ],
    );
    database
}

/// Returns names by key, queried one by one and all at once.
#[track_caller]
fn names(conn: &mut PgConnection, at: DateTime<Utc>) -> Result<Vec<(i32, String)>, Unavailable> {
    let mut each = vec![];
    for id in 1..=4 {
        match Member::as_of(conn, id, at).unwrap() {
            Ok(member) => each.push((member.id, member.name)),
            Err(Unavailable::NeverExisted | Unavailable::Deleted { .. }) => {}
            Err(reason) => {
                let all = Member::all_as_of(conn, at)
                    .and_then(|rows| rows.collect::<Result<Vec<_>, _>>())
                    .unwrap_err();
                let ErrorKind::Unavailable(all) = all.kind() else {
                    panic!("{all:?}")
                };
                assert_eq!(*all, reason);
                return Err(reason);
            }
        }
    }
    let mut all: Vec<_> = Member::all_as_of(conn, at)
        .unwrap()
        .map(|past| past.unwrap().record.unwrap())
        .map(|member| (member.id, member.name))
        .collect();
    all.sort();
    assert_eq!(all, each);
    Ok(all)
}

fn given(names: &[(i32, &str)]) -> Result<Vec<(i32, String)>, Unavailable> {
    Ok(names
        .iter()
        .map(|(id, name)| (*id, (*name).to_owned()))
        .collect())
}

#[test]
fn an_open_transaction_that_wrote_is_awaited() {
    for (end, after) in [("COMMIT", "Ada L."), ("ROLLBACK", "Ada")] {
        let database = database();
        let (writer, reader) = (&mut database.connect(), &mut database.connect());
        run(
            writer,
            "BEGIN; UPDATE members SET name = 'Ada L.' WHERE id = 1",
        );
        let at = now(reader);
        assert!(matches!(
            names(reader, at),
            Err(Unavailable::NotFinal { .. })
        ));
        // The same from within a transaction, and for every other session that wrote
        // since.
        each(reader, &["UPDATE members SET name = 'Rob' WHERE id = 2"]);
        assert!(matches!(
            names(reader, at),
            Err(Unavailable::NotFinal { .. })
        ));
        run(writer, end);
        let expected = given(&[(1, after), (2, "Bob")]);
        assert_eq!(names(reader, at), expected);
        each(
            reader,
            &[
                "DELETE FROM members WHERE id = 1",
                "INSERT INTO members VALUES (3, 'Cy')",
            ],
        );
        assert_eq!(names(reader, at), expected);
    }
}

#[test]
fn open_transactions_are_named() {
    let database = database();
    let (writer, reader) = (&mut database.connect(), &mut database.connect());
    // Another transaction is open for longer, and wrote nothing that is audited.
    let foreign = &mut database.connect();
    run(foreign, "BEGIN; INSERT INTO unaudited VALUES (1)");
    let quiet = now(reader);
    assert_eq!(names(reader, quiet), given(&[(1, "Ada"), (2, "Bob")]));
    run(
        writer,
        "SET application_name = 'night job'; BEGIN; UPDATE members SET name = 'Ada L.' WHERE id = 1",
    );
    let pid: i32 = value(writer, "SELECT pg_backend_pid()")
        .unwrap()
        .parse()
        .unwrap();
    let at = now(reader);
    let Err(Unavailable::NotFinal { open }) = names(reader, at) else {
        panic!()
    };
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].pid, &open[0].prepared), (Some(pid), &None));
    assert_eq!(open[0].application_name.as_deref(), Some("night job"));
    assert!(open[0].since.is_some_and(|since| since < at));
    let reason = Unavailable::NotFinal { open }.to_string();
    assert_contains(&reason, &format!("pid {pid}, since "));
    assert_contains(&reason, "\"night job\"");
}

/// It has no session, and one that was forgotten keeps every later instant from being final.
#[test]
fn prepared_transactions_are_named_beside_open_ones() {
    let database = filled(Database::alone());
    let (writer, reader) = (&mut database.connect(), &mut database.connect());
    run(
        writer,
        "BEGIN; SAVEPOINT one; UPDATE members SET name = 'Ada L.' WHERE id = 1; PREPARE TRANSACTION 'order ''7'''",
    );
    run(
        writer,
        "BEGIN; UPDATE members SET name = 'Rob' WHERE id = 2",
    );
    let at = now(reader);
    let Err(Unavailable::NotFinal { open }) = names(reader, at) else {
        panic!()
    };
    assert_eq!(open.len(), 2);
    assert_eq!(
        (open[0].pid, open[0].prepared.as_deref()),
        (None, Some("order '7'"))
    );
    assert!(open[0].since.is_some_and(|since| since < at));
    assert!(open[1].pid.is_some() && open[1].prepared.is_none());
    let reason = Unavailable::NotFinal { open }.to_string();
    assert_contains(&reason, "prepared transaction \"order '7'\", since ");
    let reason = value(reader, &format!("SELECT threadline.why_not_final('{at}')")).unwrap();
    assert_contains(&reason, "prepared transaction 'order ''7''', since ");
    run(writer, "COMMIT");
    run(writer, "COMMIT PREPARED 'order ''7'''");
    assert_eq!(names(reader, at), given(&[(1, "Ada L."), (2, "Rob")]));
}

#[test]
fn an_open_transaction_that_writes_later_is_not_awaited() {
    let database = database();
    let (writer, reader) = (&mut database.connect(), &mut database.connect());
    let at = now(reader);
    // Its transaction id is older than the writer's, and it began later.
    each(reader, &["UPDATE members SET name = 'Rob' WHERE id = 2"]);
    run(
        writer,
        "BEGIN; UPDATE members SET name = 'Ada L.' WHERE id = 1",
    );
    let expected = given(&[(1, "Ada"), (2, "Bob")]);
    assert_eq!(names(reader, at), expected);
    run(writer, "COMMIT");
    assert_eq!(names(reader, at), expected);
}

#[test]
fn open_writers_of_other_tables_are_not_awaited() {
    let (database, reader) = &mut database().connected();
    let idle = &mut database.connect();
    run(idle, "BEGIN; SELECT pg_current_xact_id()");
    let unaudited = &mut database.connect();
    run(unaudited, "BEGIN; INSERT INTO unaudited VALUES (1)");
    let undone = &mut database.connect();
    run(
        undone,
        "BEGIN; INSERT INTO unaudited VALUES (1); SAVEPOINT s; UPDATE members SET name = 'x'; ROLLBACK TO s",
    );
    // A database of the same template has the same OIDs.
    let (other, elsewhere) = &mut self::database().connected();
    run(elsewhere, "BEGIN; UPDATE members SET name = 'y'");

    let at = now(reader);
    let expected = given(&[(1, "Ada"), (2, "Bob")]);
    assert_eq!(names(reader, at), expected);
    for writer in [idle, unaudited, undone] {
        run(writer, "UPDATE members SET name = 'late'; COMMIT");
        assert_eq!(names(reader, at), expected);
    }
    assert!(matches!(
        names(&mut other.connect(), at),
        Err(Unavailable::NotFinal { .. })
    ));
}

#[test]
fn a_transaction_is_there_whole_or_not_at_all() {
    let database = database();
    let (writer, reader) = (&mut database.connect(), &mut database.connect());
    let before = given(&[(1, "Ada"), (2, "Bob")]);
    let after = given(&[(1, "Ada L."), (3, "Cy")]);
    run(
        writer,
        "BEGIN; UPDATE members SET name = 'Ada L.' WHERE id = 1",
    );
    let one = now(reader);
    run(writer, "DELETE FROM members WHERE id = 2");
    let two = now(reader);
    run(writer, "INSERT INTO members VALUES (3, 'Cy')");
    let three = now(reader);
    for at in [one, two, three] {
        assert!(matches!(
            names(reader, at),
            Err(Unavailable::NotFinal { .. })
        ));
    }
    run(writer, "COMMIT");
    let four = now(reader);
    for _ in 0..2 {
        assert_eq!(names(reader, one), before);
        assert_eq!(names(reader, two), before);
        assert_eq!(names(reader, three), after);
        assert_eq!(names(reader, four), after);
        each(reader, &["UPDATE members SET name = name || '!'"]);
    }
}

#[test]
fn a_transaction_under_several_contexts_is_one() {
    let database = database();
    let (writer, reader) = (&mut database.connect(), &mut database.connect());
    let user = AuditContext::new(ActorRef::user(1).unwrap());
    let admin = AuditContext::new(ActorRef::admin(2).unwrap());
    let mut instants = vec![];
    writer
        .audited_transaction::<_, threadline::Error, _>(&user, |writer| {
            run(writer, "UPDATE members SET name = 'Ada L.' WHERE id = 1");
            instants.push(now(reader));
            writer.audited_transaction::<_, threadline::Error, _>(&admin, |writer| {
                run(writer, "DELETE FROM members WHERE id = 2");
                instants.push(now(reader));
                Ok(())
            })?;
            run(writer, "INSERT INTO members VALUES (3, 'Cy')");
            Ok(())
        })
        .unwrap();
    assert_eq!(
        value(
            reader,
            "SELECT count(*) FROM threadline.audit_transactions WHERE actor_id IS NOT NULL"
        )
        .unwrap(),
        "2"
    );
    for at in instants {
        assert_eq!(names(reader, at), given(&[(1, "Ada"), (2, "Bob")]));
    }
    let after = now(reader);
    assert_eq!(names(reader, after), given(&[(1, "Ada L."), (3, "Cy")]));
}

#[test]
fn the_contexts_of_a_day_long_transaction_are_one() {
    let database = database();
    let (writer, reader) = (&mut database.connect(), &mut database.connect());
    run(
        writer,
        r#"BEGIN; SELECT threadline.set_context('{"actor": {"type": "user", "id": "1"}}');
           UPDATE members SET name = 'Ada L.' WHERE id = 1"#,
    );
    let between = now(reader);
    run(
        writer,
        r#"SELECT threadline.set_context('{"actor": {"type": "user", "id": "2"}}');
           DELETE FROM members WHERE id = 2; COMMIT"#,
    );
    // As if the first context had been left a day before the second came.
    run(
        reader,
        "SELECT threadline.post();
         UPDATE threadline.ledger_transactions SET opened_at = opened_at - interval '1 day' WHERE actor_id = '1';
         UPDATE threadline.ledger_changes SET captured_at = captured_at - interval '1 day'
         WHERE transaction_id = (SELECT id FROM threadline.audit_transactions WHERE actor_id = '1')",
    );
    assert_eq!(names(reader, between), given(&[(1, "Ada"), (2, "Bob")]));
}

#[test]
fn changes_of_a_rolled_back_savepoint_are_not_recorded() {
    let database = database();
    let (writer, reader) = (&mut database.connect(), &mut database.connect());
    run(
        writer,
        "BEGIN; UPDATE members SET name = 'Ada L.' WHERE id = 1; SAVEPOINT s; DELETE FROM members WHERE id = 2",
    );
    let at = now(reader);
    run(writer, "ROLLBACK TO s");
    assert!(matches!(
        names(reader, at),
        Err(Unavailable::NotFinal { .. })
    ));
    run(writer, "COMMIT");
    assert_eq!(names(reader, at), given(&[(1, "Ada L."), (2, "Bob")]));

    // The remaining changes of a transaction determine its time.
    run(
        writer,
        "BEGIN; SAVEPOINT a; UPDATE members SET name = 'Rob' WHERE id = 2; RELEASE a",
    );
    let at = now(reader);
    run(
        writer,
        "SAVEPOINT b; DELETE FROM members; ROLLBACK TO b; COMMIT",
    );
    assert_eq!(names(reader, at), given(&[(1, "Ada L."), (2, "Rob")]));
}

#[test]
fn an_older_snapshot_answers_for_its_time_alone() {
    for isolation in ["REPEATABLE READ", "SERIALIZABLE"] {
        // If a transaction has ended since, its database can no longer be determined.
        let database = filled(Database::alone());
        let (writer, reader) = (&mut database.connect(), &mut database.connect());
        let (idle, at) = (&mut database.connect(), now(reader));
        let begin = format!("BEGIN ISOLATION LEVEL {isolation}; SELECT FROM members");
        let name = |reader: &mut PgConnection, at| Member::as_of(reader, 1, at).unwrap();

        // No other session, and then one that wrote elsewhere.
        run(reader, &begin);
        assert_eq!(name(reader, at).unwrap().name, "Ada");
        run(reader, "COMMIT");
        run(idle, "BEGIN; INSERT INTO unaudited VALUES (1)");
        run(reader, &begin);
        assert_eq!(name(reader, at).unwrap().name, "Ada");
        run(reader, "COMMIT");
        run(idle, "COMMIT");

        // It will never see that the writer has committed.
        run(
            writer,
            "BEGIN; UPDATE members SET name = 'Ada L.' WHERE id = 1",
        );
        let open = now(reader);
        run(reader, &begin);
        assert!(matches!(
            name(reader, open),
            Err(Unavailable::NotFinal { .. })
        ));
        run(writer, "COMMIT");
        each(writer, &["INSERT INTO members VALUES (3, 'Cy')"]);
        let later = now(writer);
        for at in [open, later] {
            assert!(matches!(
                name(reader, at),
                Err(Unavailable::NotFinal { .. })
            ));
        }
        run(reader, "COMMIT");
        for at in [open, later] {
            assert_eq!(name(reader, at).unwrap().name, "Ada L.");
        }

        // A transaction that began after the instant does not count.
        run(reader, &begin);
        each(writer, &["DELETE FROM members"]);
        for at in [at, open] {
            assert!(name(reader, at).is_ok());
        }
        run(reader, "COMMIT");
        assert_eq!(names(reader, at), given(&[(1, "Ada"), (2, "Bob")]));
    }
}

#[test]
fn writers_of_every_isolation_are_awaited() {
    for isolation in ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"] {
        let database = database();
        let (writer, reader) = (&mut database.connect(), &mut database.connect());
        run(
            writer,
            &format!(
                "BEGIN ISOLATION LEVEL {isolation}; UPDATE members SET name = 'x' WHERE id = 1"
            ),
        );
        let at = now(reader);
        assert!(matches!(
            names(reader, at),
            Err(Unavailable::NotFinal { .. })
        ));
        run(writer, "COMMIT");
        assert_eq!(names(reader, at), given(&[(1, "x"), (2, "Bob")]));
    }
}

#[test]
fn a_future_instant_is_not_final() {
    let (_, reader) = &mut database().connected();
    let at = now(reader) + TimeDelta::hours(1);
    assert!(matches!(
        names(reader, at),
        Err(Unavailable::NotFinal { .. })
    ));
    run(reader, "BEGIN");
    let later = now(reader);
    assert_eq!(names(reader, later), given(&[(1, "Ada"), (2, "Bob")]));
    run(reader, "COMMIT");
}

#[test]
fn a_cursor_opened_before_the_instant_answers_as_later_ones() {
    let database = database();
    let (writer, reader) = (&mut database.connect(), &mut database.connect());
    let at = now(reader) + TimeDelta::milliseconds(300);
    let query = format!(
        "SELECT image ->> 'name' AS name FROM threadline.rows_as_of('members', '{}') ORDER BY 1",
        at.to_rfc3339()
    );
    run(reader, &format!("BEGIN; DECLARE early CURSOR FOR {query}"));
    run(writer, "UPDATE members SET name = 'Ada L.' WHERE id = 1");
    assert!(now(writer) < at, "this machine is too slow for the test");
    run(reader, "SELECT pg_sleep(0.4)");
    run(
        reader,
        "CREATE TEMPORARY TABLE fetched (name text);
         DO $$DECLARE n text; c refcursor := 'early';
         BEGIN LOOP FETCH c INTO n; EXIT WHEN NOT FOUND; INSERT INTO fetched VALUES (n); END LOOP; END$$",
    );
    assert_rows(reader, "SELECT name FROM fetched", ["Ada L.", "Bob"]);
    assert_rows(reader, &query, ["Ada L.", "Bob"]);
}

#[test]
fn readers_of_the_audit_may_ask_whether_an_instant_is_final() {
    let database = database();
    let (writer, reader) = (&mut database.connect(), &mut database.connect());
    let role = database.reader("reader");
    role.enter(reader);
    let is_final = |conn: &mut PgConnection, at: DateTime<Utc>| {
        value(
            conn,
            &format!("SELECT threadline.is_final('{}')", at.to_rfc3339()),
        )
        .unwrap()
    };
    let at = now(reader);
    assert_eq!(is_final(reader, at), "true");
    run(writer, "BEGIN; UPDATE members SET name = 'x'");
    let open = now(reader);
    // For the superuser.
    for _ in 0..2 {
        assert_eq!(is_final(reader, open), "false");
        run(reader, "RESET SESSION AUTHORIZATION");
    }
    run(writer, "COMMIT");
    role.enter(reader);
    assert_eq!(is_final(reader, open), "true");
}
