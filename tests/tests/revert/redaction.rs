//! Values that the audit does not have are never invented.

use diesel::PgConnection;
use threadline::revert_transaction;
use threadline_tests::{Database, assert_value, rows, run, value};

use super::common::{refusal, reverted, there_and_back, transaction};

fn users() -> (Database, PgConnection) {
    Database::with(
        "CREATE TABLE users (id int PRIMARY KEY, name text, email text, born date, logins int, roles text[], hash text,
            lower_email text GENERATED ALWAYS AS (lower(email)) STORED);
         SELECT threadline.audit('users', mask => '{email,born,logins,roles}', exclude => '{hash}');
         INSERT INTO users VALUES (1, 'ada', 'ADA@x', '2000-01-01', 5, '{a}', 'h'), (2, 'bob', NULL, NULL, NULL, NULL, NULL)",
    )
}

/// Asserts that no placeholder got into the table.
#[track_caller]
fn assert_no_placeholder(conn: &mut PgConnection) {
    assert_value(
        conn,
        "SELECT count(*) FROM users AS u WHERE u::text LIKE '%***%' OR logins = 0 OR roles = '{}'",
        "0",
    );
}

/// Returns why a transaction cannot be reverted; the attempt changes nothing.
#[track_caller]
fn refused(conn: &mut PgConnection, mistake: i64) -> String {
    let said = refusal(conn, &["users"], mistake);
    assert_no_placeholder(conn);
    said
}

#[test]
fn plain_columns_are_reverted_beside_redacted_ones() {
    let (_, conn) = &mut users();
    there_and_back(conn, &["users"], "UPDATE users SET name = 'x'");
    let mistake = transaction(conn, "UPDATE users SET name = 'y', hash = 'other'");
    revert_transaction(conn, mistake).unwrap();
    assert_eq!(
        rows(conn, "SELECT name, hash FROM users ORDER BY id"),
        ["ada | other", "bob | other"],
        "of an excluded column nothing is known"
    );
}

#[test]
fn a_masked_null_stays_null_and_can_be_reverted() {
    let (_, conn) = &mut users();
    reverted(
        conn,
        &["users"],
        "UPDATE users SET email = 'X', born = now(), logins = 1, roles = '{x}' WHERE id = 2",
    );
    assert_no_placeholder(conn);
}

#[test]
fn masked_values_are_named_and_not_replaced() {
    let (_, conn) = &mut users();
    let updated = transaction(
        conn,
        "UPDATE users SET email = 'X', born = now(), logins = 1, roles = '{x}', name = 'x'",
    );
    insta::assert_snapshot!("masked_update", refused(conn, updated));
    let to_null = transaction(conn, "UPDATE users SET email = NULL WHERE id = 1");
    insta::assert_snapshot!("masked_to_null", refused(conn, to_null));
}

#[test]
fn a_row_with_what_is_not_on_record_does_not_come_back() {
    let (_, conn) = &mut users();
    let deleted = transaction(conn, "DELETE FROM users");
    insta::assert_snapshot!("deleted", refused(conn, deleted));
}

#[test]
fn a_row_whose_masked_columns_are_all_null_comes_back() {
    let (_, conn) = &mut users();
    run(
        conn,
        "SELECT threadline.audit('users', mask => '{email,born,logins,roles,hash}')",
    );
    reverted(conn, &["users"], "DELETE FROM users WHERE id = 2");
}

#[test]
fn a_masked_column_that_was_renamed_is_still_masked() {
    for refresh in ["", "SELECT threadline.refresh('users')"] {
        let (_, conn) = &mut users();
        run(
            conn,
            "SELECT threadline.audit('users', mask => '{email,born,logins,roles,hash}')",
        );
        let updated = transaction(conn, "UPDATE users SET email = 'X' WHERE id = 1");
        let deleted = transaction(conn, "DELETE FROM users WHERE id = 1");
        run(
            conn,
            &format!("ALTER TABLE users RENAME email TO mail; {refresh}"),
        );
        let reasons = refused(conn, deleted);
        insta::allow_duplicates! {
            insta::assert_snapshot!("renamed", reasons);
        }
        refused(conn, updated);
    }
}

#[test]
fn masked_values_are_not_reverted_whenever_the_mask_was_set() {
    let (_, conn) = &mut users();
    run(
        conn,
        "SELECT threadline.audit('users', exclude => '{hash}')",
    );
    let in_clear = transaction(conn, "UPDATE users SET email = 'Clear@x' WHERE id = 1");
    run(
        conn,
        "SELECT threadline.audit('users', mask => '{email}', exclude => '{hash}')",
    );
    insta::assert_snapshot!("masked_since", refused(conn, in_clear));
    let masked = transaction(conn, "UPDATE users SET email = 'Masked@x' WHERE id = 1");
    let from_null = transaction(conn, "UPDATE users SET email = 'New@x' WHERE id = 2");
    run(
        conn,
        "SELECT threadline.audit('users', exclude => '{hash}')",
    );
    insta::assert_snapshot!("no_longer_masked", refused(conn, masked));
    // Its value was NULL then.
    revert_transaction(conn, from_null).unwrap();
    assert_eq!(value(conn, "SELECT email FROM users WHERE id = 2"), None);
    assert_no_placeholder(conn);
}

#[test]
fn a_deleted_row_with_placeholders_does_not_come_back_after_the_mask_is_gone() {
    let (_, conn) = &mut users();
    run(conn, "SELECT threadline.audit('users', mask => '{email}')");
    let deleted = transaction(conn, "DELETE FROM users WHERE id = 1");
    run(conn, "SELECT threadline.audit('users')");
    insta::assert_snapshot!(refused(conn, deleted));
}

#[test]
fn that_a_masked_value_changed_since_is_seen_though_it_is_not_shown() {
    let (_, conn) = &mut users();
    let inserted = transaction(conn, "INSERT INTO users VALUES (3, 'eve', 'eve@x')");
    let set = transaction(conn, "UPDATE users SET email = 'bob@x' WHERE id = 2");
    run(conn, "UPDATE users SET email = email || '.org'");
    insta::assert_snapshot!("masked_changed_since_insert", refused(conn, inserted));
    insta::assert_snapshot!("masked_changed_since_update", refused(conn, set));
}

#[test]
fn a_masked_value_that_the_mistake_itself_changed_twice_is_no_change_since() {
    let (_, conn) = &mut users();
    reverted(
        conn,
        &["users"],
        "INSERT INTO users VALUES (3, 'eve'); UPDATE users SET email = 'eve@x' WHERE id = 3; UPDATE users SET name = 'e' WHERE id = 3;
         UPDATE users SET email = 'bob@x' WHERE id = 2",
    );
}
