//! The operations of the service are recorded with actor and reason, and nothing else is.

use bigdecimal::BigDecimal;
use diesel::prelude::*;
use invoicing::schema::{invoices, members, roles};
use invoicing::{billing, open};
use serde_json::json;
use threadline::testing::{
    action, assert_no_unattributed, assert_recorded, context, fixtures, insert, recorded, update,
};
use threadline_tests::Database;

/// Creates two members, one of whom may write off, and three open invoices.
fn make_fixtures(conn: &mut PgConnection) {
    fixtures(conn, |conn| {
        for (id, name) in [(1, "Ada"), (2, "Bob")] {
            diesel::insert_into(members::table)
                .values((
                    members::id.eq(id),
                    members::name.eq(name),
                    members::email.eq(format!("{name}@example.com")),
                    members::password_hash.eq("argon2$s3cr3t"),
                ))
                .execute(conn)?;
        }
        // A table that refuses writes without an actor.
        diesel::insert_into(roles::table)
            .values((roles::member_id.eq(1), roles::role.eq("accountant")))
            .execute(conn)?;
        for (id, amount) in [(1, 1200), (2, 15), (3, 800)] {
            diesel::insert_into(invoices::table)
                .values((
                    invoices::id.eq(id),
                    invoices::member_id.eq(2),
                    invoices::number.eq(format!("2026-{id}")),
                    invoices::amount.eq(BigDecimal::from(amount)),
                    invoices::status.eq("open"),
                    invoices::reminders.eq(0),
                ))
                .execute(conn)?;
        }
        QueryResult::Ok(())
    })
    .unwrap();
}

#[test]
fn each_thing_that_the_service_does_is_recorded() {
    let database = Database::empty();
    let conn = &mut open(&database.url()).unwrap();
    make_fixtures(conn);
    let accountant = &context("user:1");

    let renamed = recorded(conn, |conn| {
        billing::rename(conn, accountant, 2, "Ben").unwrap()
    });
    assert_recorded!(
        renamed,
        [update("members", 2).set("name", "Ben").by("user:1")]
    );

    let granted = recorded(conn, |conn| {
        billing::grant(conn, accountant, 2, "clerk", "covers for Ada").unwrap();
    });
    assert_recorded!(
        granted,
        [
            action("role.granted").reason("covers for Ada").by("user:1"),
            insert("roles")
                .key(json!({"member_id": 2, "role": "clerk"}))
                .by("user:1"),
        ]
    );

    let corrected = recorded(conn, |conn| {
        let amount = "1100.00".parse().unwrap();
        billing::correct(conn, accountant, &[(1, amount)], "a typing mistake").unwrap();
    });
    assert_recorded!(
        corrected,
        [
            action("invoice.corrected").reason("a typing mistake"),
            // An amount has every digit, so it is a text.
            update("invoices", 1)
                .was("amount", "1200.00")
                .set("amount", "1100.00"),
        ]
    );

    let written_off = recorded(conn, |conn| {
        billing::write_off_small_amounts(conn, accountant).unwrap()
    });
    assert_eq!(written_off.value, 1);
    assert_recorded!(
        written_off,
        [
            action("invoice.written_off"),
            update("invoices", 2)
                .set("status", "written off")
                .by("user:1"),
        ]
    );
    assert_no_unattributed!(written_off);
}
