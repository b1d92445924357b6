//! Ids and actions: of the transaction itself, or of its actions.

use diesel::prelude::*;
use threadline::{
    Action, ActionStatus, ActorRef, AuditContext, AuditContextBuilder, AuditExt, Error, Filter,
    record_action, timeline,
};
use threadline_tests::{Database, pages};

const NOTES: &str = "CREATE TABLE notes (id int PRIMARY KEY); SELECT threadline.audit('notes')";

/// Runs a transaction that inserts a note, with these actions.
fn note(conn: &mut PgConnection, id: i32, context: AuditContextBuilder, actions: Vec<Action>) {
    let context = context.build().unwrap();
    conn.audited_transaction::<_, Error, _>(&context, |conn| {
        for action in actions {
            record_action(conn, action)?;
        }
        diesel::sql_query(format!("INSERT INTO notes VALUES ({id})")).execute(conn)?;
        Ok(())
    })
    .unwrap();
}

fn user() -> AuditContextBuilder {
    AuditContext::builder(ActorRef::user("1").unwrap())
}

/// Returns the keys that a filter finds, newest first; each once, in pages too.
fn found(conn: &mut PgConnection, filter: &Filter) -> Vec<i64> {
    let mut keys = vec![];
    for entry in pages(conn, filter, 1).iter().flat_map(|page| &page.entries) {
        let key = entry.change.key.as_ref().unwrap()["id"].as_i64().unwrap();
        assert!(!keys.contains(&key), "{key} twice");
        keys.push(key);
    }
    keys
}

type OfContext = fn(AuditContextBuilder, &str) -> AuditContextBuilder;
type OfAction = fn(Action, &str) -> Action;
type Asked = fn(Filter, &str) -> Filter;

#[test]
fn an_id_is_the_transactions_own_or_that_of_an_action_of_it() {
    let kinds: [(OfContext, OfAction, Asked); 3] = [
        (
            |context, id| context.request_id(id),
            |action, id| action.request_id(id),
            |filter, id| filter.request_id(id),
        ),
        (
            |context, id| context.correlation_id(id),
            |action, id| action.correlation_id(id),
            |filter, id| filter.correlation_id(id),
        ),
        (
            |context, id| context.job_id(id),
            |action, id| action.job_id(id),
            |filter, id| filter.job_id(id),
        ),
    ];
    for (number, (of_context, of_action, asked)) in kinds.into_iter().enumerate() {
        let (_, conn) = &mut Database::with(NOTES);
        let action = || Action::new("note.written");
        note(conn, 1, of_context(user(), "x"), vec![]);
        note(conn, 2, user(), vec![action(), of_action(action(), "x")]);
        note(
            conn,
            3,
            of_context(user(), "x"),
            vec![of_action(action(), "x"), of_action(action(), "x")],
        );
        note(
            conn,
            4,
            of_context(user(), "y"),
            vec![of_action(action(), "x")],
        );
        note(conn, 5, of_context(user(), " x "), vec![]);
        note(conn, 6, user(), vec![of_action(action(), "x ")]);
        note(conn, 7, of_context(user(), "X"), vec![]);
        note(conn, 8, user(), vec![action()]);
        record_action(
            conn,
            of_action(action().actor(ActorRef::user("1").unwrap()), "x"),
        )
        .unwrap();
        // The same id of another kind is another id.
        for (other, (of_context, of_action, _)) in kinds.into_iter().enumerate() {
            if other != number {
                let id = 10 + i32::try_from(other).unwrap();
                note(
                    conn,
                    id,
                    of_context(user(), "x"),
                    vec![of_action(action(), "x")],
                );
            }
        }
        let tables = [Filter::new(), Filter::new().table("notes")];
        for filter in tables {
            let mut find = |id: &str| found(conn, &asked(filter.clone(), id));
            assert_eq!(find("x"), [4, 3, 2, 1]);
            assert_eq!(find(" x "), [5]);
            assert_eq!(find("x "), [6]);
            assert_eq!(find("X"), [7]);
            assert_eq!(find("y"), [4]);
            assert_eq!(find(" x"), [0; 0]);
            assert_eq!(find(""), [0; 0]);
        }
        let record = Filter::new().table("notes").record(4);
        assert_eq!(found(conn, &asked(record.clone(), "x")), [4]);
        assert_eq!(found(conn, &asked(record, "z")), [0; 0]);
    }
}

#[test]
fn a_long_id_is_found_exactly() {
    let (_, conn) = &mut Database::with(NOTES);
    let long = format!(" padded, and long: {}", "x".repeat(400));
    note(conn, 1, user().correlation_id(&long), vec![]);
    note(conn, 2, user().correlation_id(&long[..400]), vec![]);
    assert_eq!(found(conn, &Filter::new().correlation_id(&long)), [1]);
    assert_eq!(
        found(conn, &Filter::new().correlation_id(&long[..400])),
        [2]
    );
    let parsed = Filter::parse([("correlation_id", &*long)]).unwrap();
    assert_eq!(found(conn, &parsed), [1]);
}

#[test]
fn all_that_is_said_of_an_action_holds_of_one() {
    let (_, conn) = &mut Database::with(NOTES);
    let refused = || Action::new("note.written").failed();
    let read = || Action::new("note.read");
    note(conn, 1, user(), vec![refused(), read()]);
    note(
        conn,
        2,
        user(),
        vec![Action::new("note.written"), read().failed()],
    );
    note(conn, 3, user(), vec![refused().category("special")]);
    note(conn, 4, user(), vec![refused(), refused()]);
    let written = Filter::new().action("note.written");
    assert_eq!(found(conn, &written), [4, 3, 2, 1]);
    let failed = written.clone().status(ActionStatus::Error);
    assert_eq!(found(conn, &failed), [4, 3, 1]);
    assert_eq!(found(conn, &failed.clone().category("note")), [4, 1]);
    assert_eq!(found(conn, &failed.category("special").table("notes")), [3]);
    assert_eq!(found(conn, &written.status(ActionStatus::Ok)), [2]);
    let ok = Filter::new().status(ActionStatus::Ok);
    assert_eq!(found(conn, &ok), [2, 1]);
    assert_eq!(found(conn, &ok.clone().table("notes")), [2, 1]);
    assert_eq!(found(conn, &ok.table("notes").record(1)), [1]);
}

#[test]
fn an_entry_has_the_actions_of_its_transaction_in_their_order() {
    let (_, conn) = &mut Database::with(NOTES);
    note(
        conn,
        1,
        user(),
        vec![Action::new("a.b"), Action::new("c.d").failed()],
    );
    note(conn, 2, user(), vec![]);
    note(conn, 3, user(), vec![Action::new("e.f")]);
    let page = timeline(Filter::new()).page(conn).unwrap();
    let names: Vec<Vec<_>> = page
        .entries
        .iter()
        .map(|entry| entry.actions.iter().map(|action| &*action.name).collect())
        .collect();
    assert_eq!(names, [vec!["e.f"], vec![], vec!["a.b", "c.d"]]);
}
