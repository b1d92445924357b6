//! Conflicts of a revert: all of them are reported, and nothing is changed.

use threadline::{
    ActorRef, AuditContext, AuditExt, ErrorKind, revert_transaction, revert_transaction_but,
};
use threadline_tests::{Database, assert_contains, assert_rows, rows, run, value};

use super::common::{refusal, state, transaction};

const SHOP: &str = "
    CREATE TABLE shops (id int PRIMARY KEY, name text UNIQUE, stars int CHECK (stars < 6));
    CREATE TABLE prices (shop int, no int, price numeric, PRIMARY KEY (shop, no));
    CREATE TABLE sales (id int PRIMARY KEY, shop int REFERENCES shops ON DELETE CASCADE);
    CREATE TABLE strict (id int PRIMARY KEY, shop int REFERENCES shops);
    SELECT threadline.audit('shops'), threadline.audit('prices'), threadline.audit('sales'), threadline.audit('strict');
    INSERT INTO shops VALUES (1, 'a', 1), (2, 'b', 2), (3, 'c', 3), (4, 'd', 4);
    INSERT INTO prices VALUES (1, 1, 1.50), (1, 2, 2.50);
";
const TABLES: [&str; 4] = ["shops", "prices", "sales", "strict"];

fn shop() -> (Database, diesel::PgConnection) {
    Database::with(SHOP)
}

/// Makes a mistake and later changes, and returns the reasons why the revert is refused.
#[track_caller]
fn refused(mistake: &str, since: &str) -> String {
    let (_, conn) = &mut shop();
    let mistake = transaction(conn, mistake);
    run(conn, since);
    refusal(conn, &TABLES, mistake)
}

#[test]
fn a_value_changed_since_is_a_conflict() {
    insta::assert_snapshot!(refused(
        "UPDATE shops SET name = 'x', stars = 5 WHERE id = 1",
        "UPDATE shops SET name = 'y', stars = 4 WHERE id = 1"
    ));
}

#[test]
fn a_value_changed_since_in_another_column_does_not_matter() {
    let (_, conn) = &mut shop();
    let mistake = transaction(conn, "UPDATE shops SET name = 'x' WHERE id = 1");
    run(conn, "UPDATE shops SET stars = 5 WHERE id = 1");
    revert_transaction(conn, mistake).unwrap();
    assert!(state(conn, &["shops"]).contains("(1,a,5)"));
}

#[test]
fn an_inserted_row_that_changed_since_is_a_conflict() {
    insta::assert_snapshot!(refused(
        "INSERT INTO shops VALUES (5, 'e', 5)",
        "UPDATE shops SET stars = 4 WHERE id = 5"
    ));
}

#[test]
fn a_missing_row_is_a_conflict() {
    insta::assert_snapshot!(refused(
        "UPDATE shops SET name = 'x' WHERE id = 1; INSERT INTO prices VALUES (9, 9, 9)",
        "DELETE FROM shops WHERE id = 1; UPDATE prices SET no = 10 WHERE no = 9"
    ));
}

#[test]
fn another_row_with_the_key_is_a_conflict() {
    insta::assert_snapshot!(refused(
        "DELETE FROM prices WHERE no = 1; UPDATE prices SET no = 3 WHERE no = 2",
        "INSERT INTO prices VALUES (1, 1, 7), (1, 2, 7)"
    ));
}

#[test]
fn a_reference_to_a_row_to_delete_is_a_conflict() {
    insta::assert_snapshot!(refused(
        "INSERT INTO shops VALUES (5, 'e', 5), (6, 'f', 5), (7, 'g', 5)",
        "INSERT INTO sales VALUES (1, 5); INSERT INTO strict VALUES (1, 6)"
    ));
}

