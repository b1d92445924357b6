//! Other places with values: the images kept by a purge, entries that could not be
//! posted, a backup.

use diesel::PgConnection;
use diesel::connection::SimpleConnection;
use threadline::{
    ActorRef, AuditContext, AuditExt, Erased, Erasure, erasures, purge, record_action,
};
use threadline_tests::{Database, age, assert_rows, run, run_under, value};

use crate::{audit_contents, findings, jane_and_bob, people_with, stores};

/// Sets all entries aside, as threadline.post() does with one that it cannot post.
fn set_aside(conn: &mut PgConnection) {
    run(
        conn,
        "WITH gone AS (DELETE FROM threadline.journal RETURNING *)
         INSERT INTO threadline.unposted (id, transaction_id, xact_id, occurred_at, captured_at, op, table_id, relation, depth,
             old_place, new_place, command, old_row, new_row, changed, context, session_user_name, application_name, error)
         SELECT gone.*, 'invalid: jane@unposted' FROM gone",
    );
}

/// The audit cannot know that the actor `user:42` is the person of the record 42.
#[test]
fn texts_of_an_actor_with_the_id_of_the_record_are_named_until_they_are_erased() {
    let (database, conn) = &mut people_with(
        "INSERT INTO users VALUES (42, 'jane@a', NULL, 'free'), (43, 'bob@a', NULL, 'free')",
    );
    for (actor, addresses) in [
        (ActorRef::user("42").unwrap(), 2),
        (ActorRef::admin("42").unwrap(), 1),
        (ActorRef::user("43").unwrap(), 1),
        (ActorRef::user("421").unwrap(), 1),
    ] {
        for address in 0..addresses {
            let context = AuditContext::builder(actor.clone())
                .remote_ip([203, 0, 113, address].into())
                .metadata("agent", "browser")
                .build()
                .unwrap();
            conn.audited_transaction(&context, |conn| {
                run(conn, "UPDATE users SET plan = plan || '+' WHERE id = 43");
                record_action(conn, "plan.changed").map(drop)
            })
            .unwrap();
        }
        // Without any text: nothing is left of it.
        run_under(
            conn,
            &AuditContext::new(actor),
            "UPDATE users SET plan = 'free' WHERE id = 43",
        );
    }
    let left = |conn: &mut PgConnection, erased: &Erased| -> Vec<String> {
        let left = erased.texts_left(conn).unwrap();
        left.iter()
            .map(|l| format!("{} {} {}", l.actor, l.actions, l.transactions))
            .collect()
    };
    let erased = Erasure::of("users", "42", "request 31")
        .erase(conn)
        .unwrap();
    assert_eq!(left(conn, &erased), ["admin:42 1 1", "user:42 2 2"]);
    assert_eq!(stored(database, "203.0.113."), 10);
    let again = Erasure::of("users", "42", "request 31")
        .actor(ActorRef::user("42").unwrap())
        .erase(conn)
        .unwrap();
    assert_eq!(left(conn, &again), ["admin:42 1 1"]);
    assert_eq!(left(conn, &erased), ["admin:42 1 1"]);
    // Those of others stay, under whatever id.
    assert_eq!(stored(database, "203.0.113."), 6);
    let other = Erasure::of("users", "99", "request 32")
        .erase(conn)
        .unwrap();
    assert_eq!(left(conn, &other), [""; 0]);
}

/// Returns how often a text is stored in the audit.
fn stored(database: &Database, text: &str) -> usize {
    audit_contents(database).matches(text).count()
}

/// Posts everything and makes it older than the tables keep their changes.
fn let_a_purge_take_all(conn: &mut PgConnection) {
    age(conn, "2 years");
    run(
        conn,
        "SELECT threadline.audit('users', personal => ARRAY['email', 'born'], keep => '1 year');
         SELECT threadline.audit('addresses', personal => ARRAY['street'], subject => '{\"user_id\": \"users\"}', keep => '1 year')",
    );
}

#[test]
fn images_kept_by_a_purge_are_erased() {
    let (database, conn) = &mut jane_and_bob();
    run(
        conn,
        "UPDATE addresses SET user_id = 42, street = 'jane street 8' WHERE id = 1; UPDATE users SET email = 'jane@c' WHERE id = 42;
         INSERT INTO addresses VALUES (4, 43, 'bob street 9', 'Bern'); ",
    );
    let_a_purge_take_all(conn);
    assert!(purge(conn).unwrap() > 0);
    assert!(stores(database, "jane@c") && stores(database, "jane street 8"));
    Erasure::of("users", "42", "request 31")
        .erase(conn)
        .unwrap();
    assert!(!stores(database, "jane@") && !stores(database, "jane street"));
    assert!(stores(database, "bob@a") && stores(database, "bob street 9"));
    assert_rows(
        conn,
        "SELECT record_key, image ->> 'street' FROM threadline.kept_images WHERE image ? 'street' ORDER BY record_key",
        ["1 | erased:1", "4 | bob street 9"],
    );
}

/// A purge between two batches copies changes that are not erased yet into its images.
#[test]
fn a_purge_in_between_hides_nothing() {
    let (database, conn) = &mut people_with(
        "INSERT INTO users VALUES (42, 'jane@a', NULL, 'free'); INSERT INTO addresses VALUES (1, 42, 'jane street', 'Bern')",
    );
    for n in 0..20 {
        run(
            conn,
            &format!(
                "UPDATE users SET email = 'jane@{n}'; UPDATE addresses SET street = 'jane street {n}'"
            ),
        );
    }
    let_a_purge_take_all(conn);
    run(
        conn,
        "SELECT threadline.begin_erasure('users', '42', 'request 31')",
    );
    let mut turn = 0;
    while value(conn, "SELECT threadline.erase(1, 3)").as_deref() != Some("0") {
        turn += 1;
        run(conn, &format!("SELECT threadline.purge({})", 1 + turn % 5));
    }
    assert!(!stores(database, "jane@") && !stores(database, "jane street"));
}

