//! Every kind of write leaves its record, and nothing else does.

use threadline_tests::{
    Database, assert_rows, assert_value, changes, rolled_back, rolled_back_with, rows, run, value,
};

#[test]
fn inserts_updates_and_deletes_keep_their_images() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (id int PRIMARY KEY, name text, price numeric);
         SELECT threadline.audit('items');
         INSERT INTO items VALUES (1, 'a', 1.50), (2, NULL, NULL);
         UPDATE items SET name = upper(name) WHERE id = 1;
         DELETE FROM items WHERE id = 2;",
    );
    assert_eq!(
        changes(conn),
        [
            r#"insert | items | {"id": 1} | NULL | NULL | {"id": 1, "name": "a", "price": 1.50} | "#,
            r#"insert | items | {"id": 2} | NULL | NULL | {"id": 2, "name": null, "price": null} | "#,
            r#"update | items | {"id": 1} | {"name": "a"} | {"name": "A"} | NULL | "#,
            r#"delete | items | {"id": 2} | NULL | NULL | {"id": 2, "name": null, "price": null} | "#,
        ]
    );
}

#[test]
fn an_update_that_changes_nothing_leaves_nothing() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (id int PRIMARY KEY, name text, data json, at interval, code char(4));
         SELECT threadline.audit('items');
         INSERT INTO items VALUES (1, 'a', '{\"a\": 1}', '1 day', 'x');
         UPDATE items SET name = 'a', data = '{\"a\": 1}', at = '1 day', code = 'x';
         UPDATE items SET id = id;",
    );
    assert_value(conn, "SELECT count(*) FROM threadline.changes", "1");
    assert_value(
        conn,
        "SELECT count(*) FROM threadline.audit_transactions",
        "1",
    );
}

#[test]
fn a_no_op_alone_opens_no_transaction() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY); INSERT INTO items VALUES (1)",
    );
    run(conn, "SELECT threadline.audit('items')");
    run(conn, "UPDATE items SET id = 1");
    assert_value(
        conn,
        "SELECT count(*) FROM threadline.audit_transactions",
        "0",
    );
}

#[test]
fn values_that_are_equal_and_not_the_same_are_a_change() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (id int PRIMARY KEY, price numeric, zero float8, span interval, doc json);
         SELECT threadline.audit('items');
         INSERT INTO items VALUES (1, 1.0, 0, '1 day', '{}');
         UPDATE items SET price = 1.00;
         UPDATE items SET zero = '-0';
         UPDATE items SET span = '24 hours';",
    );
    assert_rows(
        conn,
        "SELECT changed_from, changed_to FROM threadline.changes WHERE op = 'update' ORDER BY id",
        [
            r#"{"price": 1.0} | {"price": 1.00}"#,
            r#"{"zero": 0} | {"zero": 0}"#,
            r#"{"span": "1 day"} | {"span": "24:00:00"}"#,
        ],
    );
}

