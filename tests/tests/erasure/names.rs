//! Columns that are renamed, dropped, added again or generated from others.

use threadline_tests::{Database, age, assert_refused, assert_rows, rows, run, value};

use crate::{DRIFT, audit_contents, complete, erase, people, people_with, stores};

#[test]
fn columns_renamed_while_an_erasure_waits_are_erased() {
    for refreshed in [true, false] {
        let (database, conn) = &mut people_with(
            "INSERT INTO users VALUES (42, 'jane@a', NULL, 'free');
             INSERT INTO addresses VALUES (1, 42, 'jane street', 'Bern'), (2, 43, 'bob street', 'Bern')",
        );
        let id = value(
            conn,
            "SELECT threadline.begin_erasure('users', '42', reason => 'r')",
        )
        .unwrap();
        run(conn, &format!("SELECT threadline.erase({id})"));
        run(
            conn,
            "ALTER TABLE users RENAME email TO mail; ALTER TABLE users RENAME plan TO email;
             ALTER TABLE addresses RENAME street TO road;
             ALTER TABLE addresses RENAME user_id TO owner_id; ALTER TABLE addresses RENAME city TO user_id",
        );
        if refreshed {
            run(
                conn,
                "SELECT threadline.refresh('users'); SELECT threadline.refresh('addresses')",
            );
        }
        run(
            conn,
            "UPDATE users SET mail = 'jane@b'; INSERT INTO addresses VALUES (3, 42, 'jane street 2', 'Thun'), (4, 43, 'bob street 2', '42')",
        );
        complete(conn, &id);
        let left = audit_contents(database);
        for gone in ["jane@", "jane street"] {
            assert!(!left.contains(gone), "{refreshed}: {gone} in {left}");
        }
        for kept in ["bob street", "bob street 2", "free", "Bern", "Thun"] {
            assert!(left.contains(kept), "{refreshed}: {kept} in {left}");
        }
        assert_eq!(rows(conn, DRIFT), [""; 0], "{refreshed}");
        // Recorded again under the new name.
        run(conn, "UPDATE users SET mail = 'jane@c', email = 'paid'");
        assert_eq!(rows(conn, DRIFT), ["erased-recorded-again"], "{refreshed}");
        erase(conn, "'users', '42'");
        assert!(!stores(database, "jane@"), "{refreshed}");
        assert_eq!(rows(conn, DRIFT), [""; 0], "{refreshed}");
    }
}

#[test]
fn chosen_columns_are_erased_by_any_name_that_they_had() {
    for (column, kept) in [("email", "free"), ("mail", "free"), ("plan", "jane@")] {
        let (database, conn) = &mut people_with(
            "INSERT INTO users VALUES (42, 'jane@a', NULL, 'free');
             ALTER TABLE users RENAME email TO mail; SELECT threadline.refresh('users'); UPDATE users SET mail = 'jane@b';
             DELETE FROM users",
        );
        erase(
            conn,
            &format!("'users', '42', columns => '{{users.{column}}}'"),
        );
        for text in ["jane@", "free"] {
            assert_eq!(stores(database, text), text == kept, "{column}: {text}");
        }
    }
    let (_, conn) = &mut people_with(
        "INSERT INTO users VALUES (42, 'jane@a', NULL, 'free'); ALTER TABLE users RENAME email TO mail",
    );
    for (column, message) in [
        (
            "mail",
            "columns of table public.users were renamed, and the audit has not noted it",
        ),
        ("emial", "columns of table public.users were renamed"),
    ] {
        assert_refused(
            conn,
            &format!(
                "SELECT threadline.begin_erasure('users', '42', 'r', columns => '{{{column}}}')"
            ),
            message,
        );
    }
}

