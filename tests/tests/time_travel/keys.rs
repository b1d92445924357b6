//! Records that change their keys, and keys and tables of every kind.

use chrono::{DateTime, NaiveDate, Utc};
use diesel::prelude::*;
use serde_json::json;
use threadline::{Audited, Unavailable};
use threadline_tests::{Database, error_of, now, run, value};

use crate::{Copy, after_each, each, state};

diesel::table! {
    items (id) { id -> Int4, body -> Text, }
}
diesel::table! {
    by_three (tenant, day, no) { tenant -> Text, no -> Int4, day -> Date, body -> Text, }
}
diesel::table! {
    by_instant (at) { at -> Timestamptz, body -> Text, }
}
diesel::table! {
    by_code (code) { code -> Bpchar, body -> Text, }
}
diesel::table! {
    #[sql_name = "a \"b\" 表 it's"]
    odd (id) { #[sql_name = "Key \"k\""] id -> Int4, body -> Text, }
}
mod other {
    diesel::table! {
        other.items (id) { id -> Int4, body -> Text, }
    }
}

macro_rules! model {
    ($Model:ident, $table:path, $($key:ident: $Key:ty),+) => {
        #[derive(Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Audited)]
        #[diesel(table_name = $table, primary_key($($key),+))]
        struct $Model {
            $($key: $Key,)+
            body: String,
        }
    };
}
model!(Item, items, id: i32);
model!(Other, other::items, id: i32);
model!(Three, by_three, tenant: String, day: NaiveDate, no: i32);
model!(Instant, by_instant, at: DateTime<Utc>);
model!(Code, by_code, code: String);
model!(Odd, odd, id: i32);

const ITEMS: &str = "CREATE TABLE items (id int PRIMARY KEY DEFERRABLE, body text NOT NULL)";

fn item(id: i32, body: &str) -> Item {
    Item {
        id,
        body: body.into(),
    }
}

#[test]
fn a_record_is_found_under_the_key_that_it_had() {
    let (_, conn) = &mut Database::new().connected();
    let first = each(
        conn,
        &[
            ITEMS,
            "INSERT INTO items VALUES (1, 'one')",
            "SELECT threadline.audit('items')",
        ],
    );
    each(conn, &["UPDATE items SET body = 'uno'"]);
    let moved = each(conn, &["UPDATE items SET id = 2, body = 'moved'"]);
    let taken = each(conn, &["INSERT INTO items VALUES (1, 'another')"]);
    let gone = each(conn, &["DELETE FROM items WHERE id = 2"]);

    let at = |conn: &mut PgConnection, key, at| Item::as_of(conn, key, at).unwrap();
    assert_eq!(at(conn, 1, first), Ok(item(1, "one")));
    assert_eq!(at(conn, 2, first), Err(Unavailable::NeverExisted));
    let Err(Unavailable::KeyChanged { change }) = at(conn, 1, moved) else {
        panic!("{:?}", at(conn, 1, moved))
    };
    assert_eq!(change.key, Some(json!({"id": 2})));
    assert_eq!(change.previous_key, Some(json!({"id": 1})));
    assert_eq!(at(conn, 2, moved), Ok(item(2, "moved")));
    assert_eq!(at(conn, 1, taken), Ok(item(1, "another")));
    assert_eq!(at(conn, 2, taken), Ok(item(2, "moved")));
    assert_eq!(at(conn, 1, gone), Ok(item(1, "another")));
    assert!(matches!(
        at(conn, 2, gone),
        Err(Unavailable::Deleted { .. })
    ));
}

#[test]
fn keys_moved_in_bulk_or_in_circles_are_each_what_they_were() {
    let (_, conn) = &mut after_each(&[
        ITEMS,
        "INSERT INTO items SELECT i, 'old ' || i FROM generate_series(1, 5) AS i",
        "SELECT threadline.audit('items')",
    ]);
    Copy::around_each(conn, "items", &[
        "UPDATE items SET id = id + 1",
        "UPDATE items SET id = id - 1, body = body || '!'",
        "UPDATE items SET id = 6 - id",
        "UPDATE items SET body = 'between' WHERE id IN (1, 3)",
        "UPDATE items SET id = CASE id WHEN 1 THEN 2 ELSE 1 END WHERE id IN (1, 2)",
        "BEGIN; UPDATE items SET id = 50 WHERE id = 5; UPDATE items SET id = 5 WHERE id = 50; COMMIT",
        "BEGIN; UPDATE items SET id = id + 1; UPDATE items SET body = 'mid' WHERE id = 3;
         UPDATE items SET id = id + 1; INSERT INTO items VALUES (1, 'new'); DELETE FROM items WHERE id = 4; COMMIT",
        "BEGIN; UPDATE items SET id = 100 WHERE id = 1; DELETE FROM items WHERE id = 100;
         INSERT INTO items VALUES (1, 'x'); UPDATE items SET id = 101 WHERE id = 1; COMMIT",
        "DELETE FROM items WHERE id < 6",
        "UPDATE items SET id = id + 1",
        "TRUNCATE items",
    ]);
}

#[test]
fn composite_and_odd_keys_are_found_by_their_rust_types() {
    let (_, conn) = &mut after_each(&[
        "SET timezone = 'Asia/Kathmandu'; SET datestyle = 'German'; SET intervalstyle = 'iso_8601'",
        "CREATE TABLE by_three (tenant text, no int, day date, body text NOT NULL, PRIMARY KEY (tenant, day, no))",
        "CREATE TABLE by_instant (at timestamptz PRIMARY KEY, body text NOT NULL)",
        "CREATE TABLE by_code (code char(5) PRIMARY KEY, body text NOT NULL)",
        r#"CREATE TABLE "a ""b"" 表 it's" ("Key ""k""" int PRIMARY KEY, body text NOT NULL)"#,
        "SELECT threadline.audit('by_three'), threadline.audit('by_instant'), threadline.audit('by_code')",
        r#"SELECT threadline.audit('"a ""b"" 表 it''s"')"#,
        r#"INSERT INTO by_three VALUES ('a", "b', 7, '2026-01-02', 'then')"#,
        "INSERT INTO by_instant VALUES ('2026-01-02T03:04:05.000006Z', 'then')",
        "INSERT INTO by_code VALUES ('ab', 'then')",
        r#"INSERT INTO "a ""b"" 表 it's" VALUES (1, 'then')"#,
    ]);
    let at = now(conn);
    let odd = r#""a ""b"" 表 it's""#;
    let copies = ["by_three", "by_instant", "by_code"].map(|table| {
        run(conn, "SET timezone = 'UTC'; SET datestyle = 'ISO'");
        Copy::of(conn, table)
    });
    let odd_copy = Copy::of(conn, odd);
    each(
        conn,
        &[
            "UPDATE by_three SET body = 'now', no = 8",
            "UPDATE by_instant SET body = 'now', at = now()",
            "DELETE FROM by_code",
            &format!("UPDATE {odd} SET body = 'now', \"Key \"\"k\"\"\" = 2"),
            "SET timezone = 'America/Lima'",
        ],
    );
    let day = NaiveDate::from_ymd_opt(2026, 1, 2).unwrap();
    let three = Three::as_of(conn, ("a\", \"b", day, 7), at)
        .unwrap()
        .unwrap();
    assert_eq!((three.no, three.body.as_str()), (7, "then"));
    let instant: DateTime<Utc> = "2026-01-02T03:04:05.000006Z".parse().unwrap();
    let found = Instant::as_of(conn, instant, at).unwrap().unwrap();
    assert_eq!((found.at, found.body.as_str()), (instant, "then"));
    for key in ["ab", "ab   "] {
        assert_eq!(Code::as_of(conn, key, at).unwrap().unwrap().body, "then");
    }
    assert_eq!(Odd::as_of(conn, 1, at).unwrap().unwrap().body, "then");
    let keys: Vec<_> = Odd::all_as_of(conn, at)
        .unwrap()
        .map(|past| past.unwrap().key)
        .collect();
    assert_eq!(keys, [json!({"Key \"k\"": 1})]);
    let keys: Vec<_> = Three::all_as_of(conn, at)
        .unwrap()
        .map(|past| past.unwrap().key)
        .collect();
    assert_eq!(
        keys,
        [json!({"tenant": "a\", \"b", "day": "2026-01-02", "no": 7})]
    );
    for copy in &copies {
        copy.is_what_was(conn);
    }
    odd_copy.is_what_was(conn);
}

#[test]
fn one_table_name_in_two_schemas_has_two_pasts() {
    let (_, conn) = &mut after_each(&[
        "CREATE SCHEMA other",
        ITEMS,
        "CREATE TABLE other.items (id int PRIMARY KEY, body text NOT NULL)",
        "SELECT threadline.audit('items'), threadline.audit('other.items')",
        "INSERT INTO items VALUES (1, 'public')",
        "INSERT INTO other.items VALUES (1, 'other')",
    ]);
    let at = now(conn);
    each(
        conn,
        &["DELETE FROM items", "UPDATE other.items SET body = 'now'"],
    );
    assert_eq!(Item::as_of(conn, 1, at).unwrap().unwrap().body, "public");
    assert_eq!(Other::as_of(conn, 1, at).unwrap().unwrap().body, "other");
}

#[test]
fn a_key_is_found_under_its_new_name_and_type() {
    let (_, conn) = &mut after_each(&[
        "CREATE TABLE things (id int PRIMARY KEY, body text NOT NULL)",
        "INSERT INTO things VALUES (1, 'one'), (2, 'two'), (3, 'three')",
        "SELECT threadline.audit('things')",
        "UPDATE things SET body = 'uno' WHERE id = 1",
    ]);
    let at = now(conn);
    each(
        conn,
        &[
            "UPDATE things SET body = 'eins' WHERE id = 1",
            "UPDATE things SET id = 30 WHERE id = 3",
        ],
    );
    let expected = [
        r#"1 | {"no": 1, "body": "uno"}"#,
        r#"2 | {"no": 2, "body": "two"}"#,
        r#"3 | {"no": 3, "body": "three"}"#,
    ];
    let rows_at = format!(
        "SELECT record_key, image FROM threadline.rows_as_of('things', '{}') ORDER BY 1",
        at.to_rfc3339()
    );
    for (then, expected) in [
        ("ALTER TABLE things RENAME id TO no", expected),
        ("SELECT threadline.refresh('things')", expected),
        ("UPDATE things SET no = 10 WHERE no = 1", expected),
    ] {
        run(conn, then);
        assert_eq!(threadline_tests::rows(conn, &rows_at), expected, "{then}");
        for key in ["1", "2", "3"] {
            assert_eq!(
                state(conn, "things", key, at),
                "there",
                "{key} after {then}"
            );
        }
        assert_eq!(state(conn, "things", "30", at), "never");
    }
    // Without a refresh of the audit.
    run(
        conn,
        "ALTER TABLE things ALTER no TYPE text; UPDATE things SET body = 'deux' WHERE no = '2'",
    );
    assert_eq!(threadline_tests::rows(conn, &rows_at).len(), 3);
    assert_eq!(state(conn, "things", "2", at), "there");
}

/// Their `=` is in no search_path of capture or readers.
#[test]
fn a_record_is_found_by_a_key_of_a_type_that_an_extension_made() {
    let (_, conn) = &mut Database::with(
        "CREATE SCHEMA \"Ext\"; CREATE EXTENSION ltree SCHEMA \"Ext\"; CREATE EXTENSION citext SCHEMA \"Ext\"; SET search_path = public, \"Ext\";
         CREATE DOMAIN place AS \"Ext\".ltree;
         CREATE TABLE places (id place PRIMARY KEY, body text); CREATE TABLE names (id \"Ext\".citext, no int, body text, PRIMARY KEY (id, no));
         SELECT threadline.audit(t) FROM unnest(ARRAY['places', 'names']::regclass[]) AS t;
         INSERT INTO places VALUES ('a.b', 'old'); INSERT INTO names VALUES ('Ada', 1, 'old'), ('ada', 2, 'old');
         CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS
             $$BEGIN UPDATE places SET body = 'after' WHERE id = NEW.id AND body <> 'after'; RETURN NULL; END$$;
         CREATE TRIGGER again AFTER UPDATE ON places FOR EACH ROW EXECUTE FUNCTION again();
         UPDATE places SET body = 'new'; UPDATE names SET body = 'new', id = 'aDA' WHERE no = 1",
    );
    let mut was = |table: &str, key: &str| {
        threadline_tests::rows(
            conn,
            &format!(
                "SELECT state, image ->> 'body' FROM threadline.record_as_of('{table}', '{key}', clock_timestamp())"
            ),
        )
    };
    assert_eq!(was("places", "a.b"), ["there | after"]);
    assert_eq!(was("names", r#"["aDA", "1"]"#), ["there | new"]);
    assert_eq!(was("names", r#"["Ada", "1"]"#), ["moved | NULL"]);
    assert_eq!(was("names", r#"["ada", "2"]"#), ["there | old"]);
    assert_eq!(
        threadline_tests::rows(
            conn,
            "SELECT record_key, changed_from ->> 'body', changed_to ->> 'body' FROM threadline.audit_changes
             WHERE op = 'U' AND record_key = 'a.b' ORDER BY id"
        ),
        ["a.b | old | new", "a.b | new | after"]
    );
}

/// Only their beginning and a digest are in the index.
#[test]
fn a_record_is_found_by_a_key_that_is_longer_than_an_index_takes() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE pages (url bytea, lang text COLLATE \"C\", body text, PRIMARY KEY (url, lang));
         SELECT threadline.audit('pages');
         CREATE TABLE hot (url bytea PRIMARY KEY, n int); SELECT threadline.audit('hot');
         INSERT INTO pages SELECT convert_to(repeat('long', 600) || k, 'UTF8'), 'en', 'first' FROM generate_series(1, 3) AS k;
         INSERT INTO hot SELECT url, 1 FROM pages; UPDATE pages SET body = 'second'; UPDATE hot SET n = 2",
    );
    run(
        conn,
        "DELETE FROM pages WHERE right(url::text, 2) = '33'; DELETE FROM hot WHERE right(url::text, 2) = '33'",
    );
    for table in ["pages", "hot"] {
        let mut rows = |sql: &str| threadline_tests::rows(conn, &sql.replace("{table}", table));
        assert_eq!(
            rows(
                "SELECT state, count(*), count(image)
                 FROM (SELECT DISTINCT c.record_key FROM threadline.audit_changes AS c
                       WHERE c.table_id = threadline.audited_table_of('{table}')) AS k
                 CROSS JOIN LATERAL threadline.record_as_of('{table}', k.record_key, clock_timestamp())
                 GROUP BY state ORDER BY state"
            ),
            ["deleted | 1 | 0", "there | 2 | 2"],
            "{table}"
        );
        assert_eq!(
            rows(
                "SELECT count(*), count(DISTINCT record_key) FROM threadline.rows_as_of('{table}', clock_timestamp())"
            ),
            ["2 | 2"],
            "{table}"
        );
    }
    // And each reverts to its former state.
    run(
        conn,
        "SELECT threadline.revert_transaction(max(id)) FROM threadline.audit_transactions;
         SELECT threadline.revert_record('pages', k.record_key, x.instant)
         FROM (SELECT DISTINCT c.record_key FROM threadline.audit_changes AS c WHERE c.table_id = 1) AS k
         CROSS JOIN (SELECT max(captured_at) AS instant FROM threadline.audit_changes WHERE transaction_id = 1) AS x",
    );
    assert_eq!(
        threadline_tests::rows(
            conn,
            "SELECT (SELECT count(*) FROM pages WHERE body = 'second'), (SELECT count(*) FROM hot WHERE n = 2)"
        ),
        ["3 | 3"]
    );
}

/// Changes are found by the text of the key and the row by its value, so another spelling would
/// return the present row for any instant.
#[test]
fn another_spelling_of_a_key_is_the_same_key() {
    let (_, conn) = &mut Database::with(
        "CREATE TYPE pair AS (a int, b text);
         CREATE TABLE prices (id numeric(10,2) PRIMARY KEY, v text); CREATE TABLE ids (id uuid PRIMARY KEY, v text);
         CREATE TABLE lines (a int, b int, v text, PRIMARY KEY (a, b)); CREATE TABLE days (at timestamptz PRIMARY KEY, v text);
         CREATE TABLE tags (tags text[] PRIMARY KEY, v text); CREATE TABLE pairs (pair pair PRIMARY KEY, v text);
         INSERT INTO tags VALUES ('{a,b}', 'old'); INSERT INTO pairs VALUES ('(1,x)', 'old');
         SELECT threadline.audit(t) FROM unnest('{prices,ids,lines,days,tags,pairs}'::regclass[]) AS t;
         INSERT INTO prices VALUES (1.5, 'old'); INSERT INTO ids VALUES ('abababab-abab-abab-abab-abababababab', 'old');
         INSERT INTO lines VALUES (1, 2, 'old'); INSERT INTO days VALUES ('2026-11-23 09:00Z', 'old')",
    );
    let then = now(conn);
    run(
        conn,
        "UPDATE prices SET v = 'new'; UPDATE ids SET v = 'new'; UPDATE lines SET v = 'new'; UPDATE days SET v = 'new';
         UPDATE tags SET v = 'new'; UPDATE pairs SET v = 'new'",
    );
    for (table, key) in [
        ("prices", "1.5"),
        ("prices", " 1.500"),
        ("ids", "{ABABABAB-abab-abab-abab-abababababab}"),
        ("lines", r#"["1","2"]"#),
        ("lines", "[1, 2]"),
        ("days", "2026-11-23T10:00:00+01:00"),
        ("tags", r#"["a", "b"]"#),
        ("pairs", r#"{"a": 1, "b": "x"}"#),
    ] {
        let at = then.to_rfc3339();
        let image = format!(
            "SELECT state || ' ' || (image ->> 'v') FROM threadline.record_as_of('{table}', '{key}', '{at}')"
        );
        assert_eq!(
            value(conn, &image).as_deref(),
            Some("there old"),
            "{table} {key}"
        );
        let revert = format!("SELECT threadline.revert_record('{table}', '{key}', '{at}')");
        assert_eq!(value(conn, &revert), None, "{table} {key}");
        assert_eq!(
            value(conn, &format!("SELECT v FROM {table}")).as_deref(),
            Some("old"),
            "{table} {key}"
        );
        run(conn, &format!("UPDATE {table} SET v = 'new'"));
    }
    assert_eq!(
        value(
            conn,
            &format!(
                "SELECT threadline.revert_record('lines', '[1]', '{}')",
                then.to_rfc3339()
            )
        )
        .unwrap(),
        r#"threadline: [1] is not a key of public.lines: the values of a, b are written as a JSON array, such as ["7", "7"]"#
    );
}

/// Neither the rows nor a record of before can be made from rows that have another key now, or
/// from changes that were not recorded.
#[test]
fn nothing_is_told_of_before_the_primary_key_changed_or_all_changes_were_recorded() {
    let to_code = "ALTER TABLE items DROP CONSTRAINT items_pkey, ADD PRIMARY KEY (code)";
    let both = "ALTER TABLE items DROP CONSTRAINT items_pkey, ADD PRIMARY KEY (code, id)";
    let exchanged = "ALTER TABLE items DROP CONSTRAINT items_pkey, ADD PRIMARY KEY (id, code)";
    for (policy, changes) in [
        ("", &[to_code][..]),
        ("", &[both, exchanged]),
        (", operations => '{insert,delete}'", &["SELECT 1"]),
        (
            ", operations => '{insert,update}', condition => 'NEW.body <> ''n2'''",
            &["SELECT 1"],
        ),
    ] {
        let (_, conn) = &mut after_each(&[
            "CREATE TABLE items (id int PRIMARY KEY, code text, body text)",
            &format!("SELECT threadline.audit('items'{policy})"),
            "INSERT INTO items SELECT k, chr(96 + k), 'n1' FROM generate_series(1, 3) AS k",
        ]);
        let then = now(conn);
        each(
            conn,
            &[
                "UPDATE items SET body = 'n2' WHERE id = 1",
                "DELETE FROM items WHERE id = 3",
            ],
        );
        for change in changes {
            run(
                conn,
                &format!("BEGIN; {change}; SELECT threadline.audit('items'); COMMIT"),
            );
        }
        let error = error_of(
            conn,
            &format!(
                "SELECT FROM threadline.rows_as_of('items', '{}')",
                then.to_rfc3339()
            ),
        );
        assert!(
            error.contains("its primary key was another, or not every change was recorded"),
            "{changes:?}: {error}"
        );
        let keys = value(
            conn,
            "SELECT json_agg(DISTINCT record_key) FROM threadline.audit_changes",
        );
        let mut keys: Vec<String> = serde_json::from_str(&keys.unwrap()).unwrap();
        let present = value(
            conn,
            "SELECT json_agg(record_key) FROM threadline.rows_as_of('items', clock_timestamp())",
        );
        keys.extend(serde_json::from_str::<Vec<String>>(&present.unwrap()).unwrap());
        for key in keys {
            assert_eq!(
                state(conn, "items", &key, then),
                "incomplete",
                "{changes:?}: {key}"
            );
        }
        Copy::of(conn, "items").is_what_was(conn);
        run(conn, "UPDATE items SET body = 'n3' WHERE id = 1");
        Copy::of(conn, "items").is_what_was(conn);
    }
}

/// A key that was recorded before the primary key changed may be no value of the present one.
#[test]
fn a_former_key_finds_no_row() {
    let (_database, mut conn) = after_each(&[
        "CREATE TABLE items (id int, code text PRIMARY KEY); SELECT threadline.audit('items')",
        "INSERT INTO items VALUES (1, 'a')",
        "ALTER TABLE items DROP CONSTRAINT items_pkey, ADD PRIMARY KEY (id); SELECT threadline.refresh('items')",
    ]);
    let at = now(&mut conn);
    assert_eq!(state(&mut conn, "items", "a", at), "incomplete");
    assert_eq!(state(&mut conn, "items", "1", at), "there");
}

/// The present row does not complete a version from before all changes were recorded.
#[test]
fn a_version_from_before_all_changes_were_recorded_is_not_completed() {
    let (_database, mut conn) = after_each(&[
        "CREATE TABLE items (id int PRIMARY KEY, body text NOT NULL, n int); INSERT INTO items VALUES (1, 'b1', 0)",
        "SELECT threadline.audit('items', operations => '{insert,update}', condition => 'NEW.n <> 5')",
        "UPDATE items SET n = 1",
        "UPDATE items SET n = 5, body = 'b2'",
        "SELECT threadline.audit('items')",
        "UPDATE items SET n = 7",
    ]);
    let versions = Item::versions_of(&mut conn, 1).unwrap();
    let versions: Vec<_> = versions.into_iter().map(|version| version.record).collect();
    assert_eq!(versions, [Ok(item(1, "b2")), Err(Unavailable::Incomplete)]);
}
