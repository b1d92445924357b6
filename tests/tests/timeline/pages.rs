//! Pages while others write.

use std::collections::BTreeSet;

use diesel::prelude::*;
use threadline::{
    Action, ActorRef, AuditContext, AuditExt, Cursor, Error, ErrorKind, Filter, Operation,
    actor_history, record_action, timeline,
};
use threadline_tests::{Database, pages_of, run, value};

const NOTES: &str = "
    CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL);
    CREATE TABLE tags (id int PRIMARY KEY);
    INSERT INTO notes VALUES (0, 'start');
    SELECT threadline.audit('notes'), threadline.audit('tags');
";

fn hot() -> ActorRef {
    ActorRef::user("hot").unwrap()
}

/// Runs a transaction of `user:hot` that every filter below finds.
fn write(conn: &mut PgConnection, id: i32) {
    let context = AuditContext::builder(hot())
        .correlation_id("c")
        .source("web")
        .build()
        .unwrap();
    conn.audited_transaction::<_, Error, _>(&context, |conn| {
        record_action(conn, "note.written")?;
        record_action(conn, Action::new("note.written").correlation_id("c"))?;
        run(
            conn,
            &format!(
                "INSERT INTO notes VALUES ({id}, 'text');
                 UPDATE notes SET body = body || {id} WHERE id = 0;
                 INSERT INTO tags VALUES ({id});
                 DELETE FROM tags WHERE id = {id}"
            ),
        );
        Ok(())
    })
    .unwrap();
}

/// Returns a filter for each way to read.
fn filters() -> Vec<Filter> {
    let filter = Filter::new;
    vec![
        filter(),
        filter().table("notes"),
        filter().table("notes").record(0),
        filter().table("notes").record(0).actor(&hot()),
        filter().actor(&hot()),
        filter().actor(&hot()).table("tags"),
        filter().correlation_id("c"),
        filter().correlation_id("c").source("web"),
        filter().action("note.written"),
        filter().action("note.written").actor(&hot()),
        filter().source("web"),
        filter().table("tags").source("web"),
        filter().operation(Operation::Delete),
        filter().changed("body"),
    ]
}

/// Returns the change's ids, of all pages; `between` runs after each.
fn walk(conn: &mut PgConnection, filter: &Filter, mut between: impl FnMut(usize)) -> Vec<i64> {
    let mut ids = vec![];
    let mut number = 0;
    pages_of(|next| {
        let query = timeline(filter.clone()).limit(3).after(next);
        let page = query.page(conn).unwrap();
        ids.extend(page.entries.iter().map(|entry| entry.change.id));
        between(number);
        number += 1;
        page
    });
    ids
}

#[test]
fn pages_are_stable_while_changes_are_recorded() {
    for filter in filters() {
        let (database, conn) = &mut Database::with(NOTES);
        let writer = &mut database.connect();
        let open = &mut database.connect();
        run(
            open,
            r#"BEGIN;
               SELECT threadline.set_context('{"actor": {"type": "user", "id": "hot"}, "correlation_id": "c", "source": "web"}');
               SELECT threadline.record_action('note.written', 'user', 'hot');
               INSERT INTO notes VALUES (-1, 'opened before')"#,
        );
        for id in 1..=6 {
            write(conn, id);
        }
        let mut id = 6;
        let before = walk(conn, &filter, |_| {});
        assert!(before.len() >= 6, "{filter:?}");
        let during = walk(conn, &filter, |page| {
            id += 1;
            write(writer, id);
            if page == 0 {
                run(open, "INSERT INTO tags VALUES (-1); COMMIT");
            }
        });
        let distinct: BTreeSet<_> = during.iter().collect();
        assert_eq!(distinct.len(), during.len(), "twice: {filter:?}");
        let of_before: Vec<_> = during
            .iter()
            .filter(|id| before.contains(id))
            .copied()
            .collect();
        assert_eq!(of_before, before, "missed, or out of order: {filter:?}");
        let after = walk(conn, &filter, |_| {});
        assert!(after.len() > during.len(), "nothing came: {filter:?}");
        assert!(
            after.ends_with(&during),
            "a new change is among the earlier ones: {filter:?}"
        );
    }
}

