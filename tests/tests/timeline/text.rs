//! A text anywhere in a bounded span.

use chrono::{TimeDelta, Utc};
use diesel::prelude::*;
use threadline::{
    Action, ActorRef, AuditContext, AuditExt, Error, ErrorKind, Filter, FilterError, record_action,
    timeline,
};
use threadline_tests::{Database, run};

fn found(conn: &mut PgConnection, text: &str) -> Vec<i64> {
    let since = Utc::now() - TimeDelta::hours(1);
    let page = timeline(Filter::new().from(since).text(text))
        .page(conn)
        .unwrap();
    page.entries
        .iter()
        .rev()
        .map(|entry| entry.change.key.as_ref().unwrap()["id"].as_i64().unwrap())
        .collect()
}

const NOTES: &str = r#"
    CREATE TABLE notes (id int PRIMARY KEY, words text, document jsonb, secret text);
    SELECT threadline.audit('notes', mask => ARRAY['secret']);
    INSERT INTO notes VALUES (1, 'to grace@example.com'), (2, 'x'), (3, 'x');
    UPDATE notes SET words = 'GRACE@example.com' WHERE id = 2;
    UPDATE notes SET document = '{"to": ["grace@example.com"]}' WHERE id = 3;
    INSERT INTO notes VALUES (4, 'it''s {0} $1 "quoted" \ %_', NULL, 'grace@example.com');
    INSERT INTO notes VALUES (12345);
    DELETE FROM notes WHERE id = 1;"#;

#[test]
fn a_text_is_found_in_values_keys_contexts_and_actions() {
    let (_, conn) = &mut Database::with(NOTES);
    let context = AuditContext::builder(ActorRef::user("hopper").unwrap())
        .request_id("req-77")
        .metadata("agent", "curl/8")
        .build()
        .unwrap();
    conn.audited_transaction::<_, Error, _>(&context, |conn| {
        diesel::sql_query("INSERT INTO notes VALUES (6)").execute(conn)?;
        record_action(conn, Action::new("note.kept").reason("because of grace"))?;
        Ok(())
    })
    .unwrap();
    for _ in ["waiting", "posted"] {
        assert_eq!(found(conn, "grace@"), [1, 3, 1]);
        assert_eq!(found(conn, "GRACE@"), [2]);
        assert_eq!(found(conn, "it's {0} $1 \"quoted\" \\ %_"), [4]);
        // As a structure is written, and as a value is.
        assert_eq!(found(conn, "[\"grace@"), [3]);
        assert_eq!(found(conn, "\"quoted\" \\"), [4]);
        assert_eq!(found(conn, "1234"), [12345]);
        for text in ["hopper", "req-77", "curl", "because of", "note.kept"] {
            assert_eq!(found(conn, text), [6], "{text}");
        }
        // Names of columns are no values.
        assert_eq!(found(conn, "words"), [0; 0]);
        run(conn, "SELECT threadline.post()");
    }
    run(
        conn,
        "SELECT threadline.audit('notes', mask => ARRAY['secret', 'words', 'document'])",
    );
    assert_eq!(found(conn, "grace@"), [0; 0]);
}

#[test]
fn it_needs_a_span_and_refuses_more_than_it_reads() {
    let (_, conn) = &mut Database::with(NOTES);
    let kind = |conn: &mut PgConnection, filter: Filter| {
        let error = timeline(filter).page(conn).unwrap_err();
        match error.kind() {
            ErrorKind::Filter(error) => error.clone(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(
        kind(conn, Filter::new().text("x")),
        FilterError::TextWithoutFrom
    );
    let since = Filter::new().from(Utc::now() - TimeDelta::hours(1));
    assert!(matches!(
        kind(conn, since.clone().text("")),
        FilterError::Value { .. }
    ));
    run(
        conn,
        "SELECT threadline.post();
         INSERT INTO threadline.ledger_changes (id, transaction_id, captured_at, table_id, op, record_key, row_data, position)
         SELECT 1000000 + n, x.id, now(), t.id, 'I', n, '{}', -n
         FROM generate_series(1, 100001) AS n, threadline.audited_tables AS t,
              LATERAL (SELECT min(id) AS id FROM threadline.ledger_transactions) AS x",
    );
    let refused = kind(conn, since.clone().text("x"));
    assert_eq!(
        refused.to_string(),
        "filter `text` reads every change that the other filters leave, and they leave more than 100000; narrow them, as with a later `from`, an earlier `to`, a table or an actor"
    );
    let deletions = since.operation(threadline::Operation::Delete).text("grace");
    assert_eq!(timeline(deletions).count(conn).unwrap(), 1);
}
