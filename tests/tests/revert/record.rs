//! Reverts of one record to its state at an instant.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use threadline::{ActorRef, AuditContext, AuditExt, Audited, ErrorKind, Operation};
use threadline_tests::{Database, assert_value, now, run};

use super::common::{last, reasons, state};

diesel::table! {
    notes (id) { id -> Int4, body -> Nullable<Text>, price -> Nullable<Numeric>, }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = notes)]
struct Note {
    id: i32,
    #[allow(dead_code)]
    body: Option<String>,
}

fn notes() -> (Database, PgConnection) {
    Database::with(
        "CREATE TABLE notes (id int PRIMARY KEY, body text, price numeric); SELECT threadline.audit('notes');
         INSERT INTO notes VALUES (1, 'one', 1.50), (2, 'two', NULL)",
    )
}

/// Runs statements; returns the instant before, and the state before.
fn after(conn: &mut PgConnection, sql: &str) -> (DateTime<Utc>, String) {
    let before = (now(conn), state(conn, &["notes"]));
    run(conn, sql);
    before
}

/// Returns why a record cannot be reverted; the attempt changes nothing.
#[track_caller]
fn refused(conn: &mut PgConnection, id: i32, instant: DateTime<Utc>) -> String {
    let before = state(conn, &["notes"]);
    let said = reasons(Note::revert_to(conn, id, instant).unwrap_err());
    assert_eq!(state(conn, &["notes"]), before);
    said
}

/// Runs statements and reverts one record: the state is that before.
#[track_caller]
fn reverted(conn: &mut PgConnection, id: i32, sql: &str) {
    let (instant, before) = after(conn, sql);
    Note::revert_to(conn, id, instant).unwrap();
    assert_eq!(state(conn, &["notes"]), before, "{sql}");
}

#[test]
fn a_record_is_reverted_to_before_an_update() {
    let (_, conn) = &mut notes();
    for sql in [
        "UPDATE notes SET body = 'x' WHERE id = 1",
        "UPDATE notes SET body = 'x', price = NULL WHERE id = 1; UPDATE notes SET body = 'y' WHERE id = 1",
        "UPDATE notes SET price = 1.5 WHERE id = 1",
        "BEGIN; UPDATE notes SET body = NULL WHERE id = 1; COMMIT; UPDATE notes SET price = 1.5000 WHERE id = 1",
    ] {
        reverted(conn, 1, sql);
    }
}

#[test]
fn a_record_is_reverted_to_each_of_its_states_and_back() {
    let (_, conn) = &mut notes();
    let mut lives = vec![];
    for sql in [
        "UPDATE notes SET body = 'a' WHERE id = 1",
        "DELETE FROM notes WHERE id = 1",
        "INSERT INTO notes VALUES (1, 'b', 2)",
        "UPDATE notes SET body = 'c', price = 3 WHERE id = 1",
        "TRUNCATE notes",
        "INSERT INTO notes VALUES (1, 'd')",
    ] {
        lives.push(after(conn, sql));
    }
    run(conn, "DELETE FROM notes WHERE id = 2");
    // There and back in every order of two instants.
    for from in 0..lives.len() {
        for to in 0..lives.len() {
            for (instant, state_then) in [&lives[from], &lives[to]] {
                Note::revert_to(conn, 1, *instant).unwrap();
                let then = state_then.lines().find(|line| line.starts_with("(1,"));
                let now = state(conn, &["notes"]);
                assert_eq!(now.lines().find(|line| line.starts_with("(1,")), then);
            }
        }
    }
}

#[test]
fn a_revert_to_the_present_state_writes_nothing() {
    let (_, conn) = &mut notes();
    let before = last(conn);
    let instant = now(conn);
    Note::revert_to(conn, 1, instant).unwrap();
    // This one never existed.
    Note::revert_to(conn, 77, instant).unwrap();
    assert_eq!(last(conn), before);
}

