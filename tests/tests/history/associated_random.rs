//! The associated changes of a record, compared with a replay of all changes.

use std::collections::BTreeMap;

use diesel::prelude::*;
use threadline::{History, Moved};
use threadline_tests::{Database, Dice, assert_value, rows, run};

use super::User;

/// A change of a post: the record that the row referred to before and after it.
#[derive(Debug)]
struct Step {
    id: i64,
    transaction: i64,
    is_update: bool,
    was: Option<i64>,
    is: Option<i64>,
}

/// A key that a user had, between two changes of it.
#[derive(Debug)]
struct Segment {
    key: i64,
    since: (i64, i64),
    until: (i64, i64),
}

fn number(value: &serde_json::Value) -> Option<i64> {
    value.as_i64()
}

fn recorded(conn: &mut PgConnection, table: &str) -> Vec<serde_json::Value> {
    rows(
        conn,
        &format!(
            "SELECT to_jsonb(c) FROM threadline.audit_changes AS c JOIN threadline.audited_tables AS t ON t.id = c.table_id
             WHERE t.table_name = '{table}' ORDER BY c.id"
        ),
    )
    .iter()
    .map(|line| serde_json::from_str(line).unwrap())
    .collect()
}

/// Returns all changes of posts, one after the other.
fn replay(conn: &mut PgConnection, mut of: BTreeMap<i64, Option<i64>>) -> Vec<Step> {
    let changes = recorded(conn, "posts");
    let key = |value: &serde_json::Value| value.as_str().unwrap().parse::<i64>().unwrap();
    let mut steps = vec![];
    let mut moved: Vec<(i64, Option<i64>)> = vec![];
    for (place, change) in changes.iter().enumerate() {
        let (was, is);
        let row = key(&change["record_key"]);
        match change["op"].as_str().unwrap() {
            "I" => {
                was = None;
                is = number(&change["row_data"]["user_id"]);
                of.insert(row, is);
            }
            "D" => {
                was = number(&change["row_data"]["user_id"]);
                is = None;
                of.remove(&row);
            }
            _ => {
                let to = change["changed_to"].get("user_id");
                if change["previous_key"].is_null() {
                    was = of[&row];
                    is = to.map_or(was, number);
                    of.insert(row, is);
                } else {
                    // One statement moves them at the same moment.
                    was = number(&change["row_data"]["user_id"]);
                    is = to.map_or(was, number);
                    of.remove(&key(&change["previous_key"]));
                    moved.push((row, is));
                    let next = changes.get(place + 1);
                    if next.is_none_or(|next| {
                        next["previous_key"].is_null()
                            || next["transaction_id"] != change["transaction_id"]
                    }) {
                        of.extend(moved.drain(..));
                    }
                }
            }
        }
        steps.push(Step {
            id: change["id"].as_i64().unwrap(),
            transaction: change["transaction_id"].as_i64().unwrap(),
            is_update: change["op"] == "U",
            was,
            is,
        });
    }
    steps
}

/// Returns the keys that a user had, back from the requested one.
fn segments(conn: &mut PgConnection, key: i64) -> Vec<Segment> {
    let mut segments = vec![Segment {
        key,
        since: (0, 0),
        until: (i64::MAX, 0),
    }];
    for change in recorded(conn, "users").iter().rev() {
        let last = segments.last_mut().unwrap();
        if change["record_key"].as_str() == Some(&*last.key.to_string())
            && !change["previous_key"].is_null()
        {
            let place = (
                change["id"].as_i64().unwrap(),
                change["transaction_id"].as_i64().unwrap(),
            );
            last.since = place;
            segments.push(Segment {
                key: change["previous_key"].as_str().unwrap().parse().unwrap(),
                since: (0, 0),
                until: place,
            });
        }
    }
    segments
}

fn expected(steps: &[Step], segments: &[Segment]) -> Vec<(i64, Option<Moved>)> {
    let mut found: Vec<_> = steps
        .iter()
        .filter_map(|step| {
            let of = |reference: Option<i64>, before: bool| {
                segments.iter().any(|s| {
                    let within = step.id >= s.since.0 && step.id <= s.until.0;
                    let at_the_edge = step.was != step.is || !step.is_update;
                    let same = step.transaction == s.since.1 || step.transaction == s.until.1;
                    let _ = before;
                    reference == Some(s.key) && (within || at_the_edge && same)
                })
            };
            let (was, is) = (of(step.was, true), of(step.is, false));
            let moved = match (was, is) {
                (false, false) => return None,
                (false, true) if step.is_update => Some(Moved::In),
                (true, false) if step.is_update => Some(Moved::Out),
                _ => None,
            };
            Some((step.id, moved))
        })
        .collect();
    found.reverse();
    found
}