/// For every way of making the images of a row: as generated, of a large row, after a
/// change of the columns, with redaction.
#[test]
fn values_with_one_image_are_distinguished_in_every_way_of_capture() {
    let conn = &mut rolled_back();
    for (name, policy, before) in [
        ("plain", ", plain => ARRAY['secret']", ""),
        (
            "large",
            ", plain => ARRAY['secret']",
            "UPDATE large SET note = repeat('x', 200000)",
        ),
        ("redacted", ", mask => ARRAY['secret', 'hidden']", ""),
        (
            "large_redacted",
            ", mask => ARRAY['secret', 'hidden']",
            "UPDATE large_redacted SET note = repeat('x', 200000)",
        ),
        (
            "ignored",
            ", ignore => ARRAY['note'], plain => ARRAY['secret']",
            "",
        ),
        (
            "widened",
            ", plain => ARRAY['secret']",
            "ALTER TABLE widened ADD COLUMN more int; UPDATE widened SET more = 1",
        ),
        (
            "widened_redacted",
            ", mask => ARRAY['secret', 'hidden']",
            "ALTER TABLE widened_redacted ADD COLUMN more int",
        ),
        (
            "json",
            ", plain => ARRAY['secret']",
            "ALTER TABLE json ADD COLUMN doc json",
        ),
    ] {
        run(
            conn,
            &format!(
                "CREATE TABLE {name} (id int PRIMARY KEY, note text, zero float8 DEFAULT 0, span int[] DEFAULT '{{1,2}}',
                     secret text, hidden float8 DEFAULT 0);
                 ALTER TABLE {name} ALTER note SET STORAGE external;
                 SELECT threadline.audit('{name}'{policy});
                 INSERT INTO {name} VALUES (1);
                 {before}"
            ),
        );
        let last = value(
            conn,
            "SELECT coalesce(max(id), 0) FROM threadline.audit_changes",
        )
        .unwrap();
        run(
            conn,
            &format!(
                "UPDATE {name} SET zero = '-0';
                 UPDATE {name} SET span = '[0:1]={{1,2}}';
                 UPDATE {name} SET hidden = '-0';
                 UPDATE {name} SET zero = 0, secret = 'x', note = 'y'"
            ),
        );
        assert_eq!(
            rows(
                conn,
                &format!(
                    "SELECT array(SELECT jsonb_object_keys(changed_to) ORDER BY 1)::text FROM threadline.audit_changes WHERE id > {last} ORDER BY id"
                )
            ),
            ["{zero}", "{span}", "{hidden}", "{note,secret,zero}"],
            "{name}"
        );
    }
}

/// A column that was added after the table was audited, and before its capture was
/// refreshed.
#[test]
fn values_with_one_image_are_distinguished_in_columns_added_since() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (id int PRIMARY KEY);
         SELECT threadline.audit('items');
         INSERT INTO items VALUES (1);
         ALTER TABLE items ADD COLUMN zero float4 DEFAULT 0, ADD COLUMN span text[] DEFAULT '{a,b}';
         UPDATE items SET zero = '-0';
         UPDATE items SET span = '[0:1]={a,b}';",
    );
    assert_rows(
        conn,
        "SELECT array(SELECT jsonb_object_keys(changed_to) ORDER BY 1)::text FROM threadline.audit_changes WHERE op = 'U' ORDER BY id",
        ["{zero}", "{span}"],
    );
}

/// Columns that are recorded only along with others are included then, masked or not.
#[test]
fn an_ignored_column_is_recorded_with_the_changes_of_others() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (id int PRIMARY KEY, name text, score float8 DEFAULT 0, pin text);
         SELECT threadline.audit('items', mask => ARRAY['pin'], ignore => ARRAY['score', 'pin']);
         INSERT INTO items VALUES (1);
         UPDATE items SET score = '-0', pin = 'a';
         UPDATE items SET score = '0', pin = 'b';
         UPDATE items SET name = 'x', score = '-0', pin = 'c';",
    );
    assert_rows(
        conn,
        "SELECT array(SELECT jsonb_object_keys(changed_to) ORDER BY 1)::text FROM threadline.audit_changes WHERE op = 'U' ORDER BY id",
        ["{name,pin,score}"],
    );
}

#[test]
fn truncate_records_every_row_that_went() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE parents (id int PRIMARY KEY);
         CREATE TABLE children (id int PRIMARY KEY, parent int REFERENCES parents);
         SELECT threadline.audit('parents'), threadline.audit('children');
         INSERT INTO parents VALUES (1), (2);
         INSERT INTO children VALUES (10, 1);
         TRUNCATE parents CASCADE;",
    );
    assert_rows(
        conn,
        "SELECT table_name, row_data FROM threadline.changes WHERE op = 'truncate' ORDER BY table_name, id",
        [
            r#"children | {"id": 10, "parent": 1}"#,
            r#"parents | {"id": 1}"#,
            r#"parents | {"id": 2}"#,
        ],
    );
}

