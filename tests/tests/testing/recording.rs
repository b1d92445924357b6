//! A recording has the changes of its block, and nothing else.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use diesel::prelude::*;
use threadline::testing::{
    Recording, action, assert_recorded, context, fixtures, insert, recorded, recorded_under, update,
};
use threadline::{Action, AuditExt, record_action};
use threadline_tests::{Database, assert_value, rolled_back_with, run, value};

use super::{TABLES, add_user, rename};

#[test]
fn a_rolled_back_test_sees_what_its_block_did_and_not_what_came_before_or_after() {
    let conn = &mut rolled_back_with(TABLES);
    fixtures(conn, |conn| add_user(conn, 1, "Ada")).unwrap();
    // None under the block's own context.
    add_user(conn, 2, "Bob").unwrap();

    let first = recorded(conn, |conn| rename(conn, 2, "Ben").unwrap());
    let second = recorded(conn, |conn| {
        conn.audited_transaction(&context("user:1"), |conn| {
            record_action(conn, "user.renamed").unwrap();
            rename(conn, 1, "Eve")
        })
    });
    let none = recorded(conn, |_| ());

    assert_recorded!(first, [update("users", 2).set("name", "Ben").by_nobody()]);
    assert_recorded!(
        second,
        [
            action("user.renamed").by("user:1"),
            update("users", 1).set("name", "Eve").by("user:1"),
        ]
    );
    assert_recorded!(none, []);
}

#[test]
fn a_committed_test_sees_each_transaction_of_its_block() {
    let (_, conn) = &mut Database::with(TABLES);
    add_user(conn, 1, "Ada").unwrap();

    let recorded = recorded(conn, |conn| {
        rename(conn, 1, "Eve").unwrap();
        conn.audited_transaction(&context("user:1"), |conn| rename(conn, 1, "Eva"))
            .unwrap();
        let refused: QueryResult<()> =
            conn.audited_action(&context("user:2"), Action::new("user.removed"), |conn| {
                rename(conn, 1, "Nobody")?;
                Err(diesel::result::Error::NotFound)
            });
        assert!(refused.is_err());
        // Some of it is in the ledger by then.
        threadline::post(conn).unwrap();
        rename(conn, 1, "Ida").unwrap();
    });
    assert_recorded!(
        recorded,
        [
            update("users", 1)
                .was("name", "Ada")
                .set("name", "Eve")
                .by_nobody(),
            update("users", 1).set("name", "Eva").by("user:1"),
            update("users", 1).set("name", "Ida").by_nobody(),
            action("user.removed")
                .by("user:2")
                .status("error")
                .reason("not found"),
        ]
    );
}

#[test]
fn writes_of_others_meanwhile_are_not_seen() {
    let database = Database::new();
    run(&mut database.connect(), TABLES);
    let begun = Barrier::new(2);
    let done = AtomicBool::new(false);
    let mut ids = vec![];
    thread::scope(|scope| {
        let other = scope.spawn(|| {
            let conn = &mut database.connect();
            let mut id = 1_000;
            add_user(conn, id, "before").unwrap();
            begun.wait();
            while !done.load(Ordering::Relaxed) {
                id += 1;
                add_user(conn, id, "other").unwrap();
                record_action(
                    conn,
                    Action::new("other.action").actor("user:9".parse().unwrap()),
                )
                .unwrap();
            }
            id
        });
        begun.wait();
        let conn = &mut database.connect();
        let committed = recorded(conn, |conn| {
            for id in 1..20 {
                add_user(conn, id, "mine").unwrap();
            }
            record_action(
                conn,
                Action::new("own.action").actor("user:1".parse().unwrap()),
            )
            .unwrap();
        });
        conn.begin_test_transaction().unwrap();
        let rolled_back = recorded(conn, |conn| {
            for id in 21..40 {
                add_user(conn, id, "mine").unwrap();
            }
        });
        done.store(true, Ordering::Relaxed);
        assert!(other.join().unwrap() > 1_000);
        for recorded in [&committed, &rolled_back] {
            ids.extend(
                recorded
                    .changes
                    .iter()
                    .map(|change| change.key.as_ref().unwrap()["id"].as_i64().unwrap()),
            );
        }
        let names: Vec<_> = committed.actions.iter().map(|a| a.name.as_str()).collect();
        assert_eq!(names, ["own.action"]);
    });
    assert_eq!(ids, (1..20).chain(21..40).collect::<Vec<i64>>());
}

