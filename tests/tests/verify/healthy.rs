//! No false alarms.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use threadline_tests::{Database, assert_rows, run};

use super::found;

#[test]
fn values_of_every_kind_are_what_they_were() {
    let (_, conn) = &mut Database::with(
        r#"
        CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE TYPE pair AS (a int, b text);
        CREATE TABLE kinds (
            a int, b char(4), n numeric, m numeric(10, 2), f float8, r float4, j json, jb jsonb, at timestamptz, local timestamp,
            d date, span interval, xs int[], ys text[][], mood mood, pair pair, money money, bytes bytea, ip inet, u uuid,
            bits bit varying, range int4range, flag boolean, generated int GENERATED ALWAYS AS (a * 2) STORED,
            PRIMARY KEY (b, a));
        SELECT threadline.audit('kinds');
        INSERT INTO kinds VALUES
            (1, 'x', 1.50, 1.5, 0.1, 0.1, '{"b": 1, "a": 2, "a": 3}', '{"b": 1.0}', now(), now(), '2026-01-01', '1 mon 2 days', '{1,NULL}',
             '{{a,b},{c,d}}', 'glad', '(1,"x y")', 12.50, '\xDEADBEEF', '10.0.0.1/8', gen_random_uuid(), '101', '[1,5)', true),
            (2, 'yy', 'NaN', 0, 'Infinity', '-0', '"\u0000"', '"text"', 'infinity', '-infinity', 'infinity', '-1 year', '{}',
             NULL, 'sad', NULL, -1, '', '::1', NULL, '', 'empty', false),
            (3, 'z', 12345678901234567890.123456789, NULL, 1e-300, 1e30, 'null', 'null', NULL, NULL, NULL, NULL, NULL, NULL, NULL,
             '(,)', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
        UPDATE kinds SET n = n + 1, f = f * 3, j = '[1, 2.50]', money = 12.75, span = '1 hour', mood = 'sad' WHERE a = 1;
        UPDATE kinds SET a = a + 1;
        UPDATE kinds SET jb = '{"now": "object"}', xs = '{5}', bytes = 'x';
        ALTER TABLE kinds ALTER m TYPE numeric(12, 4);
        UPDATE kinds SET j = '{"x": "\u0000"}', n = 1.0 WHERE a = 2;
        UPDATE kinds SET n = 1.00 WHERE a = 2;
        "#,
    );
    run(
        conn,
        "SET timezone = 'Asia/Kathmandu'; SET intervalstyle = 'iso_8601'; SET bytea_output = 'escape'; SET extra_float_digits = -3;
         SET search_path = ''",
    );
    assert_eq!(found(conn), [""; 0]);
    run(
        conn,
        "RESET ALL; UPDATE kinds SET f = 0.1 + 0.2, a = a; DELETE FROM kinds WHERE a = 3; TRUNCATE kinds",
    );
    assert_eq!(found(conn), [""; 0]);
}

/// They are recorded as text. One such row must not keep the others from being compared or shown.
#[test]
fn values_without_a_form_in_jsonb_are_what_they_were() {
    let (_, conn) = &mut Database::with(
        r#"CREATE TABLE lists (id int PRIMARY KEY, docs json[], note text, secret text, pin text);
        CREATE TABLE redacted (LIKE lists INCLUDING ALL);
        INSERT INTO lists VALUES (1, ARRAY['"\u0000"'::json], 'a', 'x', '1');
        INSERT INTO redacted TABLE lists;
        SELECT threadline.audit('lists', plain => ARRAY['secret', 'pin']),
               threadline.audit('redacted', mask => ARRAY['secret'], hash => ARRAY['pin']);
        INSERT INTO lists VALUES (2, NULL, 'a', 'x', '2'), (3, ARRAY['5'::json], 'a', 'x', '3'), (4, ARRAY['"\ud800"'::json], 'a', 'x', '4');
        INSERT INTO redacted TABLE lists ON CONFLICT DO NOTHING;
        UPDATE lists SET docs = ARRAY['"\u0000"'::json, NULL], note = 'b' WHERE id <> 4;
        UPDATE redacted SET docs = ARRAY['"\u0000"'::json, NULL], note = 'b', pin = 5 WHERE id <> 4;"#,
    );
    assert_eq!(found(conn), [""; 0]);
    for table in ["lists", "redacted"] {
        assert_rows(
            conn,
            &format!(
                "SELECT record_key, image -> 'docs' FROM threadline.rows_as_of('{table}', clock_timestamp()) ORDER BY 1"
            ),
            [
                r#"1 | {"\"\\u0000\"",NULL}"#,
                r#"2 | {"\"\\u0000\"",NULL}"#,
                r#"3 | {"\"\\u0000\"",NULL}"#,
                r#"4 | {"\"\\ud800\""}"#,
            ],
        );
        run(
            conn,
            &format!(
                r#"ALTER TABLE {table} DISABLE TRIGGER USER; UPDATE {table} SET docs = ARRAY['"\ud801"'::json] WHERE id = 3"#
            ),
        );
        assert_rows(
            conn,
            &format!("SELECT code, record_key FROM threadline.chain_drift('{table}')"),
            ["row-altered | 3"],
        );
    }
}

#[test]
fn rows_older_than_the_audit_and_every_way_to_write() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE items (id int PRIMARY KEY DEFERRABLE, v int, w text);
         INSERT INTO items SELECT k, k FROM generate_series(1, 300) AS k;
         SELECT threadline.audit('items');
         UPDATE items SET v = v + 1 WHERE id < 10; UPDATE items SET id = id + 1; UPDATE items SET id = id - 1, v = 0 WHERE id < 20;
         DELETE FROM items WHERE id % 3 = 0;
         INSERT INTO items SELECT k, k FROM generate_series(1000, 1200) AS k;
         MERGE INTO items USING generate_series(1, 50) AS s (k) ON items.id = s.k
             WHEN MATCHED AND k % 2 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET w = 'merged' WHEN NOT MATCHED THEN INSERT VALUES (k, -1);
         WITH gone AS (DELETE FROM items WHERE id = 7 RETURNING *) INSERT INTO items SELECT id, v, 'again' FROM gone;
         BEGIN; UPDATE items SET w = 'x'; SAVEPOINT s; DELETE FROM items; ROLLBACK TO s; UPDATE items SET w = 'y' WHERE id = 9; COMMIT;
         SET session_replication_role = replica; UPDATE items SET w = 'replicated'; RESET session_replication_role;
         SELECT threadline.revert_transaction((SELECT max(id) FROM threadline.audit_transactions));
         ALTER TABLE items ADD x int; UPDATE items SET w = 'z' WHERE id < 5;",
    );
    assert_eq!(found(conn), ["columns-added public.items"]);
    run(
        conn,
        "UPDATE items SET x = 1; SELECT threadline.refresh('items'); UPDATE items SET x = 2;
         ALTER TABLE items RENAME v TO value; ALTER TABLE items RENAME w TO v; ALTER TABLE items RENAME value TO w;
         SELECT threadline.refresh('items'); UPDATE items SET v = 'swapped', w = 3 WHERE id > 1000; DELETE FROM items WHERE id = 1001",
    );
    assert_eq!(found(conn), [""; 0]);
}

