//! Changes without an actor.

use diesel::prelude::*;
use threadline::{ActorRef, AuditContext, Filter, timeline};
use threadline_tests::{Database, pages, run, run_under};

fn keys(conn: &mut PgConnection, filter: Filter) -> Vec<i64> {
    let count = timeline(filter.clone()).count(conn).unwrap();
    let pages = pages(conn, &filter, 2);
    assert!(pages.iter().all(|page| page.other_actions.is_empty()));
    let entries = pages.iter().flat_map(|page| &page.entries);
    let keys: Vec<_> = entries
        .map(|entry| entry.change.key.as_ref().unwrap()["id"].as_i64().unwrap())
        .collect();
    assert_eq!(keys.len() as u64, count);
    keys
}

#[test]
fn changes_without_an_actor_are_found() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE notes (id int PRIMARY KEY); CREATE TABLE tags (id int PRIMARY KEY);
         SELECT threadline.audit('notes'), threadline.audit('tags')",
    );
    let insert = |id: i32| format!("INSERT INTO notes VALUES ({id})");
    // In psql, outside of every context.
    run(conn, &insert(1));
    run(conn, "INSERT INTO tags VALUES (2)");
    for (id, context) in [
        (3, AuditContext::new(ActorRef::anonymous())),
        (4, AuditContext::new(ActorRef::user("1").unwrap())),
        (
            5,
            AuditContext::builder_without_actor()
                .source("web")
                .build()
                .unwrap(),
        ),
    ] {
        run_under(conn, &context, &insert(id));
    }
    run(
        conn,
        &format!(
            "BEGIN; SET LOCAL threadline.context = 'no context'; {}; COMMIT",
            insert(6)
        ),
    );
    // An action has an actor of its own, and is no change.
    run(
        conn,
        "SELECT threadline.record_action('note.read', 'user', '1')",
    );
    for posted in [false, true] {
        if posted {
            run(conn, "SELECT threadline.post()");
        }
        let nobody = || Filter::new().without_actor();
        assert_eq!(keys(conn, nobody()), [6, 5, 2, 1]);
        assert_eq!(keys(conn, nobody().table("notes")), [6, 5, 1]);
        assert_eq!(keys(conn, nobody().table("notes").record(1)), [1]);
        assert_eq!(keys(conn, nobody().table("notes").record(4)), [0; 0]);
        assert_eq!(keys(conn, nobody().source("web")), [5]);
    }
    assert_eq!(
        Filter::parse([("actor", "nobody")]).unwrap(),
        Filter::new().without_actor()
    );
    for (pairs, expected) in [
        (
            [("actor", "nobody"), ("actor", "user:1")],
            "filter `actor` is given twice; remove one of them",
        ),
        (
            [("actor", "user:1"), ("actor", "nobody")],
            "filter `actor` is given twice; remove one of them",
        ),
        (
            [("actor", "nobody"), ("actor_type", "user")],
            "nothing can be both: actor nobody, and actor_type user; remove one of them",
        ),
    ] {
        assert_eq!(Filter::parse(pairs).unwrap_err().to_string(), expected);
    }
}