#[test]
fn recordings_nest() {
    let (_, conn) = &mut Database::with(TABLES);
    let outer = Recording::begin(conn).unwrap();
    add_user(conn, 1, "Ada").unwrap();
    let inner = recorded(conn, |conn| add_user(conn, 2, "Bob").unwrap());
    add_user(conn, 3, "Eve").unwrap();
    let outer = outer.end(conn, ()).unwrap();
    assert_recorded!(inner, [insert("users").key(2)]);
    assert_recorded!(outer, [1, 2, 3].map(|id| insert("users").key(id)));
}

#[test]
fn the_name_of_the_connection_is_as_before_also_after_a_panic() {
    let (_, conn) = &mut Database::with("SET application_name = 'billing'");
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        recorded(conn, |conn| {
            assert_ne!(
                value(conn, "current_setting('application_name')").as_deref(),
                Some("billing")
            );
            panic!("in the block");
        })
    }));
    assert!(panicked.is_err());
    assert_value(conn, "current_setting('application_name')", "billing");
}

#[test]
fn changes_that_a_block_rolls_back_are_not_recorded() {
    let conn = &mut rolled_back_with(TABLES);
    let recorded = recorded(conn, |conn| {
        let _ = conn.transaction(|conn| {
            add_user(conn, 1, "Ada")?;
            Err::<(), _>(diesel::result::Error::RollbackTransaction)
        });
        add_user(conn, 2, "Bob").unwrap();
    });
    assert_recorded!(recorded, [insert("users").key(2)]);
}

#[test]
fn changes_recorded_under_a_context_are_found_through_any_connection() {
    let database = Database::new();
    run(&mut database.connect(), TABLES);
    let (context, other) = (context("user:7"), context("user:7"));
    let pool = database.pool(3);
    thread::scope(|scope| {
        for id in [1, 2] {
            let (pool, context) = (&pool, &context);
            scope.spawn(move || {
                let conn = &mut pool.get().unwrap();
                conn.audited_transaction(context, |conn| add_user(conn, id, "Ada"))
                    .unwrap();
            });
        }
    });
    let conn = &mut database.connect();
    conn.audited_transaction(&other, |conn| add_user(conn, 3, "Eve"))
        .unwrap();
    context
        .scope(|| record_action(conn, "user.invited"))
        .unwrap();
    assert_recorded!(
        recorded_under(conn, &context),
        threadline::testing::in_any_order([
            action("user.invited").by("user:7").source("test"),
            insert("users").key(2).by("user:7"),
            insert("users").key(1).by("user:7"),
        ])
    );
}

#[test]
fn a_missing_audit_schema_is_reported() {
    let (_, conn) = &mut Database::empty().connected();
    let panicked = catch_unwind(AssertUnwindSafe(|| recorded(conn, |_| ()))).unwrap_err();
    let message = panicked.downcast_ref::<String>().unwrap();
    assert!(
        message.starts_with(
            "what was recorded cannot be read: the audit schema is not installed in this database"
        ),
        "{message}"
    );
}

#[test]
fn a_context_of_a_test_names_the_test() {
    let context = context("service_account:import");
    assert_eq!(
        context.metadata()["test"],
        "recording::a_context_of_a_test_names_the_test"
    );
    assert_ne!(
        context.correlation_id(),
        threadline::testing::context("anonymous").correlation_id()
    );
}