/// A name passes from one column to another, twice, and the first is dropped.
#[test]
fn a_chosen_column_of_which_others_have_the_names_is_erased() {
    let (database, conn) = &mut people();
    for statements in [
        "INSERT INTO users VALUES (42, 'jane@a', NULL, 'free');
         ALTER TABLE users RENAME email TO mail; SELECT threadline.refresh('users'); UPDATE users SET mail = 'jane@b'",
        "ALTER TABLE users DROP mail; ALTER TABLE users RENAME plan TO mail; SELECT threadline.refresh('users'); UPDATE users SET mail = 'paid'",
    ] {
        run(conn, statements);
    }
    erase(conn, "'users', '42', columns => '{users.email}'");
    let left = audit_contents(database);
    assert!(!left.contains("jane@"), "{left}");
    assert!(left.contains("free") && left.contains("paid"), "{left}");
}

#[test]
fn a_dropped_column_is_erased_when_another_has_its_name() {
    let (database, conn) = &mut people_with(
        "INSERT INTO users VALUES (42, 'jane@a', '1990-01-01', 'free');
         INSERT INTO addresses VALUES (1, 42, 'jane street', 'Bern'), (2, 43, 'bob street', 'Bern');
         ALTER TABLE users DROP email; SELECT threadline.audit('users', personal => ARRAY['born']);
         ALTER TABLE users ADD email boolean; SELECT threadline.audit('users', personal => ARRAY['born']);
         ALTER TABLE users DROP born; ALTER TABLE users RENAME plan TO born; SELECT threadline.audit('users');
         ALTER TABLE addresses DROP user_id; ALTER TABLE addresses ADD user_id text;
         SELECT threadline.audit('addresses', personal => ARRAY['street']);
         UPDATE users SET email = true, born = 'paid'; UPDATE addresses SET city = 'Thun' WHERE id = 1; DELETE FROM users",
    );
    erase(conn, "'users', '42'");
    let left = audit_contents(database);
    for gone in ["jane@a", "1990-01-01", "jane street"] {
        assert!(!left.contains(gone), "{gone} in {left}");
    }
    assert!(
        left.contains("free") && left.contains("paid") && left.contains("bob street"),
        "{left}"
    );
    assert_rows(
        conn,
        "SELECT row_data ->> 'email' FROM threadline.changes WHERE table_name = 'users' AND op = 'delete'",
        ["true"],
    );
    assert_rows(conn, DRIFT, []);
}

#[test]
fn a_column_of_a_table_that_was_created_anew_is_another_one_if_its_type_differs() {
    let (database, conn) = &mut people_with(
        "INSERT INTO users VALUES (42, 'jane@a', NULL, 'free'); DROP TABLE users;
         CREATE TABLE users (id int PRIMARY KEY, email boolean, born date); SELECT threadline.audit('users', personal => ARRAY['born']);
         INSERT INTO users VALUES (42, true, '1990-01-01')",
    );
    erase(conn, "'users', '42'");
    assert!(!stores(database, "jane@a") && !stores(database, "1990-01-01"));
    assert_rows(
        conn,
        "SELECT row_data ->> 'email' FROM threadline.changes WHERE table_name = 'users' ORDER BY id",
        ["erased:1", "true"],
    );
    assert_rows(conn, DRIFT, []);
}

/// What was erased may be in no column now; a new column of the name is another one.
#[test]
fn a_new_column_with_the_name_of_an_erased_one_is_not_recorded_again() {
    let (_, conn) = &mut people_with("INSERT INTO users VALUES (42, 'jane@a', NULL, 'free')");
    erase(conn, "'users', '42'");
    run(
        conn,
        "ALTER TABLE users DROP email; ALTER TABLE users ADD email boolean; SELECT threadline.audit('users', personal => ARRAY['born']);
         UPDATE users SET email = true",
    );
    assert_rows(conn, DRIFT, []);
}

#[test]
fn a_column_that_only_kept_images_have_is_erased() {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE users (id int PRIMARY KEY, email text, ssn text);
         SELECT threadline.audit('users', personal => ARRAY['email'], plain => ARRAY['ssn'], keep => '1 year');
         INSERT INTO users VALUES (42, 'jane@a', '123-45')",
    );
    age(conn, "2 years");
    run(
        conn,
        "ALTER TABLE users DROP ssn; SELECT threadline.refresh('users')",
    );
    run(conn, "SELECT threadline.purge()");
    assert!(stores(database, "123-45"));
    erase(conn, "'users', '42', columns => '{users.ssn}'");
    assert!(!stores(database, "123-45"));
}

