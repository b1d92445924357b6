//! Actions, read like changes: also those of transactions without changes.

use std::collections::BTreeSet;

use diesel::prelude::*;
use serde_json::json;
use threadline::{
    Action, ActionFilter, ActionStatus, ActorRef, ActorType, AuditAction, AuditContext, AuditExt,
    Cursor, Error, ErrorKind, Filter, actions, actor_history, correlated, record_action, timeline,
};
use threadline_tests::notes::{NOTES, insert};
use threadline_tests::{Database, pages, run, value};

fn by(id: &str) -> Action {
    Action::new("session.opened").actor(ActorRef::user(id).unwrap())
}

fn named(name: &str) -> Action {
    Action::new(name).actor(ActorRef::user("1").unwrap())
}

/// Runs a transaction that inserts a note with an action, by `user:1`.
fn write(conn: &mut PgConnection, id: i32) {
    let context = AuditContext::new(ActorRef::user("1").unwrap());
    conn.audited_transaction::<_, Error, _>(&context, |conn| {
        insert(conn, id)?;
        record_action(conn, "note.written")
    })
    .unwrap();
}

/// Runs a transaction of `user:1` that records an action and changes nothing.
fn look(conn: &mut PgConnection, name: &str) -> AuditAction {
    let context = AuditContext::new(ActorRef::user("1").unwrap());
    conn.audited_transaction(&context, |conn| record_action(conn, name))
        .unwrap()
}

fn names<'a>(actions: impl IntoIterator<Item = &'a AuditAction>) -> Vec<&'a str> {
    actions.into_iter().map(|action| &*action.name).collect()
}

fn found(conn: &mut PgConnection, filter: ActionFilter) -> Vec<String> {
    let count = actions(filter.clone()).count(conn).unwrap();
    let page = actions(filter).page(conn).unwrap();
    assert_eq!(count, page.entries.len() as u64);
    page.entries.into_iter().map(|action| action.name).collect()
}

#[test]
fn every_filter_finds_what_it_asks_for_newest_first() {
    let (_, conn) = &mut Database::with(NOTES);
    let context = AuditContext::builder(ActorRef::admin("grace").unwrap())
        .source("web")
        .metadata("tenant", "acme")
        .build()
        .unwrap();
    let all = [
        named("a.read"),
        named("a.read_again").failed().reason("not for 50% of_them"),
        named("b.read").category("a").verb("read"),
        named("b.sent").actor(ActorRef::anonymous()),
        named("b.lost").request_id("r"),
        named("b.found").correlation_id(" r "),
        named("c.ran").job_id("r").comment("Not FOR all"),
        named("c.counted").metadata("rows", 12),
    ];
    for action in all {
        record_action(conn, action).unwrap();
    }
    context.scope(|| record_action(conn, "d.opened")).unwrap();
    let linked = look(conn, "e.checked").transaction_id.unwrap();
    write(conn, 1);

    let mut find = |filter: ActionFilter| found(conn, filter);
    let filter = ActionFilter::new;
    assert_eq!(
        find(filter()),
        [
            "note.written",
            "e.checked",
            "d.opened",
            "c.counted",
            "c.ran",
            "b.found",
            "b.lost",
            "b.sent",
            "b.read",
            "a.read_again",
            "a.read"
        ]
    );
    assert_eq!(find(filter().name("a.read")), ["a.read"]);
    assert_eq!(
        find(filter().category("a")),
        ["b.read", "a.read_again", "a.read"]
    );
    assert_eq!(find(filter().verb("read")), ["b.read", "a.read"]);
    let failed = filter().status(ActionStatus::Error);
    assert_eq!(find(failed.clone()), ["a.read_again"]);
    assert_eq!(find(failed.name("a.read")), [""; 0]);
    assert_eq!(find(filter().status(ActionStatus::Ok)).len(), 10);
    assert_eq!(find(filter().actor(&ActorRef::anonymous())), ["b.sent"]);
    assert_eq!(
        find(filter().actor(&ActorRef::admin("grace").unwrap())),
        ["d.opened"]
    );
    assert_eq!(find(filter().actor_type(ActorType::Admin)), ["d.opened"]);
    assert_eq!(find(filter().request_id("r")), ["b.lost"]);
    assert_eq!(find(filter().correlation_id(" r ")), ["b.found"]);
    assert_eq!(find(filter().correlation_id("r")), [""; 0]);
    assert_eq!(find(filter().job_id("r")), ["c.ran"]);
    assert_eq!(find(filter().transaction(linked)), ["e.checked"]);
    assert_eq!(find(filter().source("web")), ["d.opened"]);
    assert_eq!(find(filter().metadata("tenant", "acme")), ["d.opened"]);
    assert_eq!(find(filter().metadata("rows", 12)), ["c.counted"]);
    assert_eq!(find(filter().metadata("rows", "12")), ["c.counted"]);
    assert_eq!(find(filter().text("NOT for")), ["c.ran", "a.read_again"]);
    assert_eq!(find(filter().text("50% of_")), ["a.read_again"]);
    assert_eq!(find(filter().text("5_")), [""; 0]);
    let without = find(filter().without_changes());
    assert_eq!(without.len(), 10);
    assert!(!without.contains(&"note.written".to_owned()));

    let when = "SELECT occurred_at::text FROM threadline.actions WHERE name = 'b.read'";
    let when = value(conn, when).unwrap();
    let when = chrono::DateTime::parse_from_str(&when, "%Y-%m-%d %H:%M:%S%.f%#z")
        .unwrap()
        .to_utc();
    assert_eq!(found(conn, filter().to(when)).len(), 3);
    assert_eq!(found(conn, filter().from(when)).len(), 9);
    assert_eq!(found(conn, filter().from(when).to(when)), ["b.read"]);
    assert!(
        actions(filter().from(when).to(when - chrono::TimeDelta::seconds(1)))
            .page(conn)
            .is_err()
    );
}

