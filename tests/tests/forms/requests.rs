//! Requests from URLs, with their results; and errors, with the response of a service.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde_json::json;
use threadline::{
    ActionFilter, ActorRef, Audited, Error, ErrorClass, ErrorKind, Filter, History, PageRequest,
    actions, actor_history, revert_transaction, suspend, timeline,
};
use threadline_tests::{Database, run};

use crate::answers::club;
use threadline_tests::models::Member;

#[test]
fn a_url_asks_for_page_after_page() {
    let (_, conn) = &mut club();
    let mut query = "table=members&limit=2".to_owned();
    let mut seen = vec![];
    loop {
        let request = PageRequest::<Filter>::from_query(&query).unwrap();
        let page = request.timeline().page(conn).unwrap();
        assert!(page.entries.len() <= 2);
        seen.extend(page.entries.into_iter().map(|entry| entry.change.id));
        let Some(next) = page.next else { break };
        query = format!("cursor={next}&table=members&limit=2");
    }
    let all = timeline(Filter::new().table("members")).page(conn).unwrap();
    let all: Vec<_> = all.entries.iter().map(|entry| entry.change.id).collect();
    assert_eq!(seen, all);

    let request = PageRequest::<ActionFilter>::from_query("status=error").unwrap();
    let refused = request.actions().page(conn).unwrap();
    assert_eq!(refused.entries[0].reason.as_deref(), Some("wrong password"));
    let request = PageRequest::<ActorRef>::from_query("actor=admin%3Agrace&limit=1").unwrap();
    let of_grace = request.actor_history().page(conn).unwrap();
    assert_eq!(of_grace.entries[0].changes["public.members"], 2);
}

#[test]
fn a_cursor_of_another_question_is_refused_before_anything_is_asked() {
    let (_, conn) = &mut club();
    let grace = ActorRef::admin("grace").unwrap();
    let cursors = [
        timeline(Filter::new()).limit(1).page(conn).unwrap().next,
        actions(ActionFilter::new())
            .limit(1)
            .page(conn)
            .unwrap()
            .next,
        History::<Member, _>::of_key(1)
            .limit(1)
            .page(conn)
            .unwrap()
            .next,
    ]
    .map(|cursor| format!("cursor={}", cursor.unwrap()));
    let of_timeline = |query: &str| PageRequest::<Filter>::from_query(query).is_ok();
    let of_actions = |query: &str| PageRequest::<ActionFilter>::from_query(query).is_ok();
    assert_eq!(
        cursors.each_ref().map(|q| of_timeline(q)),
        [true, false, false]
    );
    assert_eq!(
        cursors.each_ref().map(|q| of_actions(q)),
        [false, true, false]
    );
    assert!(actor_history(&grace).page(conn).unwrap().next.is_none());
    // A cursor is valid under any filter: a page with a narrower filter continues from
    // the same position.
    let narrowed = format!("{}&operation=insert", cursors[0]);
    let page = PageRequest::<Filter>::from_query(&narrowed)
        .unwrap()
        .timeline();
    assert_eq!(page.page(conn).unwrap().entries.len(), 2);
}

#[test]
fn a_limit_of_none_gives_none() {
    let (_, conn) = &mut club();
    let page = timeline(Filter::new()).limit(0).page(conn).unwrap();
    assert_eq!(
        (page.entries.len(), page.has_more, page.next),
        (0, true, None)
    );
    assert_eq!((page.other_actions.len(), page.has_more_actions), (0, true));
    let nothing = Filter::new().request_id("none");
    assert!(!timeline(nothing).limit(0).page(conn).unwrap().has_more);
    let page = actions(ActionFilter::new()).limit(0).page(conn).unwrap();
    assert_eq!((page.entries.len(), page.has_more), (0, true));
    let grace = ActorRef::admin("grace").unwrap();
    let page = actor_history(&grace).limit(0).page(conn).unwrap();
    assert_eq!((page.entries.len(), page.has_more), (0, true));
    let history = || History::<Member, _>::of_key(1).limit(0);
    assert_eq!(history().load(conn).unwrap(), []);
    assert!(history().page(conn).unwrap().has_more);
}

#[test]
fn a_transaction_that_is_not_there_is_not_reverted_in_silence() {
    let (_, conn) = &mut club();
    let error = revert_transaction(conn, 99_999).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::NoSuchTransaction { id: 99_999 }),
        "{error}"
    );
    assert_eq!(error.class(), ErrorClass::NotFound);
    let empty = actions(ActionFilter::new().name("session.opened"))
        .page(conn)
        .unwrap();
    let id = empty.entries[0].transaction_id;
    if let Some(id) = id {
        assert_eq!(
            revert_transaction(conn, id).unwrap(),
            0,
            "it changed nothing"
        );
    }
}

#[test]
fn exports_go_to_another_thread() {
    fn is_send<T: Send>(_: &T) {}

    let told = std::sync::atomic::AtomicU64::new(0);
    let export = threadline::Export::new(Filter::new());
    is_send(&export);
    let export =
        export.progress(|changes| told.store(changes, std::sync::atomic::Ordering::Relaxed));
    is_send(&export);
}

/// A key without a text of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, diesel::expression::AsExpression)]
#[diesel(sql_type = BigInt)]
struct PersonId(i64);

impl diesel::serialize::ToSql<BigInt, diesel::pg::Pg> for PersonId {
    fn to_sql<'b>(
        &'b self,
        out: &mut diesel::serialize::Output<'b, '_, diesel::pg::Pg>,
    ) -> diesel::serialize::Result {
        <i64 as diesel::serialize::ToSql<BigInt, diesel::pg::Pg>>::to_sql(&self.0, out)
    }
}