#[test]
fn a_revert_is_recorded_under_the_current_actor() {
    let (_, conn) = &mut notes();
    let (instant, before) = after(conn, "DELETE FROM notes WHERE id = 1");
    let context = AuditContext::new(ActorRef::admin("grace").unwrap());
    conn.audited_transaction::<_, threadline::Error, _>(&context, |conn| {
        Note::revert_to(conn, 1, instant)
    })
    .unwrap();
    assert_eq!(state(conn, &["notes"]), before);
    let history = Note::history_of(conn, 1).unwrap();
    assert_eq!(history[0].operation, Operation::Insert);
    assert_eq!(history[0].actor(), Some(&ActorRef::admin("grace").unwrap()));
    assert_eq!(history[1].operation, Operation::Delete);
}

#[test]
fn a_record_that_has_another_key_now_is_not_doubled() {
    let (_, conn) = &mut notes();
    let (instant, _) = after(conn, "UPDATE notes SET id = 9 WHERE id = 1");
    insta::assert_snapshot!(refused(conn, 1, instant));
}

#[test]
fn a_record_that_had_another_key_then_is_not_deleted() {
    let (_, conn) = &mut notes();
    let (instant, _) = after(conn, "UPDATE notes SET id = 9 WHERE id = 1");
    insta::assert_snapshot!(refused(conn, 9, instant));
    // Under its present key, it reverts to any instant since.
    reverted(conn, 9, "UPDATE notes SET body = 'x' WHERE id = 9");
}

#[test]
fn a_record_that_another_one_follows_under_its_key_is_not_written_over_it() {
    let (_, conn) = &mut notes();
    let (instant, _) = after(
        conn,
        "UPDATE notes SET id = 3 WHERE id = 2; UPDATE notes SET id = 2 WHERE id = 1",
    );
    insta::assert_snapshot!(refused(conn, 2, instant));
}

#[test]
fn a_key_that_went_and_came_back_is_the_record_that_it_was() {
    let (_, conn) = &mut notes();
    let (instant, before) = after(
        conn,
        "UPDATE notes SET id = 9 WHERE id = 1; UPDATE notes SET id = 1, body = 'x' WHERE id = 9",
    );
    match Note::revert_to(conn, 1, instant) {
        Ok(()) => assert_eq!(state(conn, &["notes"]), before),
        // Not followed that far; then nothing is done.
        Err(error) => {
            reasons(error);
            assert_eq!(state(conn, &["notes"]), "notes\n(1,x,1.50)\n(2,two,)\n");
        }
    }
}

#[test]
fn a_record_inserted_where_one_moved_away_is_deleted_again() {
    let (_, conn) = &mut notes();
    run(conn, "UPDATE notes SET id = 9 WHERE id = 1");
    reverted(conn, 1, "INSERT INTO notes VALUES (1, 'new')");
}

#[test]
fn each_obstacle_to_a_revert_is_reported() {
    let (_, conn) = &mut notes();
    run(
        conn,
        "CREATE TABLE tags (id int PRIMARY KEY, note int REFERENCES notes ON DELETE CASCADE);
         CREATE TABLE links (id int PRIMARY KEY, note int REFERENCES notes)",
    );
    let mut said = vec![];
    for instant in ["2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z"] {
        said.push(refused(conn, 1, instant.parse().unwrap()));
    }
    let (instant, _) = after(
        conn,
        "INSERT INTO notes VALUES (3), (4); INSERT INTO tags VALUES (1, 3); INSERT INTO links VALUES (1, 4)",
    );
    said.push(refused(conn, 3, instant));
    said.push(refused(conn, 4, instant));
    let (instant, _) = after(
        conn,
        "UPDATE notes SET body = 'x' WHERE id = 1; ALTER TABLE notes ADD CHECK (body <> 'one') NOT VALID",
    );
    said.push(refused(conn, 1, instant));
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn the_conflict_names_table_and_key() {
    let (_, conn) = &mut notes();
    let error = Note::revert_to(conn, 1, "2000-01-01T00:00:00Z".parse().unwrap()).unwrap_err();
    let ErrorKind::RevertConflicts(conflicts) = error.kind() else {
        panic!("{error}");
    };
    assert_eq!(conflicts.len(), 1);
    assert_eq!(conflicts[0].table.as_deref(), Some("public.notes"));
    assert_eq!(conflicts[0].key, Some(serde_json::json!({"id": 1})));
    assert_eq!(conflicts[0].change_id, None);
}

#[test]
fn a_table_that_is_not_audited_says_so() {
    let (_, conn) = &mut Database::with("CREATE TABLE notes (id int PRIMARY KEY, body text)");
    let instant = now(conn);
    let error = Note::revert_to(conn, 1, instant).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NotAudited { .. }),
        "{error}"
    );
}

