use threadline::{ActorRef, AuditContext, Hold, purge, release_hold};
use threadline_tests::{
    Database, assert_contains, assert_rows, assert_value, rows, run, run_under, value,
};

use crate::{KEPT, age};

const LEFT: &str = "SELECT op, record_key FROM threadline.audit_changes ORDER BY id";

#[test]
fn a_record_an_actor_and_a_correlation_are_kept_until_the_hold_ends() {
    let (_, conn) = &mut Database::with(KEPT);
    run(
        conn,
        "INSERT INTO orders VALUES (1, 0); UPDATE orders SET id = 2; UPDATE orders SET amount = 1; INSERT INTO orders VALUES (20, 0)",
    );
    for (user, correlation, id) in [("ada", "c-1", 30), ("grace", "c-2", 31), ("ada", "c-2", 32)] {
        let context = AuditContext::builder(ActorRef::user(user).unwrap())
            .correlation_id(correlation)
            .build()
            .unwrap();
        run_under(
            conn,
            &context,
            &format!("INSERT INTO orders VALUES ({id}, 0)"),
        );
    }
    age(conn, "4 years");
    let record = Hold::new("lawsuit 17")
        .record("orders", "2")
        .place(conn)
        .unwrap();
    let actor = Hold::new("inquiry")
        .actor(ActorRef::user("grace").unwrap())
        .place(conn)
        .unwrap();
    let both = Hold::new("inquiry")
        .actor(ActorRef::user("ada").unwrap())
        .correlation_id("c-2")
        .place(conn)
        .unwrap();
    assert_eq!(purge(conn).unwrap(), 2);
    assert_rows(conn, LEFT, ["I | 1", "U | 2", "U | 2", "I | 31", "I | 32"]);
    assert_eq!(purge(conn).unwrap(), 0);
    release_hold(conn, actor, "closed").unwrap();
    assert_eq!(purge(conn).unwrap(), 1);
    release_hold(conn, record, "settled").unwrap();
    release_hold(conn, both, "closed").unwrap();
    assert_eq!(purge(conn).unwrap(), 4);
    assert_rows(
        conn,
        "SELECT name, reason FROM threadline.audit_actions WHERE name IN ('audit.held', 'audit.released') ORDER BY id",
        [
            "audit.held | lawsuit 17",
            "audit.held | inquiry",
            "audit.held | inquiry",
            "audit.released | closed",
            "audit.released | settled",
            "audit.released | closed",
        ],
    );
}

/// Changes are found by the text of the key, and a hold that finds nothing would hold nothing.
#[test]
fn a_hold_holds_under_any_spelling_of_the_key_and_refuses_what_is_none() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE prices (id numeric(10,2) PRIMARY KEY, v text); CREATE TABLE lines (a int, b uuid, v text, PRIMARY KEY (a, b));
         SELECT threadline.audit('prices', keep => '3 years'), threadline.audit('lines', keep => '3 years');
         INSERT INTO prices VALUES (1.5, 'x'), (2, 'x');
         INSERT INTO lines VALUES (1, 'abababab-abab-abab-abab-abababababab', 'x'), (2, 'abababab-abab-abab-abab-abababababab', 'x')",
    );
    age(conn, "4 years");
    for (table, key) in [
        ("prices", "1.50"),
        ("lines", r#"["1", "ABABABAB-abab-abab-abab-abababababab"]"#),
    ] {
        Hold::new("lawsuit").record(table, key).place(conn).unwrap();
    }
    assert_eq!(purge(conn).unwrap(), 2);
    assert_rows(
        conn,
        LEFT,
        [
            "I | 1.5",
            r#"I | ["1", "abababab-abab-abab-abab-abababababab"]"#,
        ],
    );
    let errors: Vec<_> = [
        ("prices", "nonsense"),
        ("lines", "nonsense"),
        ("lines", r#"["1"]"#),
        ("lines", r#"["1", "x"]"#),
    ]
    .map(|(table, key)| {
        let hold = Hold::new("lawsuit").record(table, key).place(conn);
        hold.unwrap_err().to_string()
    })
    .into();
    insta::assert_snapshot!(errors.join("\n"));
}

/// Also if it moves again, and if the moves themselves are not held, because somebody else
/// made them.
#[test]
fn a_held_record_stays_held_under_the_keys_that_it_gets_later() {
    for only_ada in [false, true] {
        let (_, conn) = &mut Database::with(KEPT);
        run(conn, "INSERT INTO orders VALUES (1, 0), (9, 0)");
        let hold = Hold::new("lawsuit").record("orders", "1");
        let hold = if only_ada {
            hold.actor(ActorRef::user("ada").unwrap())
        } else {
            hold
        };
        hold.place(conn).unwrap();
        run(conn, "UPDATE orders SET id = 2 WHERE id = 1");
        run(conn, "UPDATE orders SET id = id + 1 WHERE id IN (2, 9)");
        let ada = AuditContext::new(ActorRef::user("ada").unwrap());
        run_under(conn, &ada, "UPDATE orders SET amount = 1");
        age(conn, "4 years");
        let (held, goes) = if only_ada { (1, 6) } else { (4, 3) };
        assert_eq!(
            rows(conn, "SELECT held, goes FROM threadline.purge_preview()"),
            [if only_ada {
                // Who made the moves is seen by the purge alone.
                "3 | 4".to_owned()
            } else {
                format!("{held} | {goes}")
            }]
        );
        // One by one: the moves go before what they led to.
        let mut purged = 0;
        while let Some(batch) = value(conn, "SELECT threadline.purge(1)") {
            purged += batch.parse::<i32>().unwrap();
        }
        assert_eq!(purged, goes);
        assert_value(
            conn,
            "SELECT count(*) FROM threadline.changes WHERE record_key = '3' AND actor_id = 'ada'",
            "1",
        );
    }
}

#[test]
fn a_hold_on_nothing_or_without_a_reason_is_refused() {
    let (_, conn) = &mut Database::with(KEPT);
    run(conn, "CREATE TABLE plain (id int PRIMARY KEY)");
    for (hold, message) in [
        (Hold::new("").table("orders"), "a hold needs a reason"),
        (
            Hold::new("x"),
            "a hold needs a table, a record of it, an actor or a correlation id",
        ),
        (Hold::new("x").table("plain"), "was never audited"),
    ] {
        let error = hold.place(conn).unwrap_err().to_string();
        assert_contains(&error, message);
    }
    let error = release_hold(conn, 99, "x").unwrap_err().to_string();
    assert_contains(&error, "no hold 99 is in force");
}

/// Held changes that come first do not prevent the removal of others, regardless of their
/// number.
#[test]
fn a_hold_keeps_only_what_it_names() {
    let (_, conn) = &mut Database::with(KEPT);
    run(
        conn,
        "CREATE TABLE others (id int PRIMARY KEY); SELECT threadline.audit('others', keep => '1 year');
         INSERT INTO orders SELECT n, 0 FROM generate_series(1, 350) AS n;
         INSERT INTO others SELECT generate_series(1, 20);
         INSERT INTO orders VALUES (1000, 0)",
    );
    age(conn, "4 years");
    run(
        conn,
        "SELECT threadline.hold('all of the first', 'orders', n::text) FROM generate_series(1, 350) AS n",
    );
    let mut purged = 0;
    while let Some(batch) = value(conn, "SELECT threadline.purge(7)") {
        purged += batch.parse::<u64>().unwrap();
    }
    assert_eq!(purged, 21);
    assert_rows(
        conn,
        "SELECT count(*), bool_and(ended_at IS NOT NULL) FROM threadline.purges",
        ["2 | true"],
    );
}
