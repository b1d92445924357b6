//! Every kind of write, undone.

use diesel::prelude::*;
use threadline::{
    Action, ActorRef, AuditContext, AuditExt, ErrorClass, Operation, record_action,
    revert_transaction,
};
use threadline_tests::{Database, assert_rows, assert_value, rolled_back_with, run, run_under};

use super::common::{last, revert_each, state, there_and_back, transaction};

const NOTES: &str = "
    CREATE TABLE notes (id int PRIMARY KEY, body text, pages int DEFAULT 1);
    SELECT threadline.audit('notes');
    INSERT INTO notes VALUES (1, 'one', 1), (2, 'two', NULL), (3, 'three', 3);
";

#[test]
fn every_kind_of_write_is_reverted() {
    let (_, conn) = &mut Database::with(NOTES);
    for sql in [
        "UPDATE notes SET body = 'other' WHERE id = 1",
        "UPDATE notes SET body = NULL, pages = 7",
        "INSERT INTO notes VALUES (4, 'four', 4), (5, '', NULL)",
        "DELETE FROM notes WHERE id <> 2",
        "TRUNCATE notes",
        "INSERT INTO notes VALUES (4, 'four'); UPDATE notes SET body = 'x' WHERE id = 4; UPDATE notes SET pages = 9",
        "INSERT INTO notes VALUES (4, 'four'); DELETE FROM notes WHERE id < 3; UPDATE notes SET pages = 9",
        "DELETE FROM notes; INSERT INTO notes VALUES (1, 'again', NULL), (2, 'two', 2)",
        "TRUNCATE notes; INSERT INTO notes VALUES (1, 'again'); UPDATE notes SET id = 9; INSERT INTO notes VALUES (1, 'and again'); DELETE FROM notes WHERE id = 9",
        "UPDATE notes SET body = 'a' WHERE id = 1; UPDATE notes SET body = 'b' WHERE id = 1; UPDATE notes SET body = 'a' WHERE id = 1; DELETE FROM notes WHERE id = 1; INSERT INTO notes VALUES (1, 'a', 1); UPDATE notes SET body = 'c' WHERE id = 1",
    ] {
        there_and_back(conn, &["notes"], sql);
    }
}

#[test]
fn a_row_that_came_and_went_in_one_transaction_leaves_nothing_to_do() {
    let (_, conn) = &mut Database::with(NOTES);
    let before = state(conn, &["notes"]);
    let mistake = transaction(
        conn,
        "INSERT INTO notes VALUES (9); DELETE FROM notes WHERE id = 9",
    );
    assert_eq!(revert_transaction(conn, mistake).unwrap(), 2);
    assert_eq!(state(conn, &["notes"]), before);
}

#[test]
fn a_transaction_that_never_was_is_named() {
    let (_, conn) = &mut Database::with(NOTES);
    for id in [0, i64::MAX] {
        let error = revert_transaction(conn, id).unwrap_err();
        assert_eq!(error.class(), ErrorClass::NotFound);
        assert!(error.to_string().contains(&id.to_string()), "{error}");
    }
}

#[test]
fn several_transactions_are_reverted_newest_first() {
    let (_, conn) = &mut Database::with(NOTES);
    let before = state(conn, &["notes"]);
    let mistakes = [
        transaction(conn, "UPDATE notes SET body = 'a'"),
        transaction(conn, "DELETE FROM notes WHERE id = 1"),
        transaction(conn, "INSERT INTO notes VALUES (1, 'new')"),
        transaction(conn, "UPDATE notes SET body = 'b', id = id + 10"),
    ];
    revert_each(conn, mistakes.into_iter().rev());
    assert_eq!(state(conn, &["notes"]), before);
}

