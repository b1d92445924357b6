//! The queries of an incident.

#[path = "queries/actions.rs"]
mod actions;

use std::collections::BTreeSet;

use diesel::prelude::*;
use serde_json::json;
use threadline::{
    Action, ActorRef, AuditContext, AuditExt, Audited, Cursor, ErrorKind, Operation, actor_history,
    correlated, record_action, transaction,
};
use threadline_tests::notes::{insert, user};
use threadline_tests::{Database, run, run_under, value};

const NOTES: &str = "
    CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL);
    CREATE TABLE tags (id int PRIMARY KEY);
    SELECT threadline.audit('notes'), threadline.audit('tags');
";

/// Writes many transactions of several actors, every tenth of them by `user:hot`.
fn load(conn: &mut PgConnection, transactions: i32) {
    run(conn, NOTES);
    run(
        conn,
        &format!(
            r#"DO $$ BEGIN
                FOR i IN 1..{transactions} LOOP
                    PERFORM threadline.set_context(format(
                        '{{"actor": {{"type": "user", "id": "%s"}}, "correlation_id": "c-%s"}}',
                        CASE WHEN i % 10 = 0 THEN 'hot' ELSE i::text END, i)::jsonb);
                    INSERT INTO notes VALUES (i, 'text');
                    INSERT INTO tags VALUES (i), (-i);
                END LOOP;
            END $$;
            "#
        ),
    );
    run(conn, "SELECT threadline.post(1000000)");
    run(conn, "ANALYZE");
}

#[test]
fn a_transaction_is_given_whole() {
    let (_, conn) = &mut Database::with(NOTES);
    let action = conn
        .audited_transaction::<_, threadline::Error, _>(&user("1"), |conn| {
            insert(conn, 1)?;
            run(conn, "UPDATE notes SET body = 'other'");
            record_action(conn, "note.written")?;
            record_action(conn, Action::new("note.checked").failed())
        })
        .unwrap();
    let id = action.transaction_id.unwrap();
    let report = transaction(conn, id).unwrap().unwrap();
    assert_eq!(report.transaction.id, id);
    assert_eq!(report.transaction.actor, Some(ActorRef::user("1").unwrap()));
    let ops: Vec<_> = report
        .changes
        .iter()
        .map(|change| &change.operation)
        .collect();
    assert_eq!(ops, [&Operation::Insert, &Operation::Update]);
    let names: Vec<_> = report
        .actions
        .iter()
        .map(|action| action.name.as_str())
        .collect();
    assert_eq!(names, ["note.written", "note.checked"]);
    assert_eq!(report.actions[1], action);
    assert!(transaction(conn, -1).unwrap().is_none());
}

#[test]
fn a_correlation_id_finds_the_context_and_the_actions_that_have_exactly_it() {
    let (_, conn) = &mut Database::with(NOTES);
    let id = " padded, and long: ".to_owned() + &"x".repeat(400);
    let context = AuditContext::builder(ActorRef::user("1").unwrap())
        .correlation_id(&id)
        .build()
        .unwrap();
    conn.audited_transaction(&context, |conn| insert(conn, 1))
        .unwrap();
    conn.audited_transaction::<_, threadline::Error, _>(&user("2"), |conn| {
        insert(conn, 2)?;
        record_action(conn, Action::new("note.written").correlation_id(&id))
    })
    .unwrap();
    conn.audited_transaction(&user("3"), |conn| insert(conn, 3))
        .unwrap();
    let actors: Vec<_> = correlated(conn, &id)
        .unwrap()
        .transactions
        .into_iter()
        .map(|report| {
            (
                report.transaction.actor.unwrap().to_string(),
                report.changes.len(),
                report.actions.len(),
            )
        })
        .collect();
    assert_eq!(
        actors,
        [("user:2".to_owned(), 1, 1), ("user:1".to_owned(), 1, 0)]
    );
    let none = correlated(conn, id.trim()).unwrap();
    assert!(none.transactions.is_empty() && none.actions.is_empty());
}

