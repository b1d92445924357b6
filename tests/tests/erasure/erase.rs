use threadline::{
    ActorRef, AuditContext, AuditExt, Erasure, Hold, erasures, release_hold, resume_erasure,
};
use threadline_tests::{
    assert_contains, assert_rows, rows, run, run_under, through_a_timeout, value,
};

use crate::{audit_contents, count, findings, jane_and_bob, people, people_with, stores};

const CHANGES: &str = "SELECT op, table_name, key ->> 'id', changed_from, changed_to, row_data FROM threadline.changes ORDER BY id";

#[test]
fn values_of_a_person_go_and_what_happened_stays() {
    let (database, conn) = &mut jane_and_bob();
    let erased = Erasure::of("users", "42", "request 31")
        .erase(conn)
        .unwrap();
    assert_rows(
        conn,
        CHANGES,
        [
            r#"insert | users | 42 | NULL | NULL | {"id": 42, "born": "erased:1", "plan": "free", "email": "erased:1"}"#,
            r#"insert | users | 43 | NULL | NULL | {"id": 43, "born": "1991-01-01", "plan": "free", "email": "bob@a"}"#,
            r#"update | users | 42 | {"email": "erased:1"} | {"email": "erased:1"} | NULL"#,
            r#"update | users | 42 | {"plan": "free"} | {"plan": "paid"} | NULL"#,
            r#"update | addresses | 1 | {"street": "erased:1"} | {"street": "erased:1"} | NULL"#,
            // Jane's values are erased, and those that became Bob's stay.
            r#"update | addresses | 1 | {"street": "erased:1", "user_id": 42} | {"street": "bob street 3", "user_id": 43} | NULL"#,
            r#"update | addresses | 1 | {"street": "bob street 3"} | {"street": "bob street 4"} | NULL"#,
            r#"insert | addresses | 2 | NULL | NULL | {"id": 2, "city": "Thun", "street": "erased:1", "user_id": 42}"#,
            r#"update | addresses | 2 | {"city": "Thun"} | {"city": "Basel"} | NULL"#,
            r#"delete | addresses | 2 | NULL | NULL | {"id": 2, "city": "Basel", "street": "erased:1", "user_id": 42}"#,
            r#"update | users | 42 | {"born": "erased:1", "email": "erased:1"} | {"born": null, "email": "erased:1"} | NULL"#,
        ],
    );
    for gone in ["jane@", "1990-01-01", "jane street"] {
        assert!(!stores(database, gone), "{gone}");
    }
    assert_eq!((erased.id, erased.changes), (1, 7));
    assert_eq!(erased.table, "public.users");
    assert!(erased.ended_at.is_some());
    assert_eq!(erasures(conn).unwrap(), [erased]);
    assert_rows(
        conn,
        "SELECT reason, meta -> 'tables' FROM threadline.audit_actions WHERE name = 'audit.erased'",
        [r#"request 31 | {"public.users": ["born", "email"], "public.addresses": ["street"]}"#],
    );
    assert!(findings(conn).is_empty());
    // A second run changes nothing.
    let before = rows(conn, CHANGES);
    assert_eq!(
        Erasure::of("users", "42", "request 31")
            .erase(conn)
            .unwrap()
            .changes,
        0
    );
    assert_eq!(rows(conn, CHANGES), before);
}

#[test]
fn a_timeout_of_the_role_does_not_stop_an_erasure() {
    let (database, _) = &mut jane_and_bob();
    let erased = through_a_timeout(database, |mut conn| {
        Erasure::of("users", "42", "request 31").erase(&mut conn)
    });
    assert_eq!(erased.unwrap().changes, 7);
    assert!(!stores(database, "jane@"));
}

#[test]
fn changes_recorded_after_an_erasure_are_erased_by_the_next() {
    let (database, conn) = &mut jane_and_bob();
    // Still open when it begins.
    let late = &mut database.connect();
    run(
        late,
        "BEGIN; INSERT INTO addresses VALUES (5, 42, 'jane street 9', 'Bern')",
    );
    let erased = Erasure::of("users", "42", "request 31")
        .erase(conn)
        .unwrap();
    assert!(findings(conn).is_empty());
    // Bob's values must not appear.
    run(
        conn,
        "UPDATE addresses SET street = 'bob street 8' WHERE id = 1; UPDATE users SET plan = 'x' WHERE id = 42",
    );
    assert!(findings(conn).is_empty());
    run(late, "COMMIT");
    assert_eq!(findings(conn), ["erased-recorded-again"]);
    run(conn, "SELECT threadline.post()");
    assert_eq!(findings(conn), ["erased-recorded-again"]);
    erased.again().unwrap().erase(conn).unwrap();
    assert!(findings(conn).is_empty());
    run(conn, "UPDATE users SET email = 'jane@again' WHERE id = 42");
    assert_eq!(findings(conn), ["erased-recorded-again"]);
    let call = value(conn, "SELECT fix FROM threadline.erasure_drift()").unwrap();
    run(conn, &call);
    assert_eq!(findings(conn), ["erasure-unfinished"]);
    let call = value(
        conn,
        "SELECT rtrim(fix, ';') FROM threadline.erasure_drift()",
    )
    .unwrap();
    while value(conn, &call).as_deref() != Some("0") {}
    assert!(findings(conn).is_empty());
    assert!(!stores(database, "jane@") && !stores(database, "jane street"));
}

#[test]
fn a_hold_wins_and_nothing_is_half_erased() {
    let (database, conn) = &mut people();
    let context = AuditContext::builder(ActorRef::user("ada").unwrap())
        .correlation_id("c-1")
        .build()
        .unwrap();
    run_under(
        conn,
        &context,
        "INSERT INTO addresses VALUES (1, 42, 'jane street', 'Bern')",
    );
    run(
        conn,
        "INSERT INTO users VALUES (42, 'jane@a', NULL, 'free')",
    );
    let record = Hold::new("lawsuit 17")
        .record("users", "42")
        .place(conn)
        .unwrap();
    let error = Erasure::of("users", "42", "request 31")
        .erase(conn)
        .unwrap_err()
        .to_string();
    assert_contains(
        &error,
        "the recorded data of public.users:42 is under hold 1 (lawsuit 17), and is not erased before the hold is released",
    );
    assert!(erasures(conn).unwrap().is_empty());
    release_hold(conn, record, "settled").unwrap();

    for hold in [
        Hold::new("inquiry").correlation_id("c-1"),
        Hold::new("inquiry").actor(ActorRef::user("ada").unwrap()),
        Hold::new("inquiry").record("addresses", "1"),
        Hold::new("inquiry").table("addresses"),
    ] {
        let hold = hold.place(conn).unwrap();
        let before = count(conn, "SELECT count(*) FROM threadline.erasures");
        let error = Erasure::of("users", "42", "request 31")
            .erase(conn)
            .unwrap_err()
            .to_string();
        assert_contains(&error, "(inquiry), and is not erased");
        assert!(
            stores(database, "jane@a") && stores(database, "jane street"),
            "nothing of it"
        );
        let last = count(conn, "SELECT max(id) FROM threadline.erasures");
        assert_eq!(last, before + 1);
        assert!(
            findings(conn)
                .iter()
                .any(|code| code == "erasure-unfinished")
        );
        release_hold(conn, hold, "closed").unwrap();
    }
    for erased in erasures(conn).unwrap() {
        resume_erasure(conn, erased.id).unwrap();
    }
    assert!(!stores(database, "jane@a") && !stores(database, "jane street"));
    assert!(findings(conn).is_empty());
}

#[test]
fn writers_do_not_wait_for_it() {
    let (database, conn) = &mut jane_and_bob();
    run(conn, "BEGIN");
    let erasure = value(
        conn,
        "SELECT threadline.begin_erasure('users', '42', 'request 31')",
    )
    .unwrap();
    for _ in 0..20 {
        run(conn, &format!("SELECT threadline.erase({erasure}, 3)"));
    }
    let writer = &mut database.connect();
    run(
        writer,
        "SET lock_timeout = '5s'; UPDATE users SET plan = 'x'; UPDATE addresses SET street = 'bob street 9' WHERE id = 1;
         INSERT INTO users VALUES (44, 'c', NULL, 'd'); DELETE FROM users WHERE id = 44",
    );
    run(conn, "COMMIT");
    assert!(findings(conn).is_empty());
}

/// An actor's free text is erased on request; actor and time stay.
#[test]
fn texts_of_actions_go_by_choice() {
    let (database, conn) = &mut people();
    for (user, reason) in [
        ("42", "jane moved house"),
        ("7", "jane called"),
        ("7", "bob called"),
    ] {
        let context = AuditContext::builder(ActorRef::user(user).unwrap())
            .metadata("agent", "jane's phone")
            .remote_ip("10.1.2.3".parse().unwrap())
            .build()
            .unwrap();
        conn.audited_transaction(&context, |conn| {
            run(
                conn,
                "INSERT INTO addresses SELECT count(*), 43, 'bob street', 'Bern' FROM addresses",
            );
            threadline::record_action(
                conn,
                threadline::Action::new("address.changed").reason(reason),
            )?;
            Ok::<_, threadline::Error>(())
        })
        .unwrap();
    }
    let called = count(
        conn,
        "SELECT id FROM threadline.audit_actions WHERE reason = 'jane called'",
    );
    let erased = Erasure::of("users", "42", "request 31")
        .actor(ActorRef::user("42").unwrap())
        .action(called)
        .erase(conn)
        .unwrap();
    assert_eq!(erased.texts, 3);
    assert_rows(
        conn,
        "SELECT actor_id, reason, meta, remote_ip FROM threadline.audit_actions WHERE name = 'address.changed' ORDER BY id",
        [
            r#"42 | erased:1 | {"erased": "erased:1"} | NULL"#,
            r#"7 | erased:1 | {"erased": "erased:1"} | NULL"#,
            r#"7 | bob called | {"agent": "jane's phone"} | 10.1.2.3"#,
        ],
    );
    assert_rows(
        conn,
        "SELECT actor_id, meta, remote_ip FROM threadline.audit_transactions WHERE actor_id IS NOT NULL ORDER BY id",
        [
            r#"42 | {"erased": "erased:1"} | NULL"#,
            r#"7 | {"agent": "jane's phone"} | 10.1.2.3"#,
            r#"7 | {"agent": "jane's phone"} | 10.1.2.3"#,
        ],
    );
    assert!(
        !audit_contents(database).contains("jane moved")
            && !audit_contents(database).contains("jane called")
    );
    // Everything is still readable.
    threadline::actions(threadline::ActionFilter::new())
        .page(conn)
        .unwrap();
    threadline::timeline(threadline::Filter::new())
        .page(conn)
        .unwrap();
}

#[test]
fn a_record_whose_key_changed_is_erased_under_all_its_keys_unless_others_had_them() {
    let (database, conn) = &mut people_with(
        "INSERT INTO users VALUES (42, 'jane@a', NULL, 'free'), (1, 'bob@a', NULL, 'free'), (2, 'eve@a', NULL, 'free');
         INSERT INTO addresses VALUES (1, 42, 'jane street', 'Bern');
         UPDATE users SET id = 50 WHERE id = 42; UPDATE addresses SET user_id = 50, street = 'jane street 2';
         UPDATE users SET id = CASE id WHEN 1 THEN 3 ELSE 1 END WHERE id IN (1, 2);
         UPDATE users SET email = 'jane@b' WHERE id = 50",
    );
    Erasure::of("users", "50", "request 31")
        .erase(conn)
        .unwrap();
    assert!(!stores(database, "jane@") && !stores(database, "jane street"));
    assert!(stores(database, "bob@a"));
    assert!(findings(conn).is_empty());
    let error = Erasure::of("users", "1", "request 32")
        .erase(conn)
        .unwrap_err()
        .to_string();
    assert_contains(&error, "shares keys with other records");
}