mod masked {
    use super::*;

    fn database() -> (Database, PgConnection) {
        Database::with(
            "CREATE TABLE notes (id int PRIMARY KEY, body text, price numeric, hash text);
             SELECT threadline.audit('notes', mask => '{body}', exclude => '{hash}');
             INSERT INTO notes VALUES (1, 'secret', 1.50, 'h'), (2, NULL, 2, NULL)",
        )
    }

    /// Runs statements; returns why the first record is not reverted to its state before.
    #[track_caller]
    fn refused_after(sql: &str) -> String {
        let (_, conn) = &mut database();
        let (instant, _) = after(conn, sql);
        refused(conn, 1, instant)
    }

    #[test]
    fn unchanged_values_cause_no_conflict() {
        let (_, conn) = &mut database();
        let (instant, before) = after(conn, "UPDATE notes SET price = 7");
        for id in [1, 2] {
            Note::revert_to(conn, id, instant).unwrap();
        }
        assert_eq!(state(conn, &["notes"]), before);
    }

    #[test]
    fn changed_columns_are_reverted() {
        insta::assert_snapshot!(refused_after(
            "UPDATE notes SET body = 'other', price = 7 WHERE id = 1"
        ));
    }

    #[test]
    fn null_is_on_record_whatever_came_after_it() {
        let (_, conn) = &mut database();
        reverted(
            conn,
            2,
            "UPDATE notes SET body = 'x' WHERE id = 2; UPDATE notes SET body = 'y' WHERE id = 2",
        );
    }

    #[test]
    fn a_row_that_came_again_does_not_get_the_placeholder() {
        for again in ["NULL", "'another'"] {
            let refused = refused_after(&format!(
                "DELETE FROM notes WHERE id = 1; INSERT INTO notes VALUES (1, {again}, 9, 'h')"
            ));
            insta::allow_duplicates! {
                insta::assert_snapshot!("came_again", refused);
            }
        }
    }

    #[test]
    fn a_row_that_is_gone_does_not_come_back_without_it() {
        insta::assert_snapshot!(refused_after("DELETE FROM notes"));
    }

    #[test]
    fn masked_columns_stay_masked_after_rename() {
        for refresh in ["", "SELECT threadline.refresh('notes')"] {
            let refused = refused_after(&format!(
                "UPDATE notes SET body = 'other' WHERE id = 1; DELETE FROM notes WHERE id = 2; ALTER TABLE notes RENAME body TO words; {refresh}"
            ));
            insta::allow_duplicates! {
                insta::assert_snapshot!("renamed", refused);
            }
        }
    }

    #[test]
    fn a_value_that_was_plain_then_is_reverted() {
        let (_, conn) = &mut database();
        run(
            conn,
            "SELECT threadline.audit('notes', exclude => '{hash}')",
        );
        reverted(conn, 1, "UPDATE notes SET body = 'x' WHERE id = 1");
    }

    #[test]
    fn a_placeholder_is_not_restored_after_the_mask_is_gone() {
        insta::assert_snapshot!(refused_after(
            "UPDATE notes SET body = 'x' WHERE id = 1; SELECT threadline.audit('notes', exclude => '{hash}')"
        ));
    }
}

#[test]
fn a_trigger_that_keeps_time_is_no_obstacle() {
    let (_, conn) = &mut notes();
    run(
        conn,
        "CREATE FUNCTION price_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.price := 42; RETURN NEW; END $$;
         CREATE TRIGGER price_it BEFORE UPDATE ON notes FOR EACH ROW EXECUTE FUNCTION price_it();",
    );
    let (instant, _) = after(conn, "UPDATE notes SET body = 'x' WHERE id = 1");
    Note::revert_to(conn, 1, instant).unwrap();
    assert_value(
        conn,
        "SELECT body || ' ' || price FROM notes WHERE id = 1",
        "one 42",
    );
}