#[test]
fn a_late_commit_is_ordered_by_the_start_of_its_transaction() {
    let (database, conn) = &mut Database::with(NOTES);
    let open = &mut database.connect();
    run(open, "BEGIN; INSERT INTO tags VALUES (-1)");
    for id in 1..=5 {
        write(conn, id);
    }
    let filter = Filter::new().table("tags");
    let ids = walk(conn, &filter, |page| {
        if page == 1 {
            run(open, "COMMIT");
        }
    });
    assert_eq!(ids.len(), 11);
    let last = ids.last().unwrap();
    assert!(ids.iter().all(|id| id >= last));
}

#[test]
fn a_cursor_of_another_query_says_so() {
    let (_, conn) = &mut Database::with(NOTES);
    for id in 1..=2 {
        write(conn, id);
    }
    let of_timeline = timeline(Filter::new()).limit(1).page(conn).unwrap().next;
    let of_actor = actor_history(&hot()).limit(1).page(conn).unwrap().next;
    let errors = [
        timeline(Filter::new())
            .after(of_actor)
            .page(conn)
            .unwrap_err(),
        actor_history(&hot())
            .after(of_timeline)
            .page(conn)
            .unwrap_err(),
    ];
    for (error, cursor) in errors.iter().zip([of_actor, of_timeline]) {
        assert!(matches!(error.kind(), ErrorKind::Cursor { .. }));
        assert_eq!(
            error.to_string(),
            format!(
                "`{}` is not a cursor of this query; pass on what `Page::next` gave, unchanged, to the same query",
                cursor.unwrap()
            )
        );
    }
}

#[test]
fn a_text_that_is_no_place_says_so() {
    for text in [
        "tl1-timeline-",
        "tl1-timeline-5",
        "tl1-timeline-5-5",
        "tl1-timeline-5-5-",
        "tl1-timeline--5-5",
        "tl1-timeline-x-5-5",
        "tl1-timeline-5-5-5-5",
        "tl2-timeline-5-5-5",
        "tl1-timeline-8000000000000000-1-1",
        "tl1-timeline-1-1-1; DROP TABLE notes",
    ] {
        let error = text.parse::<Cursor>().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Cursor { .. }), "{text}");
        assert!(error.to_string().starts_with(&format!("`{text}` is not")));
    }
}

#[test]
fn a_page_has_what_was_asked_for() {
    let (_, conn) = &mut Database::with(NOTES);
    for id in 1..=20 {
        write(conn, id);
    }
    let page = |limit: Option<usize>, conn: &mut PgConnection| {
        let question = timeline(Filter::new());
        let question = match limit {
            Some(limit) => question.limit(limit),
            None => question,
        };
        let page = question.page(conn).unwrap();
        (page.entries.len(), page.has_more, page.next.is_some())
    };
    assert_eq!(page(None, conn), (50, true, true));
    assert_eq!(page(Some(79), conn), (79, true, true));
    assert_eq!(page(Some(80), conn), (80, false, false));
    assert_eq!(page(Some(usize::MAX), conn), (80, false, false));
    assert_eq!(page(Some(0), conn), (0, true, false));
}

#[test]
fn pages_of_a_connection_share_one_prepared_statement() {
    let (_, conn) = &mut Database::with(NOTES);
    for id in 1..=20 {
        write(conn, id);
    }
    let prepared = |conn: &mut PgConnection| {
        value(conn, "SELECT count(*) FROM pg_prepared_statements").unwrap()
    };
    let since = chrono::DateTime::UNIX_EPOCH;
    for filter in [
        Filter::new(),
        Filter::new().from(since),
        Filter::new().table("notes").record(1),
    ] {
        let mut next = timeline(filter.clone()).limit(2).page(conn).unwrap().next;
        let mut counts = vec![];
        for _ in 0..5 {
            let page = timeline(filter.clone())
                .limit(2)
                .after(next)
                .page(conn)
                .unwrap();
            next = page.next.or(next);
            counts.push(prepared(conn));
        }
        assert!(
            counts[1..].windows(2).all(|two| two[0] == two[1]),
            "{counts:?}: {filter:?}"
        );
    }
}