#[test]
fn actions_come_in_pages_while_others_are_recorded() {
    let (_, conn) = &mut Database::new().connected();
    // Of one statement, and so of one time.
    run(
        conn,
        "INSERT INTO threadline.audit_actions (occurred_at, name, actor_type)
         SELECT '2026-01-01Z'::timestamptz + (i / 7) * interval '1 microsecond', 'note.seen', 'anonymous' FROM generate_series(1, 40) AS i",
    );
    let mut seen = BTreeSet::new();
    let mut next: Option<Cursor> = None;
    loop {
        let page = actions(ActionFilter::new().name("note.seen"))
            .limit(6)
            .after(next)
            .page(conn)
            .unwrap();
        for action in &page.entries {
            assert!(seen.insert(action.id), "{} twice", action.id);
        }
        record_action(conn, named("note.seen")).unwrap();
        next = page.next.map(|cursor| cursor.to_string().parse().unwrap());
        if next.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 40);

    let other = actions(ActionFilter::new())
        .limit(1)
        .page(conn)
        .unwrap()
        .next;
    let error = timeline(Filter::new()).after(other).page(conn).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Cursor { .. }), "{error}");
}

#[test]
fn a_timeline_hides_no_action_without_changes() {
    let (_, conn) = &mut Database::with(NOTES);
    record_action(conn, by("2").failed()).unwrap();
    write(conn, 1);
    look(conn, "note.read");
    record_action(conn, by("2").failed()).unwrap();
    write(conn, 2);
    run(conn, "SELECT threadline.post()");
    look(conn, "note.read");
    write(conn, 3);
    record_action(conn, by("3").correlation_id("c")).unwrap();
    for posted in [false, true] {
        if posted {
            run(conn, "SELECT threadline.post()");
        }
        let page = timeline(Filter::new()).page(conn).unwrap();
        assert_eq!(page.entries.len(), 3);
        assert_eq!(
            names(&page.other_actions),
            [
                "session.opened",
                "note.read",
                "session.opened",
                "note.read",
                "session.opened"
            ]
        );
        let count = |filter: Filter, conn: &mut PgConnection| {
            let question = timeline(filter);
            let changes = question.clone().count(conn).unwrap();
            (changes, question.count_other_actions(conn).unwrap())
        };
        assert_eq!(count(Filter::new(), conn), (3, 5));
        assert_eq!(count(Filter::new().action("note.read"), conn), (0, 2));
        assert_eq!(count(Filter::new().table("notes"), conn), (3, 0));
        // Each between the changes of its time, up to a page.
        let places: Vec<_> = pages(conn, &Filter::new(), 1)
            .iter()
            .map(|page| (page.other_actions.len(), page.has_more_actions))
            .collect();
        assert_eq!(places, [(1, false), (1, false), (1, true)]);
        let mut others = |filter: Filter| {
            let page = timeline(filter).page(conn).unwrap();
            (page.entries.len(), page.other_actions.len())
        };
        let filter = Filter::new;
        assert_eq!(others(filter().action("session.opened")), (0, 3));
        assert_eq!(others(filter().action("note.read")), (0, 2));
        assert_eq!(others(filter().action("note.written")), (3, 0));
        assert_eq!(others(filter().status(ActionStatus::Error)), (0, 2));
        assert_eq!(
            others(filter().actor(&ActorRef::user("2").unwrap())),
            (0, 2)
        );
        assert_eq!(others(filter().correlation_id("c")), (0, 1));
        assert_eq!(others(filter().from(chrono::Utc::now())), (0, 0));
        assert_eq!(others(filter().to(chrono::Utc::now())), (3, 5));
        // Filters for properties of changes match no action.
        assert_eq!(others(filter().table("notes")), (3, 0));
        assert_eq!(others(filter().table("notes").record(1)), (1, 0));
        assert_eq!(others(filter().changed("body")), (3, 0));
    }
}