#[test]
fn a_revert_has_the_actor_and_the_action_of_now() {
    let (_, conn) = &mut Database::with(NOTES);
    let user = AuditContext::new(ActorRef::user("1").unwrap());
    run_under(conn, &user, "UPDATE notes SET body = 'wrong' WHERE id < 3");
    let mistake = last(conn);
    let context = AuditContext::builder(ActorRef::admin("grace").unwrap())
        .correlation_id("incident-7")
        .build()
        .unwrap();
    let done = conn
        .audited_transaction::<_, threadline::Error, _>(&context, |conn| {
            record_action(conn, Action::new("incident.reverted").reason("wrong"))?;
            revert_transaction(conn, mistake)
        })
        .unwrap();
    assert_eq!(done, 2);
    let revert = last(conn);
    let report = threadline::transaction(conn, revert).unwrap().unwrap();
    assert_eq!(
        report.transaction.actor,
        Some(ActorRef::admin("grace").unwrap())
    );
    assert_eq!(
        report.transaction.correlation_id.as_deref(),
        Some("incident-7")
    );
    assert_eq!(report.actions[0].name, "incident.reverted");
    assert_eq!(report.changes.len(), 2);
    assert!(
        report
            .changes
            .iter()
            .all(|change| change.operation == Operation::Update)
    );
    let original = threadline::transaction(conn, mistake).unwrap().unwrap();
    assert_eq!(original.changes.len(), 2, "what was recorded stays");
    assert_eq!(
        original.transaction.actor,
        Some(ActorRef::user("1").unwrap())
    );
}

#[test]
fn a_table_that_requires_an_actor_takes_a_revert_only_with_one() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE notes (id int PRIMARY KEY); SELECT threadline.audit('notes', require_actor => true)",
    );
    let user = AuditContext::new(ActorRef::user("1").unwrap());
    run_under(conn, &user, "INSERT INTO notes VALUES (1)");
    let mistake = last(conn);
    insta::assert_snapshot!(super::common::refusal(conn, &["notes"], mistake));
    conn.audited_transaction::<_, threadline::Error, _>(&user, |conn| {
        revert_transaction(conn, mistake)
    })
    .unwrap();
    assert_value(conn, "SELECT count(*) FROM notes", "0");
}

#[test]
fn inside_a_transaction_of_the_callers_that_rolls_back_nothing_is_left() {
    let conn = &mut rolled_back_with(NOTES);
    let mistake = last(conn);
    conn.transaction::<(), diesel::result::Error, _>(|conn| {
        revert_transaction(conn, mistake)?;
        assert_value(conn, "SELECT count(*) FROM notes", "0");
        Err(diesel::result::Error::RollbackTransaction)
    })
    .unwrap_err();
    assert_value(conn, "SELECT count(*) FROM notes", "3");
}

#[test]
fn after_a_refusal_the_callers_transaction_goes_on() {
    let (_, conn) = &mut Database::with(NOTES);
    let mistake = transaction(conn, "UPDATE notes SET body = 'a'");
    run(conn, "UPDATE notes SET body = 'b' WHERE id = 2");
    conn.transaction::<_, threadline::Error, _>(|conn| {
        revert_transaction(conn, mistake).unwrap_err();
        run(conn, "INSERT INTO notes VALUES (4, 'after')");
        Ok(())
    })
    .unwrap();
    assert_rows(
        conn,
        "SELECT id, body FROM notes ORDER BY id",
        ["1 | a", "2 | b", "3 | a", "4 | after"],
    );
}

/// Parents and children by every kind of reference.
const FAMILY: &str = "
    CREATE TABLE parents (id int PRIMARY KEY, name text UNIQUE);
    CREATE TABLE children (id int PRIMARY KEY, parent int NOT NULL REFERENCES parents ON DELETE CASCADE ON UPDATE CASCADE, age int);
    CREATE TABLE friends (id int PRIMARY KEY, parent int REFERENCES parents ON DELETE SET NULL ON UPDATE CASCADE);
    CREATE TABLE guests (id int PRIMARY KEY, parent int DEFAULT 0 REFERENCES parents ON DELETE SET DEFAULT);
    CREATE TABLE toys (id int PRIMARY KEY, child int NOT NULL REFERENCES children ON DELETE CASCADE ON UPDATE CASCADE);
    SELECT threadline.audit('parents'), threadline.audit('children'), threadline.audit('friends'), threadline.audit('guests'), threadline.audit('toys');
    INSERT INTO parents VALUES (0, 'nobody'), (1, 'a'), (2, 'b');
    INSERT INTO children VALUES (1, 1, 5), (2, 1, 6), (3, 2, 7);
    INSERT INTO friends VALUES (1, 1), (2, 2), (3, NULL);
    INSERT INTO guests VALUES (1, 1), (2, 2);
    INSERT INTO toys SELECT i, 1 + i % 3 FROM generate_series(1, 9) AS i;
";
const FAMILY_TABLES: [&str; 5] = ["parents", "children", "friends", "guests", "toys"];