fn act(conn: &mut PgConnection, dice: &mut Dice) {
    let user = 1 + dice.roll(4);
    let other = 1 + dice.roll(6);
    let post = 1 + dice.roll(6);
    let sql = match dice.roll(13) {
        0 | 1 => format!(
            "INSERT INTO posts SELECT {post}, (SELECT id FROM users WHERE id = {user}), 'new' WHERE NOT EXISTS (SELECT FROM posts WHERE id = {post})"
        ),
        2..=4 => format!("UPDATE posts SET title = title || '.' WHERE id = {post}"),
        5 | 6 => format!(
            "UPDATE posts SET user_id = (SELECT id FROM users WHERE id = {user}) WHERE id = {post}"
        ),
        7 => format!("DELETE FROM posts WHERE id = {post}"),
        8 => format!("UPDATE posts SET id = id + 1 WHERE id BETWEEN {post} AND 20"),
        9 => format!(
            "UPDATE users SET id = {other} WHERE id = {user} AND NOT EXISTS (SELECT FROM users WHERE id = {other})"
        ),
        10 => format!("INSERT INTO users VALUES ({user}, 'new') ON CONFLICT DO NOTHING"),
        // The rows change before the record, in one transaction.
        11 => format!(
            "UPDATE posts SET user_id = {other} WHERE user_id = {user} AND NOT EXISTS (SELECT FROM users WHERE id = {other});
             UPDATE users SET id = {other} WHERE id = {user} AND NOT EXISTS (SELECT FROM users WHERE id = {other})"
        ),
        _ => format!("UPDATE users SET name = name || '.' WHERE id = {user}"),
    };
    run(conn, &sql);
    if dice.one_in(8) {
        run(conn, "SELECT threadline.post_all()");
    }
}

#[test]
fn associated_rows_agree_with_a_replay() {
    let (_, conn) = &mut Database::new().connected();
    let mut shown = 0;
    for seed in 1..=12 {
        let dice = &mut Dice::new(seed);
        run(
            conn,
            "DROP TABLE IF EXISTS posts, users;
             DELETE FROM threadline.audited_tables; DELETE FROM threadline.journal;
             DELETE FROM threadline.ledger_changes; DELETE FROM threadline.ledger_transactions;
             CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);
             CREATE TABLE posts (id bigint PRIMARY KEY DEFERRABLE, user_id bigint REFERENCES users ON UPDATE CASCADE DEFERRABLE INITIALLY DEFERRED, title text NOT NULL);
             INSERT INTO users VALUES (1, 'a'), (2, 'b'), (3, 'c');
             INSERT INTO posts VALUES (1, 1, 'a'), (2, 1, 'b'), (3, 2, 'c'), (4, NULL, 'd')",
        );
        run(
            conn,
            "SELECT threadline.audit('users'), threadline.audit('posts')",
        );
        let before = BTreeMap::from([(1, Some(1)), (2, Some(1)), (3, Some(2)), (4, None)]);
        for _ in 0..80 {
            act(conn, dice);
        }
        for posted in [false, true] {
            if posted {
                run(conn, "SELECT threadline.post_all()");
            }
            let steps = replay(conn, before.clone());
            for key in 1..=6 {
                let expected = expected(&steps, &segments(conn, key));
                let found: Vec<_> = History::<User, _>::of_key(key)
                    .with(["posts.user_id".parse().unwrap()])
                    .load(conn)
                    .unwrap()
                    .into_iter()
                    .filter(|entry| entry.change.table.as_deref() == Some("posts"))
                    .map(|entry| (entry.change.id, entry.references[0].moved.clone()))
                    .collect();
                assert_eq!(found, expected, "seed {seed}, user {key}, posted {posted}");
                shown += found.len();
            }
        }
    }
    assert!(shown > 1000, "{shown}");
    assert_value(conn, "SELECT count(*) FROM threadline.journal", "0");
}