#[test]
fn a_changed_key_is_on_record_with_the_key_before() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE lines (doc text, no int, PRIMARY KEY (doc, no));
         SELECT threadline.audit('lines');
         INSERT INTO lines VALUES ('a', 1);
         UPDATE lines SET no = 2;",
    );
    assert_rows(
        conn,
        "SELECT key, previous_key, changed_from, changed_to FROM threadline.changes WHERE op = 'update'",
        [r#"{"no": 2, "doc": "a"} | {"no": 1, "doc": "a"} | {"no": 1} | {"no": 2}"#],
    );
}

#[test]
fn partitions_are_recorded_under_their_parent_whichever_way_they_are_written() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE events (id int, at date, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
         CREATE TABLE events_1 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
         SELECT threadline.audit('events');
         CREATE TABLE events_2 PARTITION OF events FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
         INSERT INTO events VALUES (1, '2026-01-05');
         INSERT INTO events_1 VALUES (2, '2026-01-06');
         INSERT INTO events_2 VALUES (3, '2026-02-06');
         UPDATE events_1 SET at = '2026-01-07' WHERE id = 2;
         DELETE FROM events WHERE id = 1;
         TRUNCATE events;",
    );
    assert_rows(
        conn,
        "SELECT table_name, op, key FROM threadline.changes ORDER BY id",
        [
            r#"events | insert | {"at": "2026-01-05", "id": 1}"#,
            r#"events | insert | {"at": "2026-01-06", "id": 2}"#,
            r#"events | insert | {"at": "2026-02-06", "id": 3}"#,
            r#"events | update | {"at": "2026-01-07", "id": 2}"#,
            r#"events | delete | {"at": "2026-01-05", "id": 1}"#,
            r#"events | truncate | {"at": "2026-02-06", "id": 3}"#,
            r#"events | truncate | {"at": "2026-01-07", "id": 2}"#,
        ],
    );
}

#[test]
fn names_of_any_kind_are_quoted_everywhere() {
    let conn = &mut rolled_back();
    let long = "t".repeat(62);
    let odd = [
        "\"Order\"".to_owned(),
        "\"order\"".to_owned(),
        "\"a \"\"quoted\"\" name\"".to_owned(),
        "\"it's\"".to_owned(),
        "\"naïve Ünicode 表\"".to_owned(),
        "\"%I %s {id} $1 $$\"".to_owned(),
        format!("{long}1"),
        format!("{long}2"),
        "other.\"Order\"".to_owned(),
    ];
    run(conn, "CREATE SCHEMA other");
    for (number, table) in odd.iter().enumerate() {
        run(
            conn,
            &format!(
                "CREATE TABLE {table} (\"Id\" int PRIMARY KEY, n int, new int, old int, tl_row int, tl_key int, c int,
                     \"select\" text, \"it's \"\"x\"\" %1$I\" text, secret text);
                 SELECT threadline.audit('{}', mask => ARRAY['it''s \"x\" %1$I'], exclude => ARRAY['secret']);
                 INSERT INTO {table} VALUES ({number}, 1, 2, 3, 4, 5, 6, 'w', 'hidden', 'secret');
                 UPDATE {table} SET n = 10, new = 20, old = 30, tl_row = 40, tl_key = 50, c = 60, \"it's \"\"x\"\" %1$I\" = 'x';
                 TRUNCATE {table};",
                table.replace('\'', "''"),
            ),
        );
    }
    let recorded = rows(
        conn,
        "SELECT op, key, changed_from, changed_to, row_data FROM threadline.changes ORDER BY id",
    );
    assert_eq!(recorded.len(), odd.len() * 3);
    assert_eq!(
        recorded[..3],
        [
            r#"insert | {"Id": 0} | NULL | NULL | {"c": 6, "n": 1, "Id": 0, "new": 2, "old": 3, "select": "w", "tl_key": 5, "tl_row": 4, "it's \"x\" %1$I": "***"}"#,
            r#"update | {"Id": 0} | {"c": 6, "n": 1, "new": 2, "old": 3, "tl_key": 5, "tl_row": 4, "it's \"x\" %1$I": "***"} | {"c": 60, "n": 10, "new": 20, "old": 30, "tl_key": 50, "tl_row": 40, "it's \"x\" %1$I": "***"} | NULL"#,
            r#"truncate | {"Id": 0} | NULL | NULL | {"c": 60, "n": 10, "Id": 0, "new": 20, "old": 30, "select": "w", "tl_key": 50, "tl_row": 40, "it's \"x\" %1$I": "***"}"#,
        ]
    );
    // Each table under its own name and no other's.
    assert_eq!(
        value(
            conn,
            "SELECT count(DISTINCT (schema_name, table_name)) FROM threadline.changes"
        ),
        Some(odd.len().to_string())
    );
}

