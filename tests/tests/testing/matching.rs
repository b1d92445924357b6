//! Only the stated parts of an expectation are compared.

use serde_json::{Value, json};
use threadline::testing::{
    Expected, Recorded, action, among_others, assert_recorded, context, delete, in_any_order,
    insert, recorded, truncate, update,
};
use threadline::{Action, AuditExt, record_action};
use threadline_tests::{rolled_back_with, run};

use super::{TABLES, add_user, rename};

/// Inserts, changes and deletes a user, and records an action.
fn sample() -> Recorded {
    let conn = &mut rolled_back_with(TABLES);
    recorded(conn, |conn| {
        let context = context("admin:grace")
            .to_builder()
            .request_id("r-1")
            .build()
            .unwrap();
        conn.audited_transaction(&context, |conn| {
            add_user(conn, 1, "Ada")?;
            run(
                conn,
                "UPDATE users SET name = 'Eve', email = 'eve@example.com'",
            );
            run(
                conn,
                "INSERT INTO roles VALUES (1, 'clerk'); DELETE FROM users",
            );
            record_action(conn, Action::new("user.removed").reason("asked"))
        })
        .unwrap();
    })
}

fn matches(recorded: &Recorded, expected: Expected) -> bool {
    recorded.compare(among_others([expected])).is_ok()
}

#[test]
fn expectations_compare_every_given_property() {
    let sample = &sample();
    let holds = [
        insert("users"),
        insert("public.users").key(1),
        insert("users")
            .set("id", 1)
            .set("name", "Ada")
            .masked("email")
            .without("password"),
        update("users", 1),
        update("users", 1).set("name", "Eve").changed("email"),
        update("users", 1).was("name", "Ada").masked("email"),
        update("users", 1).set("name", "Eve").and_others(),
        update("users", 1).without("password"),
        update("users", json!({"id": 1})),
        insert("roles").key(json!({"user_id": 1, "role": "clerk"})),
        delete("users", 1).was("name", "Eve"),
        delete("users", 1)
            .by("admin:grace")
            .request_id("r-1")
            .source("test"),
        action("user.removed")
            .by("admin:grace")
            .reason("asked")
            .status("ok")
            .request_id("r-1"),
    ];
    for expected in holds {
        assert!(matches(sample, expected.clone()), "{expected:?}");
    }
    let fails = [
        insert("users").without("pasword"),
        update("users", 1).without("pasword"),
        insert("members"),
        insert("app.users"),
        insert("users").key(2),
        insert("users").key("1"),
        insert("users").set("name", "Eve"),
        insert("users").set("name", Value::Null),
        insert("users").was("name", "Ada"),
        insert("users").masked("name"),
        insert("users").without("name"),
        insert("users").changed("password"),
        update("users", 2),
        update("users", json!({"key": 1})),
        update("users", 1).set("name", "Eve"),
        update("users", 1).was("name", "Eve").and_others(),
        update("users", 1).changed("id").and_others(),
        update("roles", 1),
        insert("roles").key("clerk"),
        insert("roles").key(json!({"user_id": 1})),
        delete("users", 1).set("name", "Eve"),
        delete("users", 1).by("admin:ada"),
        delete("users", 1).by_nobody(),
        delete("users", 1).request_id("r-2"),
        delete("users", 1).job_id("r-1"),
        delete("users", 1).reason("asked"),
        truncate("users"),
        action("user.renamed"),
        action("user.removed").status("error"),
        action("user.removed").reason("bored"),
        action("user.removed").by("user:1"),
    ];
    for expected in fails {
        assert!(!matches(sample, expected.clone()), "{expected:?}");
    }
}

#[test]
fn order_counts_unless_said_otherwise() {
    let sample = &sample();
    let all = || {
        [
            insert("users"),
            update("users", 1),
            insert("roles"),
            delete("users", 1),
            action("user.removed"),
        ]
    };
    let mut turned = all();
    turned.reverse();
    assert_recorded!(sample, all());
    assert!(sample.compare(turned.clone()).is_err());
    assert_recorded!(sample, in_any_order(turned.clone()));
    assert_recorded!(sample, among_others(turned[1..3].to_vec()));
    // One less, one more, one twice.
    assert!(sample.compare(all()[..4].to_vec()).is_err());
    assert!(sample.compare(in_any_order(all()[1..].to_vec())).is_err());
    assert!(
        sample
            .compare(in_any_order(
                [all().to_vec(), vec![insert("roles")]].concat()
            ))
            .is_err()
    );
    assert!(
        sample
            .compare(among_others([insert("roles"), insert("roles")]))
            .is_err()
    );
}

#[test]
fn the_position_of_an_action_among_changes_does_not_count() {
    assert_recorded!(
        sample(),
        [
            action("user.removed"),
            insert("users"),
            update("users", 1),
            insert("roles"),
            delete("users", 1),
        ]
    );
}

#[test]
fn an_expectation_that_matches_several_changes_leaves_the_right_one_to_the_next() {
    let conn = &mut rolled_back_with(TABLES);
    let recorded = recorded(conn, |conn| {
        for (id, name) in [(1, "Ada"), (2, "Bob"), (3, "Eve")] {
            add_user(conn, id, name).unwrap();
        }
        rename(conn, 1, "Ida").unwrap();
    });
    let expected = [
        insert("users"),
        insert("users").set("name", "Ada"),
        update("users", 1),
        insert("users").key(2),
    ];
    assert_recorded!(recorded, in_any_order(expected));
}

#[test]
#[should_panic(expected = "`42` is not an actor: `42` is not an actor type")]
fn an_actor_that_is_none_is_refused_where_it_is_written() {
    let _ = insert("users").by(42);
}