#[test]
fn partitions_and_inheritance_children() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE log (id int, day date, line text, PRIMARY KEY (id, day)) PARTITION BY RANGE (day);
         CREATE TABLE log_a PARTITION OF log FOR VALUES FROM ('2026-01-01') TO ('2026-02-01');
         CREATE TABLE log_b PARTITION OF log FOR VALUES FROM ('2026-02-01') TO ('2026-03-01');
         SELECT threadline.audit('log');
         INSERT INTO log SELECT k, '2026-01-01', 'x' FROM generate_series(1, 20) AS k;
         UPDATE log SET day = '2026-02-01' WHERE id < 10; UPDATE log_a SET line = 'y'; DELETE FROM log_b WHERE id < 5; TRUNCATE log_a;
         INSERT INTO log VALUES (11, '2026-01-01');
         CREATE TABLE beings (id int PRIMARY KEY, name text); CREATE TABLE cats (lives int, PRIMARY KEY (id)) INHERITS (beings);
         SELECT threadline.audit('beings'), threadline.audit('cats');
         INSERT INTO beings VALUES (1, 'a'); INSERT INTO cats VALUES (1, 'cat', 9), (2, 'tom', 9);
         UPDATE beings SET name = name || '!'; DELETE FROM beings WHERE id = 2; DELETE FROM ONLY beings;",
    );
    assert_eq!(found(conn), [""; 0]);
}

#[test]
fn writes_during_a_check_are_no_finding() {
    let database = Database::new();
    run(
        &mut database.connect(),
        "CREATE TABLE items (id int PRIMARY KEY, v int); SELECT threadline.audit('items')",
    );
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for writer in 0..2 {
            let (database, done) = (&database, &done);
            scope.spawn(move || {
                let conn = &mut database.connect();
                for round in 0.. {
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                    let id = writer * 100 + round % 10;
                    run(
                        conn,
                        &format!(
                            "BEGIN; INSERT INTO items VALUES ({id}, 0) ON CONFLICT (id) DO UPDATE SET v = items.v + 1;
                             UPDATE items SET v = {round} WHERE id = {id}; COMMIT;
                             DELETE FROM items WHERE id = {id} AND v % 3 = 0"
                        ),
                    );
                    if round % 20 == 0 && writer == 0 {
                        run(conn, "TRUNCATE items");
                    }
                }
            });
        }
        let conn = &mut database.connect();
        // The writers end also if this fails.
        let alarms = catch_unwind(AssertUnwindSafe(|| -> Vec<String> {
            (0..40).flat_map(|_| found(conn)).collect()
        }));
        done.store(true, Ordering::Relaxed);
        assert_eq!(alarms.unwrap(), [""; 0]);
    });
}

/// Scripts and alerts depend on them.
#[test]
fn codes_and_severities_stay_what_they_are() {
    use threadline::FindingCode;
    let listed: Vec<_> = FindingCode::ALL
        .iter()
        .map(|code| format!("{} {}", code.severity(), code.as_str()))
        .collect();
    insta::assert_snapshot!(listed.join("\n"));
}
