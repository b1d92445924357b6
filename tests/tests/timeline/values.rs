//! Values that an update changed, and metadata: the rules of equality.

use diesel::prelude::*;
use serde_json::{Value, json};
use threadline::{ActorRef, AuditContext, Filter, timeline};
use threadline_tests::{Database, run_under};

/// Sets each row to the value of its number, from NULL.
const VALUES: &str = r#"
    CREATE TABLE kinds (
        id int PRIMARY KEY, number numeric, whole bigint, flag boolean, words text, document jsonb, at timestamptz);
    INSERT INTO kinds SELECT generate_series(1, 14);
    SELECT threadline.audit('kinds');
    UPDATE kinds SET number = 10.50 WHERE id = 1;
    UPDATE kinds SET number = 10.5 WHERE id = 2;
    UPDATE kinds SET words = '10.50' WHERE id = 3;
    UPDATE kinds SET whole = 9007199254740993 WHERE id = 4;
    UPDATE kinds SET flag = true WHERE id = 5;
    UPDATE kinds SET words = 'true' WHERE id = 6;
    UPDATE kinds SET words = '' WHERE id = 7;
    UPDATE kinds SET words = 'NULL' WHERE id = 8;
    UPDATE kinds SET words = 'a=b' WHERE id = 9;
    UPDATE kinds SET document = '{"a": [1, "x"]}' WHERE id = 10;
    UPDATE kinds SET document = 'null' WHERE id = 11;
    UPDATE kinds SET words = 'it''s {0} $1 "quoted" \ %' WHERE id = 12;
    UPDATE kinds SET at = '2026-11-23 09:00Z' WHERE id = 13;
"#;

fn found(conn: &mut PgConnection, filter: Filter) -> Vec<i64> {
    let page = timeline(filter).page(conn).unwrap();
    assert!(!page.has_more);
    page.entries
        .iter()
        .rev()
        .map(|entry| entry.change.key.as_ref().unwrap()["id"].as_i64().unwrap())
        .collect()
}

#[test]
fn a_value_is_found_by_its_text_or_as_itself() {
    let (_, conn) = &mut Database::with(VALUES);
    let mut to = |column: &str, value: Value| found(conn, Filter::new().changed_to(column, value));
    assert_eq!(to("number", json!("10.50")), [1]);
    assert_eq!(to("number", json!("10.5")), [2]);
    assert_eq!(to("number", json!(10.5)), [1, 2]);
    assert_eq!(to("words", json!("10.50")), [3]);
    assert_eq!(to("words", json!(10.5)), [0; 0]);
    assert_eq!(to("whole", json!("9007199254740993")), [4]);
    assert_eq!(to("whole", json!(9_007_199_254_740_993_i64)), [4]);
    assert_eq!(to("whole", json!(9_007_199_254_740_992_i64)), [0; 0]);
    assert_eq!(to("flag", json!(true)), [5]);
    assert_eq!(to("flag", json!("true")), [5]);
    assert_eq!(to("flag", json!(false)), [0; 0]);
    assert_eq!(to("words", json!("true")), [6]);
    assert_eq!(to("words", json!(true)), [0; 0]);
    assert_eq!(to("words", json!("")), [7]);
    assert_eq!(to("words", json!("NULL")), [8]);
    assert_eq!(to("words", Value::Null), [0; 0]);
    assert_eq!(to("document", json!({"a": [1, "x"]})), [10]);
    assert_eq!(to("document", json!({"a": ["x", 1]})), [0; 0]);
    assert_eq!(to("words", json!("it's {0} $1 \"quoted\" \\ %")), [12]);
    assert_eq!(to("at", json!("2026-11-23T09:00:00+00:00")), [13]);
    let from = Filter::new().changed_from("words", Value::Null);
    assert_eq!(found(conn, from), [3, 6, 7, 8, 9, 12]);
    let column = Filter::new().changed("number");
    assert_eq!(found(conn, column.clone()), [1, 2]);
    assert_eq!(
        found(conn, column.clone().changed_to("number", "10.5")),
        [2]
    );
    assert_eq!(found(conn, column.changed("words")), [0; 0]);
    let quoted = Filter::new().changed("it's {0} \"quoted\"");
    assert_eq!(found(conn, quoted), [0; 0]);
}

#[test]
fn a_text_from_a_form_finds_every_kind_of_value() {
    let (_, conn) = &mut Database::with(VALUES);
    let mut parsed = |name: &str, text: &str| found(conn, Filter::parse([(name, text)]).unwrap());
    assert_eq!(parsed("changed_to", "number=10.50"), [1]);
    assert_eq!(parsed("changed_to", "words=10.50"), [3]);
    assert_eq!(parsed("changed_to", "whole=9007199254740993"), [4]);
    assert_eq!(parsed("changed_to", "flag=true"), [5]);
    assert_eq!(parsed("changed_to", "words=true"), [6]);
    assert_eq!(parsed("changed_to", "words="), [7]);
    assert_eq!(parsed("changed_to", "words=a=b"), [9]);
    assert_eq!(parsed("changed_to", "words=NULL"), [0; 0]);
    assert_eq!(parsed("changed_from", "flag=NULL"), [5]);
    assert_eq!(parsed("changed", "at"), [13]);
}

#[test]
fn metadata_is_compared_with_the_contexts() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE notes (id int PRIMARY KEY); SELECT threadline.audit('notes')",
    );
    let contexts = [
        vec![("tenant", json!("acme")), ("beta", json!(true))],
        vec![("tenant", json!("acme"))],
        vec![("tenant", json!(5)), ("beta", json!("true"))],
        vec![("tenant", Value::Null)],
        vec![],
    ];
    for (number, metadata) in contexts.into_iter().enumerate() {
        let mut context = AuditContext::builder(ActorRef::anonymous());
        for (key, value) in metadata {
            context = context.metadata(key, value);
        }
        run_under(
            conn,
            &context.build().unwrap(),
            &format!("INSERT INTO notes VALUES ({number})"),
        );
    }
    let tenant = |value: Value| Filter::new().metadata("tenant", value);
    assert_eq!(found(conn, tenant(json!("acme"))), [0, 1]);
    assert_eq!(
        found(conn, tenant(json!("acme")).metadata("beta", true)),
        [0]
    );
    assert_eq!(found(conn, tenant(json!("5"))), [2]);
    assert_eq!(found(conn, tenant(json!(5))), [2]);
    assert_eq!(found(conn, tenant(Value::Null)), [3]);
    let mut parsed =
        |pairs: &[(&str, &str)]| found(conn, Filter::parse(pairs.iter().copied()).unwrap());
    assert_eq!(parsed(&[("metadata", "beta=true")]), [0, 2]);
    assert_eq!(
        parsed(&[("metadata", "tenant=acme"), ("metadata", "beta=true")]),
        [0]
    );
    assert_eq!(parsed(&[("metadata", "tenant=5"), ("table", "notes")]), [2]);
}
