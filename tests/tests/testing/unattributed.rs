//! A test fails if something is written without an actor.

use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel::prelude::*;
use threadline::AuditExt;
use threadline::testing::{
    Attributed, assert_no_unattributed, context, fixtures, insert, recorded,
};
use threadline_tests::{Database, rolled_back, rolled_back_with, run};

use super::{TABLES, add_user, rename};

fn message(work: impl FnOnce()) -> Option<String> {
    let panicked = catch_unwind(AssertUnwindSafe(work)).err()?;
    let text = panicked.downcast_ref::<String>().cloned();
    Some(text.unwrap_or_else(|| (*panicked.downcast_ref::<&str>().unwrap()).to_owned()))
}

#[test]
fn a_write_without_an_actor_is_named() {
    let conn = &mut rolled_back_with(TABLES);
    let attributed = recorded(conn, |conn| {
        fixtures(conn, |conn| add_user(conn, 1, "Ada")).unwrap()
    });
    assert_no_unattributed!(attributed);
    let forgotten = recorded(conn, |conn| {
        conn.audited_transaction(&context("user:1"), |conn| rename(conn, 1, "Eve"))
            .unwrap();
        add_user(conn, 2, "Bob").unwrap();
        rename(conn, 2, "Ben").unwrap();
    });
    insta::assert_snapshot!(message(|| assert_no_unattributed!(forgotten)).unwrap());
}

#[test]
fn the_guard_fails_the_test_at_its_end() {
    let database = Database::new();
    run(&mut database.connect(), TABLES);
    let write = |context_is_set: bool| {
        let mut conn = Attributed::new(database.connect());
        fixtures(&mut *conn, |conn| add_user(conn, 1, "Ada")).unwrap();
        if !context_is_set {
            run(&mut conn, "UPDATE users SET name = 'Eve'");
        }
        run(&mut database.connect(), "DELETE FROM users");
    };
    assert_eq!(message(|| write(true)), None, "others may");
    let said = message(|| write(false)).unwrap();
    assert!(
        said.starts_with("1 change is recorded without an actor:\n  update users 1 by nobody\n"),
        "{said}"
    );
}

#[test]
fn the_guard_tells_in_the_middle_too() {
    let mut conn = Attributed::new(rolled_back());
    run(&mut conn, TABLES);
    fixtures(&mut *conn, |conn| add_user(conn, 1, "Ada")).unwrap();
    let so_far = conn.check();
    threadline::testing::assert_recorded!(so_far, [insert("users").key(1).by("system:fixtures")]);
    rename(&mut conn, 1, "Eve").unwrap();
    assert!(message(|| drop(conn.check())).is_some());
    // It is reported once.
    threadline::testing::assert_recorded!(conn.check(), []);
}

#[test]
fn another_panic_is_not_covered_up() {
    let said = message(|| {
        let mut conn = Attributed::new(rolled_back());
        run(&mut conn, TABLES);
        add_user(&mut conn, 1, "Ada").unwrap();
        panic!("the test's own");
    });
    assert_eq!(said.as_deref(), Some("the test's own"));
}

#[test]
fn fixtures_are_taken_where_an_actor_is_required() {
    let conn = &mut rolled_back_with(TABLES);
    let insert = |conn: &mut PgConnection| {
        conn.transaction(|conn| {
            diesel::sql_query("INSERT INTO roles VALUES (1, 'clerk')").execute(conn)
        })
    };
    let refused = insert(conn).unwrap_err();
    assert!(threadline::is_actor_required(&refused));
    assert_eq!(fixtures(conn, insert), Ok(1));
}
