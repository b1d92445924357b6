//! Columns and tables that have changed since.

use threadline::revert_transaction;
use threadline_tests::{Database, assert_rows, assert_value, run, value};

use super::common::{refusal, revert_each, state, transaction};

/// Makes three mistakes on one table, then runs a migration.
fn migrated(migration: &str) -> (Database, [i64; 3]) {
    let (database, mut conn) = Database::with(
        "CREATE TABLE notes (id int PRIMARY KEY, body text, pages int); SELECT threadline.audit('notes');
         INSERT INTO notes VALUES (1, 'one', 1), (2, 'two', 2)",
    );
    let conn = &mut conn;
    let mistakes = [
        transaction(
            conn,
            "UPDATE notes SET body = 'wrong', pages = 9 WHERE id = 1",
        ),
        transaction(conn, "DELETE FROM notes WHERE id = 2"),
        transaction(conn, "INSERT INTO notes VALUES (3, 'three', 3)"),
    ];
    run(conn, migration);
    (database, mistakes)
}

#[test]
fn a_column_added_since_keeps_what_it_has_and_gets_its_default() {
    for refresh in ["", "SELECT threadline.refresh('notes')"] {
        let (database, mistakes) = migrated(&format!(
            "ALTER TABLE notes ADD stars int DEFAULT 5, ADD note text; UPDATE notes SET note = 'new' WHERE id = 1; {refresh}"
        ));
        let conn = &mut database.connect();
        revert_each(conn, mistakes);
        assert_rows(
            conn,
            "SELECT * FROM notes ORDER BY id",
            ["1 | one | 1 | 5 | new", "2 | two | 2 | 5 | NULL"],
        );
    }
}

#[test]
fn a_column_added_since_that_takes_no_null_refuses_the_row() {
    let (database, [_, deleted, _]) = migrated(
        "ALTER TABLE notes ADD stars int NOT NULL DEFAULT 0; ALTER TABLE notes ALTER stars DROP DEFAULT",
    );
    let conn = &mut database.connect();
    insta::assert_snapshot!(refusal(conn, &["notes"], deleted));
}

#[test]
fn a_column_added_since_of_a_domain_that_takes_no_null_gets_its_default() {
    let (database, mistakes) = migrated(
        "CREATE DOMAIN stars AS int NOT NULL; ALTER TABLE notes ADD stars stars DEFAULT 5",
    );
    let conn = &mut database.connect();
    revert_each(conn, mistakes);
    assert_rows(
        conn,
        "SELECT * FROM notes ORDER BY id",
        ["1 | one | 1 | 5", "2 | two | 2 | 5"],
    );
}

#[test]
fn columns_renamed_since_are_followed() {
    for refresh in ["", "SELECT threadline.refresh('notes')"] {
        for renames in [
            "ALTER TABLE notes RENAME body TO words; ALTER TABLE notes RENAME id TO no",
            "ALTER TABLE notes RENAME body TO x; ALTER TABLE notes RENAME pages TO body; ALTER TABLE notes RENAME x TO pages",
        ] {
            let (database, mistakes) = migrated(&format!("{renames}; {refresh}"));
            let conn = &mut database.connect();
            revert_each(conn, mistakes);
            assert_eq!(state(conn, &["notes"]), "notes\n(1,one,1)\n(2,two,2)\n");
        }
    }
}

#[test]
fn a_column_dropped_since_conflicts_with_changes_of_only_it() {
    for refresh in ["", "SELECT threadline.refresh('notes')"] {
        let (database, [updated, deleted, inserted]) =
            migrated(&format!("ALTER TABLE notes DROP pages; {refresh}"));
        let conn = &mut database.connect();
        insta::allow_duplicates! {
            insta::assert_snapshot!("dropped", refusal(conn, &["notes"], updated));
        }
        revert_transaction(conn, deleted).unwrap();
        revert_transaction(conn, inserted).unwrap();
        assert_eq!(state(conn, &["notes"]), "notes\n(1,wrong)\n(2,two)\n");
    }
}