#[test]
fn cascaded_changes_are_reverted_with_their_cause() {
    let (_, conn) = &mut Database::with(FAMILY);
    for sql in [
        "DELETE FROM parents WHERE id = 1",
        "DELETE FROM parents WHERE id > 0",
        "TRUNCATE parents CASCADE",
        "INSERT INTO parents VALUES (4, 'd'); INSERT INTO children VALUES (4, 4); INSERT INTO toys VALUES (10, 4); INSERT INTO friends VALUES (4, 4)",
        "UPDATE children SET age = 0; DELETE FROM parents WHERE id = 2; UPDATE toys SET id = -id",
        "DELETE FROM toys; DELETE FROM children; UPDATE friends SET parent = 0; UPDATE guests SET parent = NULL; DELETE FROM parents",
        "DELETE FROM friends; DELETE FROM guests; UPDATE parents SET id = id + 10",
    ] {
        there_and_back(conn, &FAMILY_TABLES, sql);
    }
}

#[test]
fn keys_that_references_follow_go_back_with_them() {
    let (_, conn) = &mut Database::with(FAMILY);
    run(conn, "DELETE FROM guests");
    there_and_back(
        conn,
        &FAMILY_TABLES,
        "UPDATE parents SET id = 11 WHERE id = 1",
    );
    there_and_back(
        conn,
        &FAMILY_TABLES,
        "UPDATE parents SET id = 11 WHERE id = 1; UPDATE children SET id = id + 100, age = 99; UPDATE parents SET name = 'z' WHERE id = 11",
    );
}

#[test]
fn rows_that_refer_to_themselves_and_to_each_other() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE staff (id int PRIMARY KEY, boss int REFERENCES staff ON DELETE CASCADE, mate int REFERENCES staff ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED);
         SELECT threadline.audit('staff');
         INSERT INTO staff VALUES (1, 1), (2, 1), (3, 2), (4, 3);",
    );
    for sql in [
        "INSERT INTO staff VALUES (9, 9, 9)",
        "DELETE FROM staff WHERE id = 1",
        "DELETE FROM staff WHERE id = 2",
        "TRUNCATE staff",
    ] {
        there_and_back(conn, &["staff"], sql);
    }
}

#[test]
fn constraints_that_are_deferred_in_the_mistake_are_met_in_the_revert() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE parents (id int PRIMARY KEY);
         CREATE TABLE children (id int PRIMARY KEY, parent int NOT NULL REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
         SELECT threadline.audit('parents'), threadline.audit('children');
         INSERT INTO parents VALUES (1); INSERT INTO children VALUES (1, 1);",
    );
    for sql in [
        "INSERT INTO children VALUES (2, 2); INSERT INTO parents VALUES (2)",
        "DELETE FROM parents; DELETE FROM children",
        "DELETE FROM parents; INSERT INTO parents VALUES (5); UPDATE children SET parent = 5",
    ] {
        there_and_back(conn, &["parents", "children"], sql);
    }
}

#[test]
fn a_chain_of_references_takes_no_pass_for_each_link() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE links (id int PRIMARY KEY, previous int REFERENCES links ON DELETE CASCADE); SELECT threadline.audit('links');
         INSERT INTO links SELECT i, nullif(i - 1, 0) FROM generate_series(1, 1000) AS i;",
    );
    let before = state(conn, &["links"]);
    let mistake = transaction(conn, "DELETE FROM links WHERE id = 1");
    assert_eq!(revert_transaction(conn, mistake).unwrap(), 1000);
    assert_eq!(state(conn, &["links"]), before);
}

#[test]
fn a_partition_is_reverted_through_its_table() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE events (id int, day date, body text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
         CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
         CREATE TABLE events_2 PARTITION OF events DEFAULT;
         SELECT threadline.audit('events');
         INSERT INTO events VALUES (1, '2026-01-05', 'a'), (2, '2026-02-05', 'b');",
    );
    let tables = ["events", "events_1", "events_2"];
    for sql in [
        "UPDATE events SET body = 'c'",
        "DELETE FROM events_1",
        "TRUNCATE events",
        "TRUNCATE events_2",
        "INSERT INTO events_2 VALUES (3, '2030-01-01', 'x')",
        "UPDATE events SET day = day + 60",
    ] {
        there_and_back(conn, &tables, sql);
    }
}
