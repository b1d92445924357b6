//! From and to, and transactions that lasted for hours.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use threadline::{Error, Filter, timeline};
use threadline_tests::{Database, assert_rows, rows, run, value};

const NOTES: &str = "CREATE TABLE notes (id int PRIMARY KEY); SELECT threadline.audit('notes')";

/// Returns the keys that a filter finds, newest first.
fn found(conn: &mut PgConnection, filter: Filter) -> Vec<i64> {
    let page = timeline(filter.clone()).page(conn).unwrap();
    assert!(!page.has_more);
    let count = timeline(filter).count(conn).unwrap();
    assert_eq!(count, page.entries.len() as u64);
    page.entries
        .iter()
        .map(|entry| entry.change.key.as_ref().unwrap()["id"].as_i64().unwrap())
        .collect()
}

fn instant(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

#[test]
fn from_and_to_are_inclusive_to_the_microsecond() {
    let (_, conn) = &mut Database::with(NOTES);
    for id in 1..=3 {
        run(conn, &format!("INSERT INTO notes VALUES ({id})"));
    }
    run(
        conn,
        "SELECT threadline.post();
         UPDATE threadline.ledger_changes
         SET captured_at = timestamptz '2026-03-01 12:00:00.000005Z' + (record_key::int - 2) * interval '1 microsecond';
         UPDATE threadline.ledger_transactions SET opened_at = '2026-03-01 12:00:00Z'",
    );
    let filter = Filter::new;
    let middle = instant("2026-03-01T12:00:00.000005Z");
    let tick = TimeDelta::microseconds(1);
    assert_eq!(found(conn, filter().from(middle)), [3, 2]);
    assert_eq!(found(conn, filter().to(middle)), [2, 1]);
    assert_eq!(found(conn, filter().from(middle).to(middle)), [2]);
    assert_eq!(found(conn, filter().from(middle + tick)), [3]);
    assert_eq!(found(conn, filter().to(middle - tick)), [1]);
    assert_eq!(
        found(conn, filter().from(middle - tick).to(middle + tick)),
        [3, 2, 1]
    );
    assert_eq!(found(conn, filter().from(middle + tick * 2)), [0; 0]);
    assert_eq!(found(conn, filter().to(middle - tick * 2)), [0; 0]);
    let table = || filter().table("notes");
    for filter in [table(), table().record(2)] {
        let (at, after) = (filter.clone().to(middle), filter.to(middle + tick * 9));
        assert_eq!(found(conn, at.from(middle)), [2]);
        assert!(!found(conn, after.from(middle + tick)).contains(&2));
    }
}

#[test]
fn days_of_a_form_are_whole_days_in_utc() {
    let (_, conn) = &mut Database::with(NOTES);
    run(conn, "SET TimeZone TO 'Pacific/Auckland'");
    for (id, at) in [
        (1, "2026-02-28 23:59:59.999999Z"),
        (2, "2026-03-01 00:00:00Z"),
        (3, "2026-03-01 23:59:59.999999Z"),
        (4, "2026-03-02 00:00:00Z"),
    ] {
        run(
            conn,
            &format!(
                "INSERT INTO notes VALUES ({id});
                 SELECT threadline.post_all();
                 UPDATE threadline.ledger_changes SET captured_at = '{at}' WHERE record_key = '{id}';
                 UPDATE threadline.ledger_transactions SET opened_at = '{at}'
                 WHERE id = (SELECT max(id) FROM threadline.audit_transactions)"
            ),
        );
    }
    let day = Filter::parse([("from", "2026-03-01"), ("to", "2026-03-01")]).unwrap();
    assert_eq!(found(conn, day), [3, 2]);
    let minute = Filter::parse([
        ("from", "2026-03-01 23:59"),
        ("to", "2026-03-02T13:00:00+13:00"),
    ]);
    assert_eq!(found(conn, minute.unwrap()), [4, 3]);
}

/// Makes the running transaction, and its changes so far, `hours` older.
fn age(conn: &mut PgConnection, hours: u32) {
    run(
        conn,
        &format!(
            "UPDATE threadline.journal SET captured_at = captured_at - interval '{hours} hours' WHERE xact_id = pg_current_xact_id()"
        ),
    );
}

/// Returns the recorded end of use of a note's transaction, and whether all its changes
/// came before.
fn extended(conn: &mut PgConnection, id: i32) -> Option<String> {
    value(
        conn,
        &format!(
            "SELECT (SELECT bool_and(captured_at < extended_until) FROM threadline.audit_changes WHERE transaction_id = x.id)
             FROM threadline.audit_changes AS c JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id
             WHERE c.record_key = '{id}'"
        ),
    )
}

fn insert(conn: &mut PgConnection, id: i32) -> Result<(), Error> {
    diesel::sql_query(format!("INSERT INTO notes VALUES ({id})")).execute(conn)?;
    Ok(())
}

/// Asserts that these notes are of one transaction, and that the last of them is found by
/// its time.
fn assert_found_by_time(conn: &mut PgConnection, long: &[i32]) {
    let keys: Vec<_> = long.iter().map(|id| format!("'{id}'")).collect();
    let transactions = rows(
        conn,
        &format!(
            "SELECT DISTINCT transaction_id FROM threadline.audit_changes WHERE record_key IN ({})",
            keys.join(", ")
        ),
    );
    assert_eq!(transactions.len(), 1);
    let last = i64::from(*long.last().unwrap());
    let all = timeline(Filter::new().table("notes").record(last))
        .page(conn)
        .unwrap();
    let captured = all.entries[0].change.captured_at;
    let before = captured - TimeDelta::milliseconds(1);
    let table = || Filter::new().table("notes");
    for filter in [Filter::new(), table(), table().record(last)] {
        for filter in [
            filter.clone().from(before),
            filter.clone().from(captured),
            filter.from(captured).to(captured),
        ] {
            assert!(found(conn, filter.clone()).contains(&last), "{filter:?}");
        }
    }
    assert!(!found(conn, Filter::new().to(before)).contains(&last));
}

/// Records 1 and 2 in one transaction, five hours apart; meanwhile, statements run in it, and
/// 100 is recorded in another.
fn hours_apart(conn: &mut PgConnection, other: &mut PgConnection, meanwhile: &str) {
    conn.transaction::<_, Error, _>(|conn| {
        insert(conn, 1)?;
        age(conn, 5);
        run(conn, meanwhile);
        insert(other, 100)?;
        insert(conn, 2)
    })
    .unwrap();
}

#[test]
fn a_change_hours_after_its_transaction_began_is_found_by_its_time() {
    let (database, conn) = &mut Database::with(NOTES);
    hours_apart(conn, &mut database.connect(), "SELECT 1");
    insert(conn, 101).unwrap();
    assert_eq!(extended(conn, 2).as_deref(), Some("true"));
    assert_found_by_time(conn, &[1, 2]);
    assert_eq!(extended(conn, 100), None);
}

#[test]
fn a_transaction_is_extended_as_often_as_it_takes() {
    let (database, conn) = &mut Database::with(NOTES);
    let other = &mut database.connect();
    conn.transaction::<_, Error, _>(|conn| {
        for id in 1..=4 {
            insert(conn, id)?;
            if id < 4 {
                age(conn, 5);
            }
            insert(other, 100 + id)?;
        }
        insert(conn, 5)
    })
    .unwrap();
    assert_eq!(extended(conn, 5).as_deref(), Some("true"));
    assert_found_by_time(conn, &[1, 2, 3, 4, 5]);
}

#[test]
fn an_extension_goes_with_its_savepoint_and_the_next_change_extends_again() {
    for again in [false, true] {
        let (database, conn) = &mut Database::with(NOTES);
        let other = &mut database.connect();
        conn.transaction::<_, Error, _>(|conn| {
            insert(conn, 1)?;
            age(conn, 5);
            insert(other, 100)?;
            let undone = conn.transaction::<(), Error, _>(|conn| {
                insert(conn, 2)?;
                assert_eq!(extended(conn, 2).as_deref(), Some("true"));
                Err(diesel::result::Error::RollbackTransaction.into())
            });
            assert!(undone.is_err());
            // One's own may continue.
            assert_eq!(extended(conn, 1).as_deref(), Some("true"));
            if again { insert(conn, 3) } else { Ok(()) }
        })
        .unwrap();
        let shown: &[i32] = if again { &[1, 3] } else { &[1] };
        assert_eq!(extended(conn, 1).as_deref(), again.then_some("true"));
        assert_found_by_time(conn, shown);
        assert_eq!(found(conn, Filter::new().table("notes").record(2)), [0; 0]);
    }
}

#[test]
fn the_ledger_row_of_a_transaction_is_written_once() {
    for hours in [0, 5] {
        let (_, conn) = &mut Database::with(NOTES);
        conn.transaction::<_, Error, _>(|conn| {
            insert(conn, 1)?;
            age(conn, hours);
            insert(conn, 2)?;
            insert(conn, 3)
        })
        .unwrap();
        let until = (hours > 0).then_some("true");
        assert_eq!(extended(conn, 3).as_deref(), until);
        let shown = "SELECT * FROM threadline.audit_transactions";
        let before = rows(conn, shown);
        assert_eq!(before.len(), 1);
        // One entry a call: the row is written with the first of them.
        for posted in 1..=3 {
            run(conn, "SELECT threadline.post(1)");
            assert_eq!(
                value(conn, "SELECT count(*) FROM threadline.ledger_changes"),
                Some(posted.to_string())
            );
            assert_eq!(rows(conn, shown), before);
            // A row that was written once has one version.
            assert_rows(
                conn,
                "SELECT ctid, xmax FROM threadline.ledger_transactions",
                ["(0,1) | 0"],
            );
        }
        assert_eq!(extended(conn, 3).as_deref(), until);
        if hours > 0 {
            assert_found_by_time(conn, &[1, 2, 3]);
        }
    }
}

/// Some policies post what the running transaction has recorded so far.
#[test]
fn a_change_hours_after_its_transaction_was_posted_is_found_by_its_time() {
    let (database, conn) = &mut Database::with(NOTES);
    hours_apart(
        conn,
        &mut database.connect(),
        "SELECT threadline.post_all()",
    );
    assert_found_by_time(conn, &[1, 2]);
    run(conn, "SELECT threadline.post()");
    assert_found_by_time(conn, &[1, 2]);
    assert_rows(
        conn,
        "SELECT extended_until = (SELECT max(captured_at) + interval '1 second' FROM threadline.audit_changes AS c WHERE c.transaction_id = x.id)
         FROM threadline.audit_transactions AS x WHERE extended_until IS NOT NULL",
        ["true"],
    );
}
