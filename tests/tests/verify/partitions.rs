use diesel::prelude::*;
use threadline::FindingCode;
use threadline_tests::{Database, assert_rows, changes, error_of, rows, run, value};

use super::{drift, findings, found};

const LOG: &str = "
    CREATE TABLE log (id int PRIMARY KEY, line text) PARTITION BY RANGE (id);
    CREATE TABLE log_a PARTITION OF log FOR VALUES FROM (0) TO (10);
    SELECT threadline.audit('log');
    INSERT INTO log VALUES (1, 'a');
";

#[test]
fn a_partition_that_came_since_is_found_for_its_truncate() {
    let (_, conn) = &mut Database::with(LOG);
    for partition in [
        "CREATE TABLE log_b PARTITION OF log FOR VALUES FROM (10) TO (20)",
        "CREATE TABLE log_c (id int PRIMARY KEY, line text); ALTER TABLE log ATTACH PARTITION log_c FOR VALUES FROM (20) TO (30)",
        "CREATE TABLE log_d PARTITION OF log FOR VALUES FROM (30) TO (40) PARTITION BY RANGE (id)",
    ] {
        run(conn, partition);
        let table = partition.split_whitespace().nth(2).unwrap();
        drift(
            conn,
            "",
            &[&format!("partition-truncate-unseen public.{table}")],
        );
    }
    run(conn, "INSERT INTO log VALUES (11, 'b'); TRUNCATE log_b");
    assert_eq!(changes(conn).len(), 3);
}

#[test]
fn a_partition_whose_triggers_do_not_fire_is_found() {
    let (_, conn) = &mut Database::with(LOG);
    drift(
        conn,
        "ALTER TABLE log_a DISABLE TRIGGER ALL",
        &[
            "partition-unseen public.log_a",
            "partition-truncate-unseen public.log_a",
        ],
    );
    drift(
        conn,
        "DROP TRIGGER \"!threadline_truncate_1\" ON log_a",
        &["partition-truncate-unseen public.log_a"],
    );
    drift(
        conn,
        "CREATE TRIGGER again AFTER DELETE ON log_a FOR EACH ROW EXECUTE FUNCTION threadline.capture_1()",
        &["trigger-duplicated public.log_a"],
    );
    run(conn, "DELETE FROM log");
    assert_eq!(changes(conn).len(), 2);
}

#[test]
fn a_detached_partition_keeps_a_trigger_and_no_row_is_missing() {
    let (_, conn) = &mut Database::with(LOG);
    run(conn, "ALTER TABLE log DETACH PARTITION log_a");
    assert_eq!(
        found(conn),
        [
            "trigger-stray public.log_a",
            "partition-left public.log",
            "table-unaudited public.log_a"
        ]
    );
}

