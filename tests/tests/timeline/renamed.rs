//! Columns that were renamed, added again, excluded or misspelt.

use diesel::prelude::*;
use threadline::{ActorRef, AuditContext, Audited, Filter, Scope, TableScope, timeline};
use threadline_tests::{Database, assert_contains, run, value};

diesel::table! { orders (id) { id -> Int4, } }

#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = orders)]
struct Order {
    id: i32,
}

const ORDERS: &str = "
    CREATE TABLE orders (id int PRIMARY KEY, status text, tier text, secret text);
    CREATE TABLE others (id int PRIMARY KEY, old_status text);
    SELECT threadline.audit('orders', exclude => ARRAY['secret'], plain => ARRAY['status', 'tier']), threadline.audit('others');
    INSERT INTO orders VALUES (1, 'draft', 'gold');
    INSERT INTO others VALUES (1, 'draft');
    UPDATE orders SET status = 'open';";

/// Returns a database whose column `status` is called `old_status`, and another one `status`.
fn renamed() -> (Database, PgConnection) {
    let (database, mut conn) = Database::with(ORDERS);
    run(
        &mut conn,
        "ALTER TABLE orders RENAME status TO old_status; ALTER TABLE orders ADD status text",
    );
    (database, conn)
}

fn blamed(conn: &mut PgConnection) -> Vec<String> {
    Order::blame_of(conn, 1)
        .unwrap()
        .iter()
        .map(|blame| {
            format!(
                "{} {} {}",
                blame.column, blame.value, blame.change.operation
            )
        })
        .collect()
}

/// Returns the operation of each change that matches, oldest first.
fn found(conn: &mut PgConnection, filter: Filter) -> String {
    let count = timeline(filter.clone()).count(conn).unwrap();
    let page = timeline(filter).page(conn).unwrap();
    assert_eq!(count as usize, page.entries.len());
    let operations = page
        .entries
        .iter()
        .rev()
        .map(|e| e.change.operation.to_string());
    operations.collect::<Vec<_>>().join(" ")
}

fn error(conn: &mut PgConnection, filter: Filter) -> String {
    let error = timeline(filter.clone())
        .count(conn)
        .unwrap_err()
        .to_string();
    assert_eq!(timeline(filter).page(conn).unwrap_err().to_string(), error);
    error
}

fn orders() -> Filter {
    Filter::new().table("orders")
}

#[test]
fn blame_lists_the_present_columns_under_their_present_names() {
    let (_, conn) = &mut renamed();
    let expected = [
        "id 1 insert",
        "old_status \"open\" update",
        "tier \"gold\" insert",
    ];
    for noted in [false, true] {
        if noted {
            run(conn, "SELECT threadline.refresh('orders')");
        }
        assert_eq!(blamed(conn), expected, "{noted}");
    }
    run(
        conn,
        "UPDATE orders SET status = 'new';
         ALTER TABLE orders DROP tier; SELECT threadline.refresh('orders');",
    );
    assert_eq!(
        blamed(conn),
        [
            "id 1 insert",
            "old_status \"open\" update",
            "status \"new\" update"
        ]
    );
    // Another column of the name of a dropped one.
    run(conn, "ALTER TABLE orders ADD tier text");
    assert_eq!(blamed(conn).len(), 3);
    run(conn, "SELECT threadline.refresh('orders')");
    assert_eq!(blamed(conn).len(), 3);
    run(conn, "UPDATE orders SET tier = 'lead'");
    assert_eq!(blamed(conn)[3], "tier \"lead\" update");
    run(conn, "DELETE FROM orders");
    assert_eq!(blamed(conn)[3], "tier \"lead\" update");
    run(conn, "DROP TABLE orders");
    assert_eq!(blamed(conn).len(), 4);
}

#[test]
fn a_filter_follows_the_renames_of_a_column() {
    let (_, conn) = &mut renamed();
    for noted in [false, true] {
        if noted {
            run(conn, "SELECT threadline.refresh('orders')");
            run(conn, "UPDATE orders SET old_status = 'paid', status = 'x'");
        }
        let update = if noted { " update" } else { "" };
        assert_eq!(
            found(conn, orders().changed("old_status")),
            format!("insert update{update}")
        );
        if noted {
            assert_eq!(found(conn, orders().changed("status")), "update");
            assert_eq!(found(conn, orders().value("status", "draft")), "");
        }
        assert_eq!(
            found(conn, orders().value("old_status", "draft")),
            "insert update"
        );
        assert_eq!(
            found(conn, orders().changed_from("old_status", "draft")),
            "update"
        );
        assert_eq!(
            found(conn, orders().changed_to("old_status", "draft")),
            "insert"
        );
        let rest = orders().except("changed", "old_status").unwrap();
        assert_eq!(found(conn, rest), "");
        let record = orders().record(1).changed("old_status");
        assert_eq!(found(conn, record), format!("insert update{update}"));
    }
    // In each table that has or had it.
    let everywhere = Filter::new().changed_to("old_status", "draft");
    assert_eq!(found(conn, everywhere), "insert insert");
    let scope = || Scope::new().table(TableScope::new("orders").hide(["tier"]));
    assert_eq!(
        found(conn, orders().changed("old_status").within(scope())),
        "update"
    );
}