#[test]
fn an_actors_history_comes_in_pages_while_others_write() {
    let (_, conn) = &mut Database::new().connected();
    load(conn, 300);
    let hot = ActorRef::user("hot").unwrap();
    let mut seen = BTreeSet::new();
    let mut next: Option<Cursor> = None;
    let mut pages = 0;
    loop {
        let page = actor_history(&hot).limit(7).after(next).page(conn).unwrap();
        assert_eq!(page.has_more, page.next.is_some());
        for entry in &page.entries {
            assert!(
                seen.insert(entry.transaction.id),
                "twice: {}",
                entry.transaction.id
            );
            assert_eq!(entry.transaction.actor.as_ref(), Some(&hot));
            let counts: Vec<_> = entry
                .changes
                .iter()
                .map(|(table, n)| (table.as_str(), *n))
                .collect();
            assert_eq!(counts, [("public.notes", 1), ("public.tags", 2)]);
        }
        pages += 1;
        conn.audited_transaction(&user("hot"), |conn| insert(conn, 1000 + pages))
            .unwrap();
        // Through text, as a client passes it.
        next = page.next.map(|cursor| cursor.to_string().parse().unwrap());
        if next.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 30, "none missed");
    assert_eq!(pages, 5);
}

#[test]
fn anonymous_and_unknown_actors_have_histories_of_their_own() {
    let (_, conn) = &mut Database::with(NOTES);
    let anonymous = AuditContext::new(ActorRef::anonymous());
    conn.audited_transaction(&anonymous, |conn| insert(conn, 1))
        .unwrap();
    insert(conn, 2).unwrap();
    let page = actor_history(&ActorRef::anonymous()).page(conn).unwrap();
    assert_eq!(page.entries.len(), 1);
    assert!(!page.has_more);
    let nobody = ActorRef::user("nobody").unwrap();
    assert!(
        actor_history(&nobody)
            .page(conn)
            .unwrap()
            .entries
            .is_empty()
    );
}

#[test]
fn a_cursor_that_is_none_says_so() {
    for text in ["", "tl1-actor-", "tl1-actor-x", "tl2-actor-5", "5"] {
        let error = text.parse::<Cursor>().unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Cursor { .. }), "{text}");
        assert_eq!(
            error.to_string(),
            format!(
                "`{text}` is not a cursor of this query; pass on what `Page::next` gave, unchanged, to the same query"
            )
        );
    }
}

#[test]
fn no_question_reads_an_audit_table_whole() {
    let database = Database::new();
    load(&mut database.connect(), 5000);
    // A session also counts what it has not reported yet of earlier transactions.
    let conn = &mut database.connect();
    conn.transaction::<_, threadline::Error, _>(|conn| {
        let hot = ActorRef::user("hot").unwrap();
        let page = actor_history(&hot).page(conn)?;
        assert_eq!(page.entries.len(), 50);
        let id = page.entries[0].transaction.id;
        assert_eq!(transaction(conn, id)?.unwrap().changes.len(), 3);
        assert_eq!(correlated(conn, "c-77")?.transactions.len(), 1);
        // audited_tables has a handful of rows and is not counted.
        let whole = value(
            conn,
            "SELECT sum(seq_scan) FROM pg_stat_xact_user_tables
             WHERE schemaname = 'threadline' AND relname IN ('ledger_changes', 'ledger_transactions')",
        );
        assert_eq!(whole.as_deref(), Some("0"));
        Ok(())
    })
    .unwrap();
}

diesel::table! {
    notes (id) { id -> Int4, body -> Text, pages -> Nullable<Int4>, }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = notes)]
struct Note {
    id: i32,
    #[allow(dead_code)]
    body: String,
}

const PAGED_NOTES: &str = "
    CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL, pages int);
    INSERT INTO notes VALUES (1, 'older than the audit', 3);
    SELECT threadline.audit('notes');
";

fn execute(conn: &mut PgConnection, actor: &str, sql: &str) {
    run_under(conn, &user(actor), sql);
}