#[test]
fn entries_that_cannot_be_posted_are_erased_in_place() {
    let (database, conn) = &mut jane_and_bob();
    run(conn, "SELECT threadline.post()");
    run(
        conn,
        "UPDATE users SET email = email || '+jane@unposted'; INSERT INTO addresses VALUES (7, 42, 'jane street 7', 'Bern'), (8, 43, 'bob street 7', 'Bern')",
    );
    set_aside(conn);
    Erasure::of("users", "42", "request 31")
        .erase(conn)
        .unwrap();
    assert!(!stores(database, "jane street"));
    assert_rows(
        conn,
        "SELECT op, old_row ->> 'email', new_row ->> 'email', new_row ->> 'street', error FROM threadline.unposted ORDER BY op DESC, old_row ->> 'id', id",
        [
            "U | erased:1 | erased:1 | NULL | erased:1",
            "U | bob@a | bob@a+jane@unposted | NULL | invalid: jane@unposted",
            "I | NULL | NULL | erased:1 | erased:1",
            "I | NULL | NULL | bob street 7 | invalid: jane@unposted",
        ],
    );
    run(conn, "SELECT threadline.post_again()");
    assert!(findings(conn).is_empty());
}

#[test]
fn a_restored_dump_of_before_is_erased_again_from_the_list() {
    let (database, conn) = &mut jane_and_bob();
    let backup = database.restored();
    Erasure::of("users", "42", "request 31")
        .erase(conn)
        .unwrap();
    let list = erasures(conn).unwrap();
    let list = serde_json::to_string(&list).unwrap();

    assert!(stores(&backup, "jane@"), "the backup has it");
    let conn = &mut backup.connect();
    conn.batch_execute("SELECT threadline.refresh_all()")
        .unwrap();
    let list: Vec<Erased> = serde_json::from_str(&list).unwrap();
    for erased in list {
        erased.again().unwrap().erase(conn).unwrap();
    }
    assert!(!stores(&backup, "jane@") && !stores(&backup, "jane street"));
    assert_eq!(findings(conn), [""; 0]);
}

/// What is kept of a context that could not be read is its text.
#[test]
fn the_text_of_unreadable_contexts_of_the_actor_is_erased() {
    let (database, conn) = &mut jane_and_bob();
    run(conn, "SELECT threadline.post()");
    let actor = |id: &str, address: &str| {
        format!(
            r#"{{"actor": {{"type": "user", "id": "{id}"}}, "remote_ip": "10.0.0.7", "metadata": {{"mail": "{address}"}}}}"#
        )
    };
    let (jane, bob) = (actor("42", "jane@context"), actor("421", "bob@context"));
    let mut id = 100;
    let mut write_under = |conn: &mut PgConnection, setting: &str| {
        id += 1;
        run(
            conn,
            &format!(
                "BEGIN; {setting}; INSERT INTO addresses VALUES ({id}, 43, 'a street', 'Bern'); COMMIT; RESET threadline.context"
            ),
        );
    };
    let contexts = |conn: &mut PgConnection,
                    write_under: &mut dyn FnMut(&mut PgConnection, &str)| {
        for said in [&jane, &bob] {
            write_under(conn, &format!("SELECT threadline.set_context('{said}')"));
            // Not JSON: its end is missing.
            let cut = &said[..said.len() - 1];
            write_under(
                conn,
                &format!(
                    "SELECT set_config('threadline.context', extract(epoch FROM now()) || ' ' || '{cut}', true)"
                ),
            );
            // Left over from another transaction.
            write_under(conn, &format!("SET threadline.context = '1.5 {said}'"));
        }
    };
    contexts(conn, &mut write_under);
    run(conn, "SELECT threadline.post()");
    contexts(conn, &mut write_under);
    set_aside(conn);
    assert_eq!(stored(database, "jane@context"), 6);
    assert_eq!(stored(database, "bob@context"), 6);

    Erasure::of("users", "42", "request 31")
        .actor(ActorRef::user("42").unwrap())
        .erase(conn)
        .unwrap();
    assert_eq!(stored(database, "jane@context"), 0);
    assert_eq!(stored(database, "bob@context"), 6);

    // Who acted is still known after the entries are posted.
    run(conn, "SELECT threadline.post_again()");
    run(conn, "SELECT threadline.post()");
    assert_rows(conn, "SELECT error FROM threadline.unposted", []);
    assert_rows(
        conn,
        "SELECT actor_id, actor_origin, remote_ip, meta, count(*) FROM threadline.ledger_transactions
         WHERE meta::text ~ 'erased' GROUP BY 1, 2, 3, 4 ORDER BY 2",
        [
            r#"42 | sql | NULL | {"erased": "erased:1"} | 2"#,
            r#"NULL | unreadable | NULL | {"erased": "erased:1"} | 1"#,
            r#"NULL | unreadable | NULL | {"unreadable_context": "erased:1"} | 1"#,
            r#"NULL | untrusted | NULL | {"erased": "erased:1"} | 1"#,
            r#"NULL | untrusted | NULL | {"untrusted_context": "erased:1"} | 1"#,
        ],
    );
    assert_eq!(stored(database, "bob@context"), 6);
}