#[test]
fn the_rows_of_a_partition_that_left_stay_in_the_past() {
    for leaves in ["DROP TABLE log_a", "ALTER TABLE log DETACH PARTITION log_a"] {
        let (_, conn) = &mut Database::with(LOG);
        run(
            conn,
            "CREATE TABLE log_b PARTITION OF log FOR VALUES FROM (10) TO (20);
             SELECT threadline.refresh('log'); INSERT INTO log VALUES (11, 'b'), (12, 'c')",
        );
        let at = value(conn, "SELECT clock_timestamp()").unwrap();
        // Deleted bypassing the triggers, and not with a partition.
        run(
            conn,
            &format!(
                "{leaves}; ALTER TABLE log DISABLE TRIGGER ALL; DELETE FROM log WHERE id = 12; ALTER TABLE log ENABLE TRIGGER ALL"
            ),
        );
        for refresh in ["", "SELECT threadline.refresh('log')"] {
            if !refresh.is_empty() {
                run(conn, refresh);
            }
            let left = findings(conn)
                .iter()
                .any(|finding| finding.code == FindingCode::PartitionLeft);
            assert_eq!(left, refresh.is_empty(), "{leaves}");
            assert_rows(
                conn,
                "SELECT code, record_key FROM threadline.chain_drift('log')",
                ["row-missing | 12"],
            );
            assert_rows(
                conn,
                &format!("SELECT record_key FROM threadline.rows_as_of('log', '{at}') ORDER BY 1"),
                ["1", "11"],
            );
            assert_rows(
                conn,
                &format!("SELECT state, image FROM threadline.record_as_of('log', '1', '{at}')"),
                [r#"there | {"id": 1, "line": "a"}"#],
            );
        }
        assert_rows(
            conn,
            "SELECT record_key FROM threadline.rows_as_of('log', clock_timestamp())",
            ["11"],
        );
        assert_rows(
            conn,
            "SELECT name, meta ->> 'partition' FROM threadline.audit_actions WHERE name = 'audit.partition_left'",
            ["audit.partition_left | public.log_a"],
        );
    }
}

/// Returns the states of records 1, 2, 3 and 99.
fn states(conn: &mut PgConnection, at: &str) -> Vec<String> {
    let states = format!(
        "SELECT (threadline.record_as_of('log', key, '{at}')).state
         FROM unnest('{{1,2,3,99}}'::text[]) WITH ORDINALITY AS k (key, n) ORDER BY n"
    );
    rows(conn, &states)
}

#[test]
fn rows_older_than_the_audit_are_unknown_once_their_partition_left() {
    for leaves in ["DROP TABLE log_a", "ALTER TABLE log DETACH PARTITION log_a"] {
        let (_, conn) = &mut Database::with(
            "CREATE TABLE log (id int PRIMARY KEY, line text) PARTITION BY RANGE (id);
             CREATE TABLE log_a PARTITION OF log FOR VALUES FROM (0) TO (10);
             CREATE TABLE log_b PARTITION OF log FOR VALUES FROM (10) TO (20);
             INSERT INTO log VALUES (1, 'a'), (2, 'b');
             SELECT threadline.audit('log');
             UPDATE log SET line = 'c' WHERE id = 1; INSERT INTO log VALUES (3, 'd'), (11, 'e')",
        );
        let at = value(conn, "SELECT clock_timestamp()").unwrap();
        assert_eq!(states(conn, &at), ["there", "there", "there", "never"]);
        run(conn, &format!("{leaves}; SELECT threadline.refresh('log')"));
        let past = format!("SELECT record_key FROM threadline.rows_as_of('log', '{at}')");
        let error = error_of(conn, &past);
        assert!(
            error.contains("partitions of public.log left since")
                && error.contains("with rows older than its audit: public.log_a"),
            "{error}"
        );
        assert_eq!(
            states(conn, &at),
            ["incomplete", "incomplete", "there", "never"],
            "{leaves}"
        );
        // Nor is a row missing of which only a change is on record.
        assert_rows(conn, "SELECT code FROM threadline.chain_drift('log')", []);
        let now = "SELECT record_key FROM threadline.rows_as_of('log', clock_timestamp())";
        assert_rows(conn, now, ["11"]);
    }
}

/// A write through a parent is recorded as one of the table that holds the row.
#[test]
fn rows_of_inheritance_children_are_recorded_as_those_of_their_own_table() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE beings (id int PRIMARY KEY, name text); SELECT threadline.audit('beings');
         CREATE TABLE animals (id int PRIMARY KEY, name text, legs int); SELECT threadline.audit('animals');
         CREATE TABLE plants (id int PRIMARY KEY, name text);
         INSERT INTO beings VALUES (1, 'a'); INSERT INTO animals VALUES (2, 'b', 4); INSERT INTO plants VALUES (3, 'c')",
    );
    let unaudited = ["table-unaudited public.plants"];
    let mut seen = recorded(conn).len();
    for (change, writes, expected) in [
        (
            "INHERIT beings",
            "UPDATE beings SET name = upper(name); UPDATE ONLY beings SET name = 'x'; UPDATE animals SET legs = 6;
             UPDATE beings SET id = id + 10; DELETE FROM beings WHERE id IN (11, 13);
             INSERT INTO beings VALUES (1, 'a'); TRUNCATE ONLY beings;
             INSERT INTO beings VALUES (4, 'd'); INSERT INTO plants VALUES (5, 'e'); TRUNCATE beings;
             INSERT INTO beings VALUES (1, 'a'); INSERT INTO animals VALUES (2, 'b', 4); INSERT INTO plants VALUES (3, 'c')",
            &[
                r#"beings | update | 1 | {"name": "A"}"#,
                r#"animals | update | 2 | {"name": "B"}"#,
                r#"beings | update | 1 | {"name": "x"}"#,
                r#"animals | update | 2 | {"legs": 6}"#,
                r#"beings | update | 11 | {"id": 11}"#,
                r#"animals | update | 12 | {"id": 12}"#,
                r#"beings | delete | 11 | {"id": 11, "name": "x"}"#,
                r#"beings | insert | 1 | {"id": 1, "name": "a"}"#,
                r#"beings | truncate | 1 | {"id": 1, "name": "a"}"#,
                r#"beings | insert | 4 | {"id": 4, "name": "d"}"#,
                r#"beings | truncate | 4 | {"id": 4, "name": "d"}"#,
                r#"animals | truncate | 12 | {"id": 12, "legs": 6, "name": "B"}"#,
                r#"beings | insert | 1 | {"id": 1, "name": "a"}"#,
                r#"animals | insert | 2 | {"id": 2, "legs": 4, "name": "b"}"#,
            ][..],
        ),
        (
            "NO INHERIT beings",
            "UPDATE beings SET name = 'y'; UPDATE animals SET name = 'z'; DELETE FROM beings; TRUNCATE animals",
            &[
                r#"beings | update | 1 | {"name": "y"}"#,
                r#"animals | update | 2 | {"name": "z"}"#,
                r#"beings | delete | 1 | {"id": 1, "name": "y"}"#,
                r#"animals | truncate | 2 | {"id": 2, "legs": 4, "name": "z"}"#,
            ],
        ),
    ] {
        run(
            conn,
            &format!("ALTER TABLE animals {change}; ALTER TABLE plants {change}"),
        );
        assert_eq!(found(conn), unaudited, "{change}");
        run(conn, writes);
        assert_eq!(recorded(conn)[seen..], *expected, "{change}");
        assert_eq!(found(conn), unaudited, "{change}, written");
        seen += expected.len();
    }
    run(
        conn,
        "CREATE TABLE cats () INHERITS (animals); ALTER TABLE cats ADD PRIMARY KEY (id); SELECT threadline.audit('cats');
         INSERT INTO cats VALUES (1, 'tom', 4); UPDATE animals SET legs = 3",
    );
    assert_eq!(
        recorded(conn)[seen..],
        [
            r#"cats | insert | 1 | {"id": 1, "legs": 4, "name": "tom"}"#,
            r#"cats | update | 1 | {"legs": 3}"#,
        ]
    );
    assert_eq!(found(conn), unaudited);
}