/// Returns `column value actor actions`, one for each column.
fn blamed(conn: &mut PgConnection, id: i32) -> Vec<String> {
    Note::blame_of(conn, id)
        .unwrap()
        .iter()
        .map(|blame| {
            let actions: Vec<_> = blame.actions.iter().map(|action| &*action.name).collect();
            format!(
                "{} {} {} {}",
                blame.column,
                blame.value,
                blame.actor().unwrap(),
                actions.join(",")
            )
        })
        .collect()
}

#[test]
fn blame_names_the_last_change_of_each_column() {
    let (_, conn) = &mut Database::with(PAGED_NOTES);
    execute(conn, "1", "UPDATE notes SET body = 'a'");
    assert_eq!(blamed(conn, 1), ["body \"a\" user:1 "]);

    execute(conn, "2", "INSERT INTO notes VALUES (2, 'b', 5)");
    execute(conn, "3", "UPDATE notes SET pages = NULL WHERE id = 2");
    conn.audited_transaction::<_, threadline::Error, _>(&user("4"), |conn| {
        record_action(conn, "note.corrected")?;
        run(conn, "UPDATE notes SET body = 'c' WHERE id = 2");
        Ok(())
    })
    .unwrap();
    let expected = [
        "body \"c\" user:4 note.corrected",
        "id 2 user:2 ",
        "pages null user:3 ",
    ];
    assert_eq!(blamed(conn, 2), expected);
    execute(conn, "5", "DELETE FROM notes WHERE id = 2");
    assert_eq!(blamed(conn, 2), expected);
    execute(conn, "6", "INSERT INTO notes VALUES (2, 'again', 1)");
    execute(conn, "7", "UPDATE notes SET pages = 2 WHERE id = 2");
    assert_eq!(
        blamed(conn, 2),
        ["body \"again\" user:6 ", "id 2 user:6 ", "pages 2 user:7 "]
    );
    assert!(blamed(conn, 99).is_empty());
}

#[test]
fn a_diff_has_a_stable_form() {
    let (_, conn) = &mut Database::with(PAGED_NOTES);
    execute(conn, "1", "INSERT INTO notes VALUES (2, 'b', NULL)");
    execute(
        conn,
        "1",
        "UPDATE notes SET body = 'c', pages = 1 WHERE id = 2",
    );
    execute(conn, "1", "DELETE FROM notes WHERE id = 2");
    let diffs: Vec<_> = Note::history_of(conn, 2)
        .unwrap()
        .iter()
        .map(|change| serde_json::to_value(change.diff()).unwrap())
        .collect();
    assert_eq!(
        diffs,
        [
            json!({"format_version": 1, "operation": "delete", "fields": [
                {"column": "body", "before": "c"}, {"column": "id", "before": 2}, {"column": "pages", "before": 1}]}),
            json!({"format_version": 1, "operation": "update", "fields": [
                {"column": "body", "before": "b", "after": "c"}, {"column": "pages", "before": null, "after": 1}]}),
            json!({"format_version": 1, "operation": "insert", "fields": [
                {"column": "body", "after": "b"}, {"column": "id", "after": 2}, {"column": "pages", "after": null}]}),
        ]
    );
}

#[test]
fn a_diff_says_where_the_value_before_is_redacted() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE notes (id int PRIMARY KEY, body text, pages int);
         SELECT threadline.audit('notes', mask => ARRAY['body', 'pages']);
         INSERT INTO notes VALUES (2, 'secret', NULL);
         UPDATE notes SET body = 'another secret', pages = 7 WHERE id = 2;",
    );
    let change = &Note::history_of(conn, 2).unwrap()[0];
    assert_eq!(
        serde_json::to_value(change.diff()).unwrap(),
        json!({"format_version": 1, "operation": "update", "fields": [
            {"column": "body", "before": "***", "after": "***", "prior_state": "redacted"},
            {"column": "pages", "before": null, "after": 0}]})
    );
    let shown = change.to_string();
    assert!(
        shown.ends_with("body   *** -> ***\n    pages  NULL -> ***"),
        "{shown}"
    );
}