#[test]
fn two_names_of_63_bytes_that_differ_in_the_last_have_each_its_own_policy() {
    let conn = &mut rolled_back();
    let long = "t".repeat(62);
    run(
        conn,
        &format!(
            "CREATE TABLE {long}1 (id int PRIMARY KEY, a text, b text);
             CREATE TABLE {long}2 (id int PRIMARY KEY, a text, b text);
             SELECT threadline.audit('{long}1', exclude => ARRAY['a']), threadline.audit('{long}2', exclude => ARRAY['b']);
             INSERT INTO {long}1 VALUES (1, 'a', 'b');
             INSERT INTO {long}2 VALUES (1, 'a', 'b');"
        ),
    );
    assert_rows(
        conn,
        "SELECT right(table_name, 1), row_data FROM threadline.changes ORDER BY id",
        [r#"1 | {"b": "b", "id": 1}"#, r#"2 | {"a": "a", "id": 1}"#],
    );
}

#[test]
fn auditing_again_changes_the_policy_and_keeps_the_history() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (id int PRIMARY KEY, name text);
         SELECT threadline.audit('items');
         INSERT INTO items VALUES (1, 'seen');
         SELECT threadline.audit('items', exclude => ARRAY['name']);
         INSERT INTO items VALUES (2, 'unseen');
         SELECT threadline.unaudit('items');
         INSERT INTO items VALUES (3, 'unrecorded');
         SELECT threadline.unaudit('items');
         SELECT threadline.audit('items');
         INSERT INTO items VALUES (4, 'seen');
         ALTER TABLE items RENAME TO things;
         INSERT INTO things VALUES (5, 'renamed');
         SELECT threadline.refresh('things');
         INSERT INTO things VALUES (6, 'refreshed');
         CREATE TABLE items (id int PRIMARY KEY);
         SELECT threadline.audit('items');
         INSERT INTO items VALUES (7);",
    );
    assert_rows(
        conn,
        "SELECT table_name, row_data FROM threadline.changes ORDER BY id",
        [
            r#"things | {"id": 1, "name": "seen"}"#,
            r#"things | {"id": 2}"#,
            r#"things | {"id": 4, "name": "seen"}"#,
            r#"things | {"id": 5, "name": "renamed"}"#,
            r#"things | {"id": 6, "name": "refreshed"}"#,
            r#"items | {"id": 7}"#,
        ],
    );
}

#[test]
fn a_table_that_lost_its_row_trigger_is_audited_again_as_itself() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (id int PRIMARY KEY); SELECT threadline.audit('items'); INSERT INTO items VALUES (1);
         DO $$ BEGIN
             EXECUTE (SELECT format('DROP TRIGGER %I ON items', tgname) FROM pg_trigger WHERE tgname ~ '!threadline_capture_');
         END $$;
         SELECT threadline.audit('items'); INSERT INTO items VALUES (2)",
    );
    assert_rows(
        conn,
        "SELECT count(DISTINCT table_id) AS tables, count(*) AS changes FROM threadline.audit_changes",
        ["1 | 2"],
    );
}