diesel::table! {
    owners (package_id, kind) {
        package_id -> BigInt,
        kind -> Text,
        since -> Timestamptz,
    }
}

#[derive(Audited)]
#[diesel(table_name = owners, primary_key(package_id, kind))]
#[allow(dead_code)]
struct Owner;

#[test]
fn a_filter_takes_the_keys_that_a_history_takes() {
    let (_, conn) = &mut club();
    let ids = |conn: &mut PgConnection, filter: Filter| {
        let page = timeline(filter).page(conn).unwrap();
        page.entries
            .iter()
            .map(|entry| entry.change.id)
            .collect::<Vec<_>>()
    };
    let as_text = ids(conn, Filter::new().model::<Member>().record("1"));
    assert_eq!(as_text.len(), 2);
    assert_eq!(
        ids(conn, Filter::new().record_of::<Member, _>(PersonId(1))),
        as_text
    );
    let narrowed = Filter::new()
        .record_of::<Member, _>(PersonId(1))
        .changed("email");
    assert_eq!(narrowed.clone(), narrowed);
    assert_ne!(
        narrowed,
        Filter::new()
            .record_of::<Member, _>(PersonId(2))
            .changed("email")
    );
    assert_eq!(ids(conn, narrowed.clone()), as_text);
    // Not left out: the filter would be wider when it is read.
    let error = serde_json::to_string(&narrowed).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("a key that was given with `Filter::record_of`"),
        "{error}"
    );

    run(
        conn,
        "CREATE TABLE owners (package_id bigint, kind text, since timestamptz DEFAULT now(), PRIMARY KEY (package_id, kind));
         SELECT threadline.audit('owners');
         INSERT INTO owners VALUES (7, 'user'), (7, 'team'), (8, 'user');",
    );
    let as_text = Filter::new()
        .table("owners")
        .record(threadline::RecordKey::of(["7", "user"]));
    let typed = Filter::new().record_of::<Owner, _>((PersonId(7), "user".to_owned()));
    assert_eq!(ids(conn, as_text), ids(conn, typed.clone()));
    assert_eq!(ids(conn, typed).len(), 1);
}

#[test]
fn a_refusal_in_a_transaction_is_not_reported_as_a_missing_schema() {
    let (_, conn) = &mut club();
    run(
        conn,
        "CREATE TABLE keyless (a int); SELECT threadline.audit('keyless', keyless => true)",
    );
    let grace = threadline::AuditContext::new(ActorRef::admin("grace").unwrap());
    let in_transaction =
        |conn: &mut PgConnection, ask: &dyn Fn(&mut PgConnection) -> Result<(), Error>| {
            use threadline::AuditExt;
            conn.audited_transaction::<(), Error, _>(&grace, |conn| ask(conn))
                .unwrap_err()
        };
    let refused = in_transaction(conn, &|conn| suspend(conn, "").map(|_| ()));
    assert!(refused.to_string().contains("needs a reason"), "{refused}");
    assert_eq!(refused.class(), ErrorClass::Caller);
    let refused = in_transaction(conn, &|conn| {
        threadline::record_action(conn, "audit.purged").map(|_| ())
    });
    assert!(
        !matches!(refused.kind(), ErrorKind::SchemaMissing { .. }),
        "{refused}"
    );
    // A table of the application with such a name is the application's.
    let refused = in_transaction(conn, &|conn| {
        Ok(diesel::sql_query("SELECT * FROM threadline_notes")
            .execute(conn)
            .map(|_| ())?)
    });
    assert!(
        matches!(refused.kind(), ErrorKind::Database(_)),
        "{refused}"
    );
    run(conn, "CREATE ROLE forms_stranger; SET ROLE forms_stranger");
    let refused = in_transaction(conn, &|conn| timeline(Filter::new()).page(conn).map(|_| ()));
    assert!(
        refused.to_string().contains("permission denied"),
        "{refused}"
    );
    assert_eq!(refused.class(), ErrorClass::SetUp);
    run(conn, "RESET ROLE; DROP ROLE forms_stranger");

    let (_, empty) = &mut Database::empty().connected();
    let missing =
        empty.transaction::<(), Error, _>(|conn| timeline(Filter::new()).page(conn).map(|_| ()));
    let missing = missing.unwrap_err();
    assert!(
        matches!(missing.kind(), ErrorKind::SchemaMissing { installed: None }),
        "{missing}"
    );
    assert_eq!(missing.class(), ErrorClass::SetUp);
}

#[test]
fn classes_are_what_a_service_answers() {
    let (_, conn) = &mut club();
    let class = |result: Result<(), Error>| result.unwrap_err().class();
    let unknown = timeline(Filter::new().table("nothing"))
        .page(conn)
        .map(|_| ());
    assert_eq!(class(unknown), ErrorClass::NotFound);
    let wrong = timeline(Filter::new().record("1")).page(conn).map(|_| ());
    assert_eq!(class(wrong), ErrorClass::Caller);
    let hold = threadline::Hold::new("")
        .table("members")
        .place(conn)
        .map(|_| ());
    assert_eq!(class(hold), ErrorClass::Caller);
    let first = Member::history_of(conn, 1).unwrap().pop().unwrap();
    let conflict = revert_transaction(conn, first.transaction.id).map(|_| ());
    assert_eq!(class(conflict), ErrorClass::Conflict);
    assert_eq!(
        serde_json::to_value(ErrorClass::NotFound).unwrap(),
        json!("not_found")
    );
}
