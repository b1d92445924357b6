//! Keys by which rows name their person.

use threadline_tests::{
    Database, age, assert_refused, assert_rows, assert_value, rows, run, value,
};

use crate::{DRIFT, audit_contents, erase, people_with, stores};

/// PostgreSQL finds these equal, and a foreign key accepts them.
#[test]
fn a_value_that_equals_the_key_names_the_person() {
    let long = "x".repeat(2100);
    let long = format!("'{long}'");
    for (key_type, key, named_type, named, other) in [
        ("int", "42", "int", "42", "43"),
        ("bigint", "42", "numeric(10,2)", "42", "43"),
        ("numeric(10,2)", "42", "numeric(10,2)", "42.00", "43"),
        ("numeric", "42.10", "numeric(10,3)", "42.1", "42.11"),
        ("int", "42", "text", "'42'", "'142'"),
        ("char(6)", "'ab'", "char(6)", "'ab'", "'ac'"),
        ("char(6)", "'ab'", "text", "'ab'", "'ac'"),
        (
            "uuid",
            "'aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa'",
            "text",
            "'AAAAAAAA-aaaa-aaaa-aaaa-AAAAaaaaaaaa'",
            "'AAAAAAAA-aaaa'",
        ),
        ("citext", "'Ada'", "citext", "'ADA'", "'Adam'"),
        ("login", "'Ada'", "citext", "'aDA'", "'Adam'"),
        (
            "text COLLATE folded",
            "'Ada'",
            "text COLLATE folded",
            "'ADA'",
            "'Adam'",
        ),
        ("text", "'Ada'", "text", "'Ada'", "'ADA'"),
        (
            "timestamptz",
            "'2020-01-01 10:00+00'",
            "timestamptz",
            "'2020-01-01 11:00+01'",
            "'2020-01-01 11:00+00'",
        ),
        ("text", &long, "text", &long, "'x'"),
    ] {
        let (database, conn) = &mut Database::with(&format!(
            "CREATE EXTENSION citext; CREATE DOMAIN login AS citext; CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
             CREATE TABLE users (id {key_type} PRIMARY KEY, email text); CREATE TABLE addresses (id int PRIMARY KEY, user_id {named_type}, street text);
             INSERT INTO addresses VALUES (1, {named}, 'jane street 1'), (2, {other}, 'bob street 1');
             SELECT threadline.audit('users', personal => ARRAY['email']);
             SELECT threadline.audit('addresses', personal => ARRAY['street'], subject => '{{\"user_id\": \"users\"}}');
             INSERT INTO users VALUES ({key}, 'jane@a'); UPDATE addresses SET street = street || '2';
             INSERT INTO addresses VALUES (3, {named}, 'jane street 3'), (4, {other}, 'bob street 4')",
        ));
        let recorded = rows(
            conn,
            "SELECT record_key FROM threadline.changes WHERE table_name = 'users'",
        )
        .remove(0);
        let subject = rows(
            conn,
            &format!("SELECT count(*) FROM threadline.subject_changes('users', '{recorded}')"),
        );
        assert_eq!(subject, ["3"], "{key_type} {named_type}");
        erase(conn, &format!("'users', '{recorded}'"));
        let left = audit_contents(database);
        assert!(!left.contains("jane"), "{key_type} {named_type}: {left}");
        for kept in ["bob street 1", "bob street 12", "bob street 4"] {
            assert!(left.contains(kept), "{key_type} {named_type}: {left}");
        }
        assert_eq!(rows(conn, DRIFT), [""; 0], "{key_type} {named_type}");
        run(
            conn,
            &format!("INSERT INTO addresses VALUES (5, {other}, 'bob'), (6, {named}, 'jane')"),
        );
        assert_eq!(
            rows(conn, DRIFT),
            ["erased-recorded-again"],
            "{key_type} {named_type}"
        );
    }
}

#[test]
fn a_subject_without_one_recorded_key_is_refused() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE users (id text PRIMARY KEY, email text); CREATE TABLE several (a int, b int, PRIMARY KEY (a, b)); CREATE TABLE keyless (a int);
         CREATE TABLE addresses (id int PRIMARY KEY, user_id text, users text[], document jsonb, street text);
         SELECT threadline.audit('users', hash => ARRAY['id'], personal => ARRAY['email'])",
    );
    for (column, table, message) in [
        (
            "user_id",
            "users",
            "column user_id of table public.addresses cannot name the records of public.users: its primary key id is recorded as a keyed hash",
        ),
        (
            "user_id",
            "several",
            "its primary key has several columns: a, b",
        ),
        ("user_id", "keyless", "it has no primary key"),
    ] {
        assert_refused(
            conn,
            &format!(
                "SELECT threadline.audit('addresses', subject => '{{\"{column}\": \"{table}\"}}')"
            ),
            message,
        );
    }
    run(conn, "SELECT threadline.audit('users')");
    for (column, message) in [
        (
            "users",
            "column users of table public.addresses is of type text[], which is not the key of one record of public.users",
        ),
        ("document", "of type jsonb"),
    ] {
        assert_refused(
            conn,
            &format!(
                "SELECT threadline.audit('addresses', subject => '{{\"{column}\": \"users\"}}')"
            ),
            message,
        );
    }
    // It changes later.
    run(
        conn,
        "SELECT threadline.audit('addresses', personal => ARRAY['street'], subject => '{\"user_id\": \"users\"}');
         ALTER TABLE users ADD tenant int, DROP CONSTRAINT users_pkey, ADD PRIMARY KEY (tenant, id); SELECT threadline.refresh('users')",
    );
    assert_refused(
        conn,
        "SELECT threadline.begin_erasure('users', '[\"1\", \"a\"]', 'r')",
        "its primary key has several columns: tenant, id",
    );
}