#[test]
fn columns_generated_from_personal_ones_are_erased() {
    let (database, conn) = &mut Database::with(
        "CREATE TABLE users (id int PRIMARY KEY, email text, name text, plan text, email_lower text GENERATED ALWAYS AS (lower(email)) STORED,
             name_lower text GENERATED ALWAYS AS (lower(name)) STORED, both_lower text GENERATED ALWAYS AS (plan || lower(email)) STORED);
         SELECT threadline.audit('users', personal => ARRAY['email']);
         INSERT INTO users VALUES (42, 'Jane@a', 'Jane Doe', 'free'); UPDATE users SET email = 'Jane@b'",
    );
    // Its values stay what they are.
    run(
        conn,
        "ALTER TABLE users ALTER both_lower DROP EXPRESSION; SELECT threadline.refresh('users');
         ALTER TABLE users RENAME email TO mail; ALTER TABLE users RENAME both_lower TO mixed; SELECT threadline.refresh('users');
         UPDATE users SET plan = 'paid'; DELETE FROM users",
    );
    erase(conn, "'users', '42'");
    assert!(!stores(database, "ane@"), "{}", audit_contents(database));
    assert!(stores(database, "jane doe") && stores(database, "Jane Doe"));
    erase(conn, "'users', '42', columns => '{name}'");
    assert!(!stores(database, "jane doe") && !stores(database, "Jane Doe"));
    run(
        conn,
        "CREATE TABLE logins (email text NOT NULL, name text GENERATED ALWAYS AS (lower(email)) STORED PRIMARY KEY)",
    );
    assert_refused(
        conn,
        "SELECT threadline.audit('logins', personal => ARRAY['email'])",
        "column name belongs to the primary key of public.logins",
    );
}

/// No command told the audit that the column had this name.
#[test]
fn values_under_an_unknown_name_are_reported_until_they_are_erased() {
    let (database, conn) = &mut people();
    for statement in [
        "INSERT INTO users VALUES (42, 'jane@a', NULL, 'free'); INSERT INTO addresses VALUES (1, 42, 'jane street', 'Bern')",
        "ALTER TABLE users RENAME email TO mail",
        "UPDATE users SET mail = 'jane@b'",
        "ALTER TABLE users RENAME mail TO post",
        "UPDATE users SET post = 'jane@c'; DELETE FROM users",
        "ALTER TABLE users DROP plan, ADD fax text; ALTER TABLE addresses DROP city; SELECT threadline.refresh('addresses')",
    ] {
        run(conn, statement);
    }
    erase(conn, "'users', '42'");
    assert_rows(
        conn,
        "SELECT unreached FROM threadline.erasures",
        [r#"["public.users.mail"]"#],
    );
    assert!(stores(database, "jane@b") && !stores(database, "jane@c"));
    let fix = value(
        conn,
        "SELECT fix FROM threadline.erasure_drift() WHERE code = 'erasure-unreached'",
    )
    .unwrap();
    run(conn, "SELECT threadline.refresh('users')");
    let id = value(conn, fix.trim_end_matches(';')).unwrap();
    complete(conn, &id);
    assert!(!stores(database, "jane"));
    assert_rows(conn, DRIFT, []);
}

#[test]
fn tables_that_are_gone_hinder_no_erasure_of_others() {
    let (database, conn) = &mut people_with(
        "CREATE TABLE companies (id int PRIMARY KEY, name text); CREATE TABLE orders (id int PRIMARY KEY, company_id int, note text);
         SELECT threadline.audit('companies');
         SELECT threadline.audit('orders', personal => ARRAY['note'], subject => '{\"company_id\": \"companies\"}');
         INSERT INTO users VALUES (42, 'jane@a', NULL, 'free')",
    );
    run(conn, "ALTER TABLE companies RENAME TO firms");
    assert_refused(
        conn,
        "SELECT threadline.begin_erasure('users', '42', 'r')",
        "column company_id of table public.orders names the records of companies",
    );
    run(conn, "DROP TABLE orders, firms");
    erase(conn, "'users', '42'");
    assert!(!stores(database, "jane@"));
}