#[test]
fn each_action_without_changes_is_beside_one_page() {
    let (_, conn) = &mut Database::with(NOTES);
    for id in 1..=9 {
        look(conn, "note.read");
        record_action(conn, by("2")).unwrap();
        write(conn, id);
        if id == 5 {
            run(conn, "SELECT threadline.post()");
        }
    }
    let mut ids = BTreeSet::new();
    for page in pages(conn, &Filter::new(), 4) {
        assert!(!page.has_more_actions || page.other_actions.len() == 4);
        ids.extend(page.other_actions.iter().map(|action| action.id));
        let all = actions(ActionFilter::new().without_changes())
            .page(conn)
            .unwrap();
        assert_eq!(all.entries.len(), 18);
    }
    // Six and eight are among the first two pages, four among the last.
    assert_eq!(ids.len(), 4 + 4 + 4);
}

#[test]
fn actions_on_the_audit_itself_are_in_the_timeline() {
    let (_, conn) = &mut Database::with(NOTES);
    conn.transaction(|conn| {
        threadline::suspend(conn, "reload")?;
        insert(conn, 1).map_err(Error::from)
    })
    .unwrap();
    let page = timeline(Filter::new().action("audit.suspended"))
        .page(conn)
        .unwrap();
    assert_eq!(names(&page.other_actions), ["audit.suspended"]);
    assert_eq!(page.other_actions[0].reason.as_deref(), Some("reload"));
}

#[test]
fn an_actors_history_has_what_they_did_outside_their_transactions() {
    let (_, conn) = &mut Database::with(NOTES);
    record_action(conn, by("1").failed()).unwrap();
    write(conn, 1);
    record_action(conn, by("1")).unwrap();
    // In the transaction of another actor, and of none.
    let other = AuditContext::new(ActorRef::system("gate").unwrap());
    conn.audited_transaction(&other, |conn| record_action(conn, named("door.opened")))
        .unwrap();
    conn.transaction(|conn| record_action(conn, named("door.closed")))
        .unwrap();
    look(conn, "note.read");
    record_action(conn, by("2")).unwrap();
    for posted in [false, true] {
        if posted {
            run(conn, "SELECT threadline.post()");
        }
        let user = ActorRef::user("1").unwrap();
        let page = actor_history(&user).page(conn).unwrap();
        let own: Vec<_> = page
            .entries
            .iter()
            .map(|entry| names(&entry.actions))
            .collect();
        assert_eq!(own, [vec!["note.read"], vec!["note.written"]]);
        assert_eq!(
            names(&page.other_actions),
            [
                "door.closed",
                "door.opened",
                "session.opened",
                "session.opened"
            ]
        );
        let first = actor_history(&user).limit(1).page(conn).unwrap();
        assert_eq!(names(&first.other_actions), [""; 0]);
        let second = actor_history(&user)
            .limit(1)
            .after(first.next)
            .page(conn)
            .unwrap();
        assert_eq!(names(&second.other_actions), ["door.closed"]);
        assert!(second.has_more_actions);
        let nobody = actor_history(&ActorRef::user("9").unwrap())
            .page(conn)
            .unwrap();
        assert!(nobody.other_actions.is_empty());
    }
}

#[test]
fn a_matter_has_the_actions_that_belong_to_no_transaction() {
    let (_, conn) = &mut Database::with(NOTES);
    record_action(conn, by("1").failed().correlation_id("c")).unwrap();
    record_action(conn, by("1").correlation_id("other")).unwrap();
    conn.transaction(|conn| record_action(conn, named("note.read").correlation_id("c")))
        .unwrap();
    let matter = correlated(conn, "c").unwrap();
    assert_eq!(matter.transactions.len(), 1);
    assert_eq!(names(&matter.transactions[0].actions), ["note.read"]);
    assert_eq!(names(&matter.actions), ["session.opened"]);
    assert_eq!(
        serde_json::to_value(&matter).unwrap()["actions"][0]["status"],
        json!("error")
    );
}
