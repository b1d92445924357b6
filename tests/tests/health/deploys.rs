//! Old and new processes on one database.

use threadline_tests::{Database, NEWEST, installed, run};

use super::{MaskedUser, USERS, User, found};

#[test]
fn a_policy_that_was_replaced_is_no_alarm_and_one_that_never_was_in_force_is() {
    let (_, conn) = &mut Database::with(USERS);
    let old = threadline::models![User];
    let new = threadline::models![MaskedUser];
    assert_eq!(
        found(&old.health(conn).unwrap()),
        ["error model-not-audited \"users\""; 0]
            .into_iter()
            .chain(["error model-not-audited public.users"])
            .collect::<Vec<_>>()
    );
    old.install(conn).unwrap();
    assert_eq!(found(&old.health(conn).unwrap()), [""; 0]);

    // The new release runs before its migration.
    let health = new.health(conn).unwrap();
    assert_eq!(found(&health), ["error policy-differs public.users"]);
    assert!(!health.healthy);

    new.install(conn).unwrap();
    assert_eq!(found(&new.health(conn).unwrap()), [""; 0]);
    let health = old.health(conn).unwrap();
    assert_eq!(found(&health), ["info policy-replaced public.users"]);
    assert!(health.healthy);
    assert!(health.models[0].audited);
    // With every check enabled, every difference is reported.
    assert!(!old.verify().run(conn).unwrap().is_sound());

    // Also if the audit ended in between.
    run(
        conn,
        "SELECT threadline.unaudit('users'); SELECT threadline.audit('users', require_actor => true)",
    );
    assert_eq!(
        found(&old.health(conn).unwrap()),
        ["info policy-replaced public.users"]
    );
}

#[test]
fn a_newer_schema_is_no_alarm() {
    let (_, conn, models) = &mut installed(USERS, threadline::models![User]);
    run(
        conn,
        &format!(
            "INSERT INTO threadline.schema_versions (version) VALUES ({});
             CREATE OR REPLACE FUNCTION threadline.structure_drift() RETURNS SETOF threadline.finding LANGUAGE sql AS
             $$ SELECT 'found-by-a-newer-version', 'public.users', 'something', NULL $$",
            NEWEST + 1
        ),
    );
    let health = models.health(conn).unwrap();
    assert_eq!(found(&health), ["info schema-newer -"]);
    assert!(health.healthy);
}

#[test]
fn a_model_without_its_table_is_named() {
    let (_, conn) = &mut Database::new().connected();
    let models = threadline::models![User];
    assert_eq!(
        found(&models.health(conn).unwrap()),
        ["error model-table-missing \"users\""]
    );
    // A table of that name in a schema outside the search_path is another one.
    run(
        conn,
        "CREATE SCHEMA other; CREATE TABLE other.users (id bigint PRIMARY KEY, email text)",
    );
    run(conn, "SELECT threadline.audit('other.users')");
    assert_eq!(
        found(&models.health(conn).unwrap()),
        ["error model-table-missing \"users\""]
    );
    run(conn, "SET search_path = other");
    assert_eq!(found(&models.health(conn).unwrap()), [""; 0]);
}