#[test]
fn rows_of_an_unaudited_table_refer_to_it_too() {
    let (_, conn) = &mut shop();
    run(
        conn,
        r#"CREATE SCHEMA "Other"; CREATE TABLE "Other"."Rows" (shop int REFERENCES shops ON DELETE SET NULL)"#,
    );
    let mistake = transaction(conn, "INSERT INTO shops VALUES (5, 'e', 5)");
    run(conn, r#"INSERT INTO "Other"."Rows" VALUES (5)"#);
    insta::assert_snapshot!(refusal(conn, &[r#""Other"."Rows""#, "shops"], mistake));
}

#[test]
fn a_violated_constraint_is_a_conflict() {
    let (_, conn) = &mut shop();
    run(
        conn,
        "INSERT INTO strict VALUES (1, 4); UPDATE shops SET stars = 0 WHERE id = 4",
    );
    let mistake = transaction(
        conn,
        "UPDATE shops SET name = 'x' WHERE id = 1;
         UPDATE shops SET stars = 5 WHERE id = 2;
         UPDATE shops SET name = NULL WHERE id = 3;
         DELETE FROM strict; DELETE FROM shops WHERE id = 4",
    );
    run(
        conn,
        "INSERT INTO shops VALUES (9, 'a', 5), (10, 'd', 5);
         ALTER TABLE shops ADD CONSTRAINT many_stars CHECK (stars > 2) NOT VALID;
         UPDATE shops SET name = 'long enough', stars = 4 WHERE name IS NULL;
         ALTER TABLE shops ALTER name SET NOT NULL",
    );
    insta::assert_snapshot!(refusal(conn, &TABLES, mistake));
}

#[test]
fn a_deferred_constraint_is_a_reason_too_and_not_an_error_at_the_end() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE parents (id int PRIMARY KEY, no int UNIQUE DEFERRABLE INITIALLY DEFERRED);
         CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
         SELECT threadline.audit('parents'), threadline.audit('children');
         INSERT INTO parents VALUES (1, 1)",
    );
    let mistake = transaction(
        conn,
        "INSERT INTO parents VALUES (2, 2); UPDATE parents SET no = 7 WHERE id = 1; INSERT INTO children VALUES (5, 1); DELETE FROM children",
    );
    run(
        conn,
        "INSERT INTO children VALUES (1, 2); INSERT INTO parents VALUES (3, 1)",
    );
    insta::assert_snapshot!(refusal(conn, &["parents", "children"], mistake));
}

#[test]
fn constraints_that_the_caller_deferred_stay_deferred() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE parents (id int PRIMARY KEY, body text);
         CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
         SELECT threadline.audit('parents'), threadline.audit('children');
         INSERT INTO parents VALUES (1, 'a')",
    );
    let mistake = transaction(conn, "UPDATE parents SET body = 'b'");
    diesel::Connection::transaction::<_, threadline::Error, _>(conn, |conn| {
        revert_transaction(conn, mistake)?;
        run(
            conn,
            "INSERT INTO children VALUES (1, 2); INSERT INTO parents VALUES (2)",
        );
        Ok(())
    })
    .unwrap();
}

#[test]
fn one_conflict_among_many_changes_and_all_conflicts_are_listed() {
    let (_, conn) = &mut shop();
    let mistake = transaction(
        conn,
        "UPDATE shops SET name = name || '!', stars = 5; DELETE FROM prices; INSERT INTO sales VALUES (1, 1), (2, 2)",
    );
    run(
        conn,
        "UPDATE shops SET name = 'other' WHERE id = 3; INSERT INTO prices VALUES (1, 2, 0); DELETE FROM sales WHERE id = 2",
    );
    insta::assert_snapshot!(refusal(conn, &TABLES, mistake));
    let error = revert_transaction(conn, mistake).unwrap_err();
    let ErrorKind::RevertConflicts(conflicts) = error.kind() else {
        panic!("{error}");
    };
    assert_eq!(conflicts.len(), 3);
    assert_eq!(conflicts[1].table.as_deref(), Some("public.prices"));
    assert_eq!(
        conflicts[1].key,
        Some(serde_json::json!({"shop": 1, "no": 2}))
    );
    assert!(
        conflicts
            .iter()
            .all(|conflict| conflict.change_id.is_some())
    );
}

#[test]
fn a_reverted_transaction_cannot_be_reverted_again() {
    let (_, conn) = &mut shop();
    let mistake = transaction(
        conn,
        "UPDATE shops SET name = 'x' WHERE id = 1; INSERT INTO sales VALUES (1, 1); DELETE FROM prices WHERE no = 1",
    );
    revert_transaction(conn, mistake).unwrap();
    insta::assert_snapshot!(refusal(conn, &TABLES, mistake));
}

#[test]
fn an_earlier_change_by_the_caller_in_the_same_transaction_is_a_change_since() {
    let (_, conn) = &mut shop();
    let mistake = transaction(conn, "UPDATE shops SET name = 'x' WHERE id = 1");
    diesel::Connection::transaction::<(), diesel::result::Error, _>(conn, |conn| {
        run(conn, "UPDATE shops SET name = 'y' WHERE id = 1");
        insta::assert_snapshot!(refusal(conn, &TABLES, mistake));
        Ok(())
    })
    .unwrap();
}

