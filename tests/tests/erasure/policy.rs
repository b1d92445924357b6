use std::fs;

use diesel::connection::SimpleConnection;
use threadline::{Erasure, erasures};
use threadline_tests::{
    Database, assert_contains, assert_contains_all, assert_rows, assert_value, run, scratch_dir,
};

use crate::{Address, TABLES, User, audit_contents, findings, people, people_with, stores};

#[test]
fn personal_columns_are_part_of_the_policy() {
    let (_, conn) = &mut people();
    assert_rows(
        conn,
        "SELECT table_name, policy -> 'personal', policy -> 'subject' FROM threadline.audited_tables ORDER BY id",
        [
            r#"users | ["born", "email"] | NULL"#,
            r#"addresses | ["street"] | {"user_id": "users"}"#,
        ],
    );
    assert!(findings(conn).is_empty());
    run(
        conn,
        "SELECT threadline.audit('addresses', personal => ARRAY['street'])",
    );
    assert_eq!(findings(conn), ["policy-differs"]);

    let dir = scratch_dir();
    let models = threadline::models![User, Address];
    let written = models.generate(&dir).unwrap();
    let up = fs::read_to_string(written.last().unwrap().join("up.sql")).unwrap();
    assert_contains(&up, "personal => ARRAY['street']");
    assert_contains(&up, r#"subject => '{"user_id":"users"}'"#);
    models.check(&dir).unwrap();
    run(conn, &up);
    assert!(findings(conn).is_empty());
}

/// Capture does not depend on it.
#[test]
fn to_say_what_is_personal_waits_for_no_writer() {
    let (database, conn) = &mut people_with("SELECT threadline.audit('users')");
    let writer = &mut database.connect();
    run(
        writer,
        "BEGIN; INSERT INTO users VALUES (1, 'a', NULL, 'b')",
    );
    run(
        conn,
        "SET lock_timeout = '5s'; SELECT threadline.audit('users', personal => ARRAY['email', 'born'])",
    );
    run(writer, "COMMIT");
    assert!(findings(conn).is_empty());
    assert_value(
        conn,
        "SELECT meta -> 'policy' -> 'personal' FROM threadline.audit_actions WHERE name = 'audit.policy_changed' ORDER BY id DESC LIMIT 1",
        r#"["born", "email"]"#,
    );
}

#[test]
fn columns_that_cannot_be_erased_or_found_are_refused_with_a_remedy() {
    let (database, conn) = &mut Database::with(TABLES);
    run(conn, "CREATE TABLE notes (body text)");
    for (call, message) in [
        (
            "'users', personal => ARRAY['mail']",
            "table public.users has no column mail; its columns are: id, email, born, plan",
        ),
        (
            "'users', personal => ARRAY['id']",
            "column id belongs to the primary key of public.users; a key identifies the record and cannot be erased",
        ),
        (
            "'addresses', subject => '{\"userid\": \"users\"}'",
            "table public.addresses has no column userid",
        ),
        (
            "'addresses', subject => '{\"user_id\": \"people\"}'",
            "column user_id of table public.addresses names the records of people, and there is no such table",
        ),
        (
            "'addresses', subject => '[\"users\"]'",
            "say for each column whom it names",
        ),
        (
            "'addresses', exclude => ARRAY['user_id'], subject => '{\"user_id\": \"users\"}'",
            "cannot name the owner of a recorded row",
        ),
        (
            "'notes', keyless => true, personal => ARRAY['body']",
            "table public.notes has no primary key, so its changes belong to no record and to no person",
        ),
    ] {
        let error = conn
            .batch_execute(&format!("SELECT threadline.audit({call})"))
            .unwrap_err()
            .to_string();
        assert!(error.contains(message), "{call}: {error}");
    }
    run(
        conn,
        "SELECT threadline.audit('users'); INSERT INTO users VALUES (42, 'jane@a', NULL, 'free')",
    );
    let erase = |column: Option<&str>| {
        let erasure = Erasure::of("users", "42", "request 1");
        match column {
            Some(column) => erasure.column(column),
            None => erasure,
        }
    };
    for (column, message) in [
        (
            None,
            "no policy declares personal columns of records of public.users",
        ),
        (
            Some("users.mail"),
            "table public.users has no recorded column mail",
        ),
        (
            Some("addresses.street"),
            "no policy says which rows of the table of column addresses.street belong to a record of public.users",
        ),
        (
            Some("users.id"),
            "a key identifies the record and cannot be erased",
        ),
    ] {
        let error = erase(column).erase(conn).unwrap_err().to_string();
        assert_contains(&error, message);
    }
    assert!(erasures(conn).unwrap().is_empty());
    // Named only in this call.
    let erased = erase(Some("users.email")).erase(conn).unwrap();
    assert_eq!(
        (erased.changes, erased.columns),
        (1, Some(vec!["users.email".to_owned()]))
    );
    assert!(!stores(database, "jane@"));
    let error = Erasure::of("users", "42", "")
        .column("email")
        .erase(conn)
        .unwrap_err()
        .to_string();
    assert_contains(&error, "an erasure needs a reason");
}

#[test]
fn columns_under_former_names_and_dropped_columns_are_erased_too() {
    let (database, conn) = &mut people_with(
        "INSERT INTO users VALUES (42, 'jane@a', '1990-02-03', 'free'), (43, 'bob@a', '1991-01-01', 'free');
         INSERT INTO addresses VALUES (1, 42, 'jane street', 'Bern'), (2, 43, 'bob street', 'Bern');
         ALTER TABLE users RENAME email TO mail; SELECT threadline.refresh('users');
         ALTER TABLE addresses RENAME user_id TO person; ALTER TABLE addresses RENAME city TO user_id; SELECT threadline.refresh('addresses');
         UPDATE users SET mail = 'jane@b' WHERE id = 42;
         UPDATE addresses SET street = 'jane street 2' WHERE id = 1;
         ALTER TABLE users DROP born; SELECT threadline.refresh('users')",
    );
    assert_rows(
        conn,
        "SELECT policy -> 'personal', policy -> 'subject' FROM threadline.audited_tables ORDER BY id",
        [r#"["mail"] | NULL"#, r#"["street"] | {"person": "users"}"#],
    );
    Erasure::of("users", "42", "request 1").erase(conn).unwrap();
    let left = audit_contents(database);
    for gone in ["jane@", "1990-02-03", "jane street"] {
        assert!(!left.contains(gone), "{gone} in {left}");
    }
    assert_contains_all(&left, &["bob@a", "1991-01-01", "bob street", "Bern"]);
    // Audited again under its present name, nothing is forgotten.
    assert!(
        threadline::models![Address]
            .verify()
            .table("addresses")
            .run(conn)
            .is_ok()
    );
}
