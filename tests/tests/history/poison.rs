//! A damaged row in the audit tables hides no other.

use diesel::prelude::*;
use serde_json::json;
use threadline::{Audited, ContextOrigin, Operation};
use threadline_tests::{rolled_back_with, run};

diesel::table! {
    items (id) { id -> Int4, body -> Jsonb, }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = items)]
#[allow(dead_code)]
struct Item {
    id: i32,
    body: serde_json::Value,
}

#[test]
fn every_read_survives_a_poisoned_row() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (id int PRIMARY KEY, body jsonb);
         SELECT threadline.audit('items');
         INSERT INTO items VALUES (1, '0');
         UPDATE items SET body = '1'; UPDATE items SET body = '2'; UPDATE items SET body = '3';
         UPDATE items SET body = '4'; UPDATE items SET body = '5'; UPDATE items SET body = '6';
         SELECT threadline.post_all();
         CREATE TEMP TABLE numbered AS SELECT id, row_number() OVER (ORDER BY id) AS n FROM threadline.audit_changes;
         UPDATE threadline.ledger_changes AS c SET op = '?' FROM numbered WHERE numbered.id = c.id AND n = 2;
         UPDATE threadline.ledger_changes AS c SET changed_from = '[1]', changed_to = '\"text\"' FROM numbered WHERE numbered.id = c.id AND n = 3;
         UPDATE threadline.ledger_changes AS c SET transaction_id = -1 FROM numbered WHERE numbered.id = c.id AND n = 4;
         UPDATE threadline.ledger_changes AS c SET captured_at = 'infinity' FROM numbered WHERE numbered.id = c.id AND n = 5;
         UPDATE threadline.ledger_changes AS c SET changed_to = '{\"body\": 1e400, \"id\": [1e999]}' FROM numbered WHERE numbered.id = c.id AND n = 6;
         UPDATE threadline.ledger_transactions SET actor_type = 'robot', actor_origin = 'elsewhere', meta = '1e400';",
    );
    let history = Item::history_of(conn, 1).unwrap();
    assert_eq!(history.len(), 7);
    assert_eq!(history[5].operation, Operation::Unrecognized("?".into()));
    assert_eq!(history[4].changed_to, Some(json!("text")));
    assert_eq!(history[3].transaction.origin, ContextOrigin::Missing);
    assert_eq!(history[0].actor().unwrap().to_string(), "robot");
    assert!(history[1].changed_to.is_some());
    let versions = Item::versions_of(conn, 1).unwrap();
    assert_eq!(versions.len(), 7);
    assert_eq!(versions[0].record.as_ref().unwrap().body, json!(6));
    assert_eq!(versions[6].record.as_ref().unwrap().body, json!(0));
    for change in history {
        let _ = change.to_string();
        let _ = change.changed_fields();
    }
}

#[test]
fn a_version_that_no_longer_matches_does_not_hide_the_others() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (id int PRIMARY KEY, body text);
         SELECT threadline.audit('items');
         INSERT INTO items VALUES (1, '{}');
         UPDATE items SET body = 'not json';
         UPDATE items SET body = '[]';
         ALTER TABLE items ALTER body TYPE jsonb USING body::jsonb;",
    );
    let versions = Item::versions_of(conn, 1).unwrap();
    let bodies: Vec<_> = versions
        .iter()
        .map(|version| version.record.is_ok())
        .collect();
    assert_eq!(bodies, [true, true, true]);
    run(conn, "ALTER TABLE items ALTER body TYPE int USING 5;");
    let versions = Item::versions_of(conn, 1).unwrap();
    assert_eq!(versions.len(), 3);
    let error = versions[1].record.as_ref().unwrap_err().to_string();
    assert!(
        error.starts_with("the past row does not match the model: "),
        "{error}"
    );
    assert_eq!(
        versions[1].image.as_ref().unwrap()["body"],
        json!("not json")
    );
}