#[test]
fn relations_that_cannot_be_audited_are_refused_with_a_remedy() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE keyless (a int);
         CREATE TABLE items (id int PRIMARY KEY, a int, b int);
         CREATE VIEW shown AS SELECT * FROM items;
         CREATE TABLE parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
         CREATE TABLE part PARTITION OF parted DEFAULT;
         CREATE TEMP TABLE passing (id int PRIMARY KEY);",
    );
    let mut refused = vec![];
    for call in [
        "audit('keyless')",
        "audit('shown')",
        "audit('part')",
        "audit('passing')",
        "audit('threadline.ledger_changes')",
        "audit('pg_class')",
        "audit('items', mask => ARRAY['c', 'a'], exclude => ARRAY['d'])",
        "audit('items', mask => ARRAY['a'], exclude => ARRAY['a'])",
        "audit('items', mask => ARRAY['id'])",
        "refresh('items')",
        "audit('nowhere')",
    ] {
        use diesel::prelude::*;
        let error = conn
            .transaction(|conn| {
                diesel::sql_query(format!("SELECT threadline.{call}")).execute(conn)
            })
            .expect_err(call);
        refused.push(format!("{call}\n    {error}"));
    }
    insta::assert_snapshot!(refused.join("\n"));
}

#[test]
fn a_column_added_later_is_named_when_it_changes_and_not_before() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE items (id int PRIMARY KEY, a text);
         SELECT threadline.audit('items');
         INSERT INTO items VALUES (1, 'x');
         ALTER TABLE items ADD b text DEFAULT 'q';
         UPDATE items SET a = 'y';
         UPDATE items SET b = 'r';",
    );
    assert_rows(
        conn,
        "SELECT changed_from, changed_to FROM threadline.changes WHERE op = 'update' ORDER BY id",
        [r#"{"a": "x"} | {"a": "y"}"#, r#"{"b": "q"} | {"b": "r"}"#],
    );
}

#[test]
fn a_value_too_large_for_jsonb_does_not_stop_its_row_from_being_written() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY, n int, large bytea);
         INSERT INTO items VALUES (1, 1, decode(repeat('00', 140000000), 'hex'));
         SELECT threadline.audit('items');
         UPDATE items SET n = 2;
         UPDATE items SET large = decode(repeat('01', 140000000), 'hex');
         DELETE FROM items;",
    );
    assert_eq!(
        changes(conn),
        [
            r#"update | items | {"id": 1} | {"n": 1} | {"n": 2} | NULL | "#,
            r#"update | items | {"id": 1} | {"large": "[too large to record: 140000000 bytes, sha256:871b098b4bf857b7d37097890ccfe3377bed7059ab5021aac249e543dc749055]"} | {"large": "[too large to record: 140000000 bytes, sha256:9b8cefa7340149aeb5beaa0507a5f8cba5400160d8bd7024ccadcaec5f3d1bb9]"} | NULL | "#,
            r#"delete | items | {"id": 1} | NULL | NULL | {"n": 2, "id": 1, "large": "[too large to record: 140000000 bytes, sha256:9b8cefa7340149aeb5beaa0507a5f8cba5400160d8bd7024ccadcaec5f3d1bb9]"} | "#,
        ]
    );
}

#[test]
fn a_write_of_many_rows_leaves_no_setting_behind() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY, n int); SELECT threadline.audit('items');
         CREATE FUNCTION settings() RETURNS jsonb LANGUAGE sql AS
             $$ SELECT jsonb_object_agg(name, setting) FROM pg_settings WHERE name NOT LIKE 'threadline.%' $$",
    );
    for jit in ["on", "off"] {
        run(
            conn,
            &format!(
                "SET jit = {jit}; BEGIN; CREATE TEMP TABLE before ON COMMIT DROP AS SELECT settings() AS known;
                 INSERT INTO items SELECT k, 1 FROM generate_series(1, 1000) AS k; UPDATE items SET n = 2; DELETE FROM items"
            ),
        );
        assert_eq!(
            rows(
                conn,
                "SELECT current_setting('jit'), settings() = known FROM before"
            ),
            [format!("{jit} | true")]
        );
        run(conn, "COMMIT");
        assert_value(conn, "current_setting('jit')", jit);
    }
}