#[test]
fn texts_of_others_cannot_forge_the_message() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE notes (id text PRIMARY KEY, body text UNIQUE); SELECT threadline.audit('notes');
         INSERT INTO notes VALUES (E'1\n  public.notes: all well\\u001b[2J', E'one\u{1b}[2J\n')",
    );
    let mistake = transaction(conn, "UPDATE notes SET body = 'x'");
    run(conn, "INSERT INTO notes VALUES ('2', E'one\u{1b}[2J\n')");
    insta::assert_snapshot!(refusal(conn, &["notes"], mistake));
}

/// A change that was corrected by hand may be left out; that is recorded.
#[test]
fn conflicting_records_can_be_left_out() {
    let (_, conn) = &mut shop();
    let mistake = transaction(
        conn,
        "UPDATE shops SET name = name || '!' WHERE id < 4; UPDATE shops SET stars = 0 WHERE id = 2; DELETE FROM prices",
    );
    run(
        conn,
        "UPDATE shops SET name = 'kept' WHERE id = 2; INSERT INTO prices VALUES (1, 2, 9)",
    );
    let grace = AuditContext::new(ActorRef::admin("grace").unwrap());
    let revert = |conn: &mut _, leave_out: &[i64]| {
        AuditExt::audited_transaction(conn, &grace, |conn| {
            revert_transaction_but(conn, mistake, leave_out)
        })
    };
    let error = revert(conn, &[]).unwrap_err();
    let ErrorKind::RevertConflicts(conflicts) = error.kind() else {
        panic!("{error}");
    };
    let against: Vec<_> = conflicts
        .iter()
        .filter_map(|conflict| conflict.change_id)
        .collect();
    assert_eq!(against.len(), 2, "{conflicts:?}");
    // One of them is not enough, and nothing is changed meanwhile.
    let before = state(conn, &TABLES);
    assert!(revert(conn, &against[..1]).is_err());
    assert_eq!(state(conn, &TABLES), before);
    // If a record is left out, none of its changes is undone.
    assert_eq!(revert(conn, &against).unwrap(), 3);
    assert_rows(
        conn,
        "SELECT name, stars FROM shops ORDER BY id",
        ["a | 1", "kept | 0", "c | 3", "d | 4"],
    );
    assert_rows(
        conn,
        "SELECT no, price FROM prices ORDER BY no",
        ["1 | 1.50", "2 | 9"],
    );
    assert_eq!(
        rows(
            conn,
            "SELECT name, actor_id, meta FROM threadline.audit_actions"
        ),
        [format!(
            r#"revert.left_out | grace | {{"changes": [{}, {}], "transaction": {mistake}}}"#,
            against[0], against[1]
        )]
    );
    let error = revert(conn, &[99_999]).unwrap_err().to_string();
    assert_contains(&error, "change 99999 is not one of transaction");
}

#[test]
fn an_ignored_column_is_neither_compared_nor_restored() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE posts (id int PRIMARY KEY, name text, score int, rank int NOT NULL);
         SELECT threadline.audit('posts', ignore => ARRAY['score', 'rank']);
         INSERT INTO posts VALUES (1, 'a', 1, 1), (2, 'b', 2, 2);",
    );
    let mistake = transaction(
        conn,
        "UPDATE posts SET name = 'x', score = 10, rank = 10 WHERE id = 1;
         INSERT INTO posts VALUES (3, 'c', 3, 3);
         DELETE FROM posts WHERE id = 2",
    );
    run(
        conn,
        "UPDATE posts SET score = 11;
         ALTER TABLE posts RENAME rank TO place; UPDATE posts SET place = 12",
    );
    revert_transaction(conn, mistake).unwrap();
    assert_eq!(state(conn, &["posts"]), "posts\n(1,a,11,12)\n(2,b,2,2)\n");

    let then = value(conn, "SELECT clock_timestamp()").unwrap();
    run(conn, "UPDATE posts SET name = 'x', score = 20 WHERE id = 1");
    run(conn, "UPDATE posts SET score = 21 WHERE id = 1");
    let reverted = format!("SELECT threadline.revert_record('posts', '1', '{then}')");
    assert_eq!(value(conn, &reverted), None);
    assert_eq!(state(conn, &["posts"]), "posts\n(1,a,21,12)\n(2,b,2,2)\n");
}