/// Returns table, operation and key of each change, and the row after or before it.
fn recorded(conn: &mut PgConnection) -> Vec<String> {
    rows(
        conn,
        "SELECT table_name, op, key ->> 'id', coalesce(changed_to, row_data) FROM threadline.changes ORDER BY id",
    )
}

#[test]
fn a_table_that_became_a_partition_is_found() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE old (id int PRIMARY KEY, line text); SELECT threadline.audit('old');
         CREATE TABLE whole (id int PRIMARY KEY, line text) PARTITION BY RANGE (id);",
    );
    run(
        conn,
        "ALTER TABLE whole ATTACH PARTITION old FOR VALUES FROM (0) TO (100); INSERT INTO whole VALUES (1, 'a')",
    );
    assert_eq!(
        found(conn),
        ["table-attached public.old", "table-unaudited public.whole"]
    );
    assert_eq!(changes(conn).len(), 1);

    run(conn, "SELECT threadline.audit('whole')");
    let attached = findings(conn).remove(0);
    assert_eq!(
        (attached.code.as_str(), attached.message.as_str()),
        (
            "table-attached",
            "it became a partition of public.whole, which is audited, too; its changes are recorded twice"
        )
    );
    run(conn, attached.fix.as_deref().unwrap());
    run(
        conn,
        "INSERT INTO whole VALUES (2, 'a'); INSERT INTO old VALUES (3, 'a')",
    );
    assert_eq!(changes(conn).len(), 3);
    assert_eq!(found(conn), [""; 0]);
}

/// A trigger that `unaudit` disabled causes no conflict.
#[test]
fn a_partition_that_was_detached_after_its_table_is_no_longer_audited_has_no_stray_trigger() {
    let (_, conn) = &mut Database::with(LOG);
    run(
        conn,
        "SELECT threadline.unaudit('log'); INSERT INTO log VALUES (2, 'b'); TRUNCATE log_a;
         ALTER TABLE log DETACH PARTITION log_a; INSERT INTO log_a VALUES (3, 'c'); TRUNCATE log_a",
    );
    assert_eq!(changes(conn).len(), 1);
    assert_eq!(
        found(conn),
        ["table-unaudited public.log", "table-unaudited public.log_a"]
    );
}