/// Makes everything older than a year, and purges.
fn purge_all(conn: &mut diesel::PgConnection) {
    age(conn, "2 years");
    run(
        conn,
        "SELECT threadline.audit('users', personal => ARRAY['email', 'born'], keep => '1 year')",
    );
    purge_everything(conn);
}

fn purge_everything(conn: &mut diesel::PgConnection) {
    while value(conn, "SELECT threadline.purge()").is_some() {}
}

#[test]
fn rows_that_named_a_key_of_which_the_change_was_purged_are_erased() {
    let (database, conn) = &mut people_with(
        "INSERT INTO users VALUES (42, 'jane@a', NULL, 'free'), (7, 'bob@a', NULL, 'free');
         INSERT INTO addresses VALUES (1, 42, 'jane street', 'Bern'), (2, 7, 'bob street', 'Bern');
         UPDATE users SET id = 43 WHERE id = 42; UPDATE users SET id = 44 WHERE id = 43; UPDATE addresses SET user_id = 44 WHERE id = 1",
    );
    purge_all(conn);
    run(
        conn,
        "DELETE FROM addresses WHERE id = 1; DELETE FROM users WHERE id = 44",
    );
    erase(conn, "'users', '44'");
    let left = audit_contents(database);
    assert!(!left.contains("jane"), "{left}");
    assert!(left.contains("bob@a") && left.contains("bob street"));
}

/// Whose the value is, only a purged change says.
#[test]
fn changes_that_a_hold_kept_without_the_change_that_named_their_owner_are_reported() {
    let (database, conn) = &mut people_with(
        "INSERT INTO users VALUES (42, 'jane@a', NULL, 'free'); INSERT INTO addresses VALUES (1, 42, 'jane street 1', 'Bern')",
    );
    run(
        conn,
        "SELECT threadline.set_context('{\"actor\": {\"type\": \"user\", \"id\": \"7\"}}'); UPDATE addresses SET street = 'jane street 2'",
    );
    run(
        conn,
        "UPDATE addresses SET user_id = 43, street = 'bob street'",
    );
    let hold = value(
        conn,
        "SELECT threadline.hold('lawsuit', actor_type => 'user', actor_id => '7')",
    )
    .unwrap();
    run(
        conn,
        "SELECT threadline.audit('addresses', personal => ARRAY['street'], subject => '{\"user_id\": \"users\"}', keep => '1 year')",
    );
    purge_all(conn);
    erase(conn, "'users', '42'");
    assert!(stores(database, "jane street") && !stores(database, "jane@"));
    assert_rows(conn, DRIFT, ["erasure-unreached"]);
    run(
        conn,
        &format!("SELECT threadline.release({hold}, 'settled')"),
    );
    purge_everything(conn);
    assert!(!stores(database, "jane street"));
    assert_rows(conn, DRIFT, []);
}

#[test]
fn a_key_that_another_record_took_after_a_purged_change_is_ambiguous() {
    let (_, conn) = &mut people_with(
        "INSERT INTO users VALUES (42, 'jane@a', NULL, 'free'); UPDATE users SET id = 43 WHERE id = 42",
    );
    purge_all(conn);
    run(conn, "INSERT INTO users VALUES (42, 'bob@a', NULL, 'free')");
    for key in [42, 43] {
        assert_refused(
            conn,
            &format!("SELECT threadline.begin_erasure('users', '{key}', 'r')"),
            "shares keys with other records",
        );
    }
}

#[test]
fn a_record_that_changes_its_key_after_an_erasure_is_recorded_again() {
    let (database, conn) =
        &mut people_with("INSERT INTO users VALUES (42, 'jane@a', NULL, 'free')");
    erase(conn, "'users', '42'");
    run(
        conn,
        "UPDATE users SET id = 43, email = 'jane@b'; INSERT INTO addresses VALUES (1, 43, 'jane street', 'Bern')",
    );
    for posted in [false, true] {
        if posted {
            run(conn, "SELECT threadline.post()");
        }
        assert_rows(
            conn,
            "SELECT message LIKE '% 2 changes%' FROM threadline.erasure_drift()",
            ["true"],
        );
    }
    erase(conn, "'users', '42'");
    assert!(!stores(database, "jane@") && !stores(database, "jane street"));
    assert_rows(conn, DRIFT, []);
}

/// Nobody's values are taken for those of the person.
#[test]
fn a_key_that_another_record_had_before_the_primary_key_changed_is_refused() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE users (id bigint PRIMARY KEY, no bigint NOT NULL UNIQUE, email text);
         SELECT threadline.audit('users', personal => ARRAY['email']);
         INSERT INTO users VALUES (1, 2, 'ada@example.org'), (2, 1, 'grace@example.org')",
    );
    run(
        conn,
        "ALTER TABLE users DROP CONSTRAINT users_pkey, ADD PRIMARY KEY (no); SELECT threadline.refresh('users');
         INSERT INTO users VALUES (3, 3, 'joan@example.org')",
    );
    run(conn, "UPDATE users SET email = NULL");
    for call in [
        "SELECT threadline.begin_erasure('users', '1', reason => 'request')",
        "SELECT FROM threadline.subject_changes('users', '1')",
    ] {
        assert_refused(
            conn,
            call,
            "before the primary key of its table changed, other records had the key 1",
        );
    }
    assert_value(
        conn,
        "SELECT count(*) FROM threadline.subject_changes('users', '3')",
        "2",
    );
}
