//! The output of a failing test.

use diesel::prelude::*;
use threadline::testing::{
    Expectation, Recorded, action, among_others, context, delete, in_any_order, insert, recorded,
    update,
};
use threadline::{Action, AuditExt, record_action};
use threadline_tests::{rolled_back, rolled_back_with, run};

use super::{TABLES, add_user, rename};

fn sample() -> Recorded {
    let conn = &mut rolled_back_with(TABLES);
    threadline::testing::fixtures(conn, |conn| add_user(conn, 1, "Ada")).unwrap();
    recorded(conn, |conn| {
        conn.audited_transaction(&context("user:1"), |conn| {
            record_action(conn, Action::new("user.invited").reason("knows everybody"))?;
            add_user(conn, 2, "Bob")?;
            rename(conn, 1, "Ada Lovelace")?;
            run(conn, "INSERT INTO roles VALUES (2, 'clerk')");
            Ok::<_, threadline::Error>(())
        })
        .unwrap();
        run(
            conn,
            "UPDATE users SET email = 'x', name = repeat('long ', 30) WHERE id = 1",
        );
    })
}

fn difference(
    recorded: &Recorded<impl std::fmt::Debug>,
    expected: impl Into<Expectation>,
) -> String {
    recorded.compare(expected).unwrap_err().to_string()
}

#[test]
fn both_sides_and_the_reasons_are_shown() {
    insta::assert_snapshot!(difference(
        &sample(),
        [
            insert("users").key(2).set("email", "Bob@example.com"),
            update("users", 1)
                .was("name", "Ida")
                .set("name", "Ada L.")
                .by("admin:grace"),
            delete("roles", 7),
            update("users", 1).set("name", "Ada"),
            action("user.invited")
                .by("user:1")
                .reason("asked")
                .request_id("r-1"),
        ]
    ));
}

#[test]
fn a_change_in_the_middle_shifts_nothing() {
    insta::assert_snapshot!(difference(
        &sample(),
        [
            insert("users"),
            insert("roles"),
            update("users", 1),
            action("user.invited"),
        ]
    ));
}

#[test]
fn an_unexpected_order_is_reported() {
    insta::assert_snapshot!(difference(
        &sample(),
        [
            update("users", 1),
            insert("users"),
            insert("roles"),
            update("users", 1),
            action("user.invited"),
        ]
    ));
}

#[test]
fn the_nearest_changes_are_compared_in_any_order() {
    insta::assert_snapshot!(difference(
        &sample(),
        in_any_order([
            insert("roles").key(serde_json::json!({"user_id": 2, "role": "boss"})),
            update("users", 1),
            update("users", 9),
            insert("users"),
        ])
    ));
}

#[test]
fn others_are_not_shown_where_they_do_not_count() {
    insta::assert_snapshot!(difference(
        &sample(),
        among_others([insert("users")
            .key(2)
            .without("name")
            .masked("name")
            .was("id", 2)])
    ));
}

#[test]
fn an_error_of_the_code_is_shown() {
    let conn = &mut rolled_back_with(TABLES);
    let recorded = recorded(conn, |conn| {
        conn.transaction(|conn| {
            diesel::sql_query("INSERT INTO roles VALUES (1, 'clerk')").execute(conn)
        })
        .map_err(|error| error.to_string())
    });
    insta::assert_snapshot!(difference(&recorded, [insert("roles")]));
}

#[test]
fn an_empty_recording_is_reported() {
    let conn = &mut rolled_back();
    let recorded = recorded(conn, |_| ());
    insta::assert_snapshot!(difference(&recorded, [action("user.invited")]));
}

#[test]
fn a_text_of_others_cannot_write_on_the_terminal() {
    let conn = &mut rolled_back_with(TABLES);
    let recorded = recorded(conn, |conn| {
        conn.audited_transaction(&context("user:\u{1b}[2J"), |conn| {
            record_action(conn, Action::new("a.b").reason("\u{1b}[31m\nok"))?;
            add_user(conn, 1, "\u{1b}[31m")?;
            Ok::<_, threadline::Error>(())
        })
        .unwrap();
    });
    let shown = difference(&recorded, []);
    assert!(!shown.contains('\u{1b}'), "{shown}");
    insta::assert_snapshot!(shown);
}