#[test]
fn values_fit_a_column_whose_type_changed_since() {
    let (database, mistakes) = migrated(
        "ALTER TABLE notes ALTER pages TYPE bigint; ALTER TABLE notes ALTER body TYPE varchar(5)",
    );
    let conn = &mut database.connect();
    run(conn, "SELECT threadline.refresh('notes')");
    revert_each(conn, mistakes);
    assert_eq!(state(conn, &["notes"]), "notes\n(1,one,1)\n(2,two,2)\n");
}

#[test]
fn a_value_that_its_column_no_longer_takes_is_a_reason() {
    let (database, [_, deleted, _]) =
        migrated("ALTER TABLE notes ALTER body TYPE int USING length(body)");
    let conn = &mut database.connect();
    insta::assert_snapshot!(refusal(conn, &["notes"], deleted));
}

#[test]
fn a_table_renamed_moved_or_created_again_since() {
    for migration in [
        "ALTER TABLE notes RENAME TO papers",
        "ALTER TABLE notes RENAME TO papers; CREATE SCHEMA app; ALTER TABLE papers SET SCHEMA app; CREATE TABLE notes (id int PRIMARY KEY); SET search_path = app",
        "CREATE TABLE papers (LIKE notes INCLUDING ALL); INSERT INTO papers SELECT * FROM notes; DROP TABLE notes;
         ALTER TABLE papers RENAME TO notes; SELECT threadline.audit('notes'); ALTER TABLE notes RENAME TO papers",
    ] {
        let (database, mistakes) = migrated(migration);
        let conn = &mut database.connect();
        revert_each(conn, mistakes);
        run(conn, "SET search_path = app, public");
        assert_eq!(state(conn, &["papers"]), "papers\n(1,one,1)\n(2,two,2)\n");
    }
}

#[test]
fn a_table_that_is_no_longer_audited_is_left_alone() {
    for migration in [
        "SELECT threadline.unaudit('notes')",
        "ALTER TABLE notes RENAME TO old; DROP TABLE old; CREATE TABLE notes (id int PRIMARY KEY, body text, pages int)",
    ] {
        let (database, [updated, ..]) = migrated(migration);
        let conn = &mut database.connect();
        insta::allow_duplicates! {
            insta::assert_snapshot!("no_longer_audited", refusal(conn, &["notes"], updated));
        }
    }
}

#[test]
fn changes_restored_from_a_dump_can_be_reverted_there() {
    let (database, mistakes) = migrated("ANALYZE");
    let (_, conn) = &mut database.restored().connected();
    revert_each(conn, mistakes);
    assert_eq!(state(conn, &["notes"]), "notes\n(1,one,1)\n(2,two,2)\n");
    assert_value(
        conn,
        "SELECT count(DISTINCT transaction_id) FROM threadline.audit_changes",
        "7",
    );
}

#[test]
fn a_child_with_the_same_key_is_somebody_else() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE people (id int PRIMARY KEY, name text);
         CREATE TABLE staff (PRIMARY KEY (id), pay int) INHERITS (people);
         SELECT threadline.audit('people'), threadline.audit('staff');
         INSERT INTO people VALUES (1, 'a'); INSERT INTO staff VALUES (1, 'child', 10), (2, 'child', 20)",
    );
    let at = value(conn, "SELECT clock_timestamp()").unwrap();
    let mistake = transaction(conn, "UPDATE ONLY people SET name = 'wrong' WHERE id = 1");
    assert_rows(
        conn,
        &format!("SELECT record_key, image FROM threadline.rows_as_of('people', '{at}')"),
        [r#"1 | {"id": 1, "name": "a"}"#],
    );
    revert_transaction(conn, mistake).unwrap();
    let inserted = transaction(conn, "INSERT INTO people VALUES (2, 'b')");
    revert_transaction(conn, inserted).unwrap();
    assert_rows(
        conn,
        "SELECT tableoid::regclass, id, name FROM people ORDER BY 1, 2",
        ["people | 1 | a", "staff | 1 | child", "staff | 2 | child"],
    );
}