#[test]
fn a_former_name_means_the_column_that_had_it() {
    let (_, conn) = &mut renamed();
    run(
        conn,
        "ALTER TABLE orders RENAME tier TO level; UPDATE orders SET level = 'silver';
         SELECT threadline.refresh('orders'); UPDATE orders SET level = 'lead'",
    );
    for name in ["tier", "level"] {
        assert_eq!(found(conn, orders().changed(name)), "insert update update");
    }
    run(
        conn,
        "ALTER TABLE orders DROP level; SELECT threadline.refresh('orders')",
    );
    for name in ["tier", "level"] {
        assert_eq!(found(conn, orders().changed(name)), "insert update update");
    }
    run(conn, "DROP TABLE orders");
    assert_eq!(
        found(conn, orders().changed("level")),
        "insert update update"
    );
}

#[test]
fn a_column_that_a_table_never_had_or_does_not_record_is_an_error() {
    let (_, conn) = &mut renamed();
    let errors = [
        error(conn, orders().changed("teir")),
        error(conn, orders().value("nothing", 1)),
        error(conn, orders().changed("secret")),
        error(conn, orders().except("changed", "secret").unwrap()),
    ];
    insta::assert_snapshot!(errors.join("\n"));
    assert_eq!(found(conn, Filter::new().changed("teir")), "");
    // A scope does not tell whether a hidden column exists.
    let scope = || Scope::new().table(TableScope::new("orders").only(["tier"]));
    for name in ["status", "nothing"] {
        assert_eq!(found(conn, orders().changed(name).within(scope())), "");
    }
}

#[test]
fn what_was_recorded_before_an_exclusion_is_found_unmasked() {
    let (_, conn) = &mut renamed();
    run(
        conn,
        "SELECT threadline.audit('orders', exclude => ARRAY['tier', 'secret'])",
    );
    assert!(error(conn, orders().changed("tier")).contains("is excluded"));
    let context = AuditContext::new(ActorRef::user(1).unwrap());
    let found = context.scope(|| {
        threadline::unmasked(conn, "test", |conn| {
            Ok(found(conn, orders().changed("tier")))
        })
    });
    assert_eq!(found.unwrap(), "insert");
    assert!(value(conn, "SELECT 1").is_some());
}

/// Until a refresh, a renamed table is found by both names, and no error suggests the name that
/// was given.
#[test]
fn a_renamed_table_is_found_by_its_present_name_and_by_the_former_one() {
    let (_, conn) = &mut Database::with(ORDERS);
    let of = |table: &str| Filter::new().table(table);
    run(conn, "ALTER TABLE orders RENAME TO order_lines");
    assert_eq!(found(conn, of("orders")), "insert update");
    assert_eq!(found(conn, of("order_lines")), "insert update");
    assert_eq!(Order::history_of(conn, 1).unwrap().len(), 2);

    run(conn, "CREATE TABLE orders (id int PRIMARY KEY)");
    assert_eq!(
        error(conn, of("orders")),
        "table orders is not audited and never was; the audited tables are: public.order_lines, public.others"
    );
    let error = Order::history_of(conn, 1).unwrap_err().to_string();
    assert_contains(&error, "is not audited");
    let known = threadline::__cli::known_table(conn, "order_linse");
    let error = threadline::__cli::ready(known).unwrap_err().to_string();
    assert!(error.ends_with("; did you mean order_lines?"), "{error}");

    // Two tables that exchanged their names.
    run(
        conn,
        "DROP TABLE orders; ALTER TABLE others RENAME TO orders; ALTER TABLE order_lines RENAME TO others",
    );
    assert_eq!(found(conn, of("orders")), "insert");
    assert_eq!(found(conn, of("others")), "insert update");
    run(conn, "SELECT threadline.refresh_all()");
    assert_eq!(found(conn, of("orders")), "insert");
    assert_eq!(found(conn, of("others")), "insert update");
}
