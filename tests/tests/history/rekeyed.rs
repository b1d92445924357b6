//! The histories of records whose table got another primary key: none has a change of another
//! record, and each key is that of its time.

use diesel::prelude::*;
use serde_json::json;
use threadline::{AuditChange, Audited, Filter, History, timeline};
use threadline_tests::{Database, run, value};

diesel::table! {
    sw (no) { no -> Int8, name -> Text, }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = sw, primary_key(no))]
struct Switched {
    no: i64,
    name: String,
}

/// The records of the table, by what they are, and the values of their columns a and b.
const RECORDS: [(&str, i32, i32); 5] = [
    ("Ada", 1, 2),
    ("Grace", 2, 1),
    ("Joan", 3, 3),
    ("gone", 4, 5),
    ("older", 5, 4),
];

/// Runs a statement and returns the last change.
#[track_caller]
fn change(conn: &mut PgConnection, sql: &str) -> i64 {
    run(conn, sql);
    let last = value(
        conn,
        "SELECT id FROM threadline.audit_changes ORDER BY id DESC LIMIT 1",
    );
    last.unwrap().parse().unwrap()
}

fn key(columns: &[&str], (_, a, b): (&str, i32, i32)) -> Vec<String> {
    columns
        .iter()
        .map(|column| if *column == "a" { a } else { b }.to_string())
        .collect()
}

fn document(columns: &[&str], (_, a, b): (&str, i32, i32)) -> serde_json::Value {
    columns
        .iter()
        .map(|column| {
            let value = if *column == "a" { a } else { b };
            ((*column).to_owned(), json!(value))
        })
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[test]
fn no_history_mixes_records_when_the_primary_key_changes() {
    let a: &[&str] = &["a"];
    let b: &[&str] = &["b"];
    let both: &[&str] = &["a", "b"];
    let exchanged: &[&str] = &["b", "a"];
    for (from, to) in [
        (a, b),
        (a, both),
        (both, a),
        (both, b),
        (both, exchanged),
        (b, exchanged),
    ] {
        for apart in ["", "; COMMIT; BEGIN; "] {
            let rekey = format!(
                "BEGIN; ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY ({}){apart};
                 SELECT threadline.refresh('t'); COMMIT",
                to.join(", ")
            );
            let (_database, conn) = &mut Database::with(&format!(
                "CREATE TABLE t (a int, b int, who text NOT NULL, n int NOT NULL DEFAULT 0, PRIMARY KEY ({}));
                 INSERT INTO t VALUES (5, 4, 'older'); SELECT threadline.audit('t')",
                from.join(", ")
            ));
            let mut before = vec![];
            let mut after = vec![];
            for record @ (who, a, b) in RECORDS {
                if who != "older" {
                    let insert = format!("INSERT INTO t VALUES ({a}, {b}, '{who}')");
                    before.push((record, change(conn, &insert)));
                }
            }
            for record @ (who, ..) in RECORDS {
                let update = format!("UPDATE t SET n = n + 1 WHERE who = '{who}'");
                before.push((record, change(conn, &update)));
            }
            before.push((RECORDS[3], change(conn, "DELETE FROM t WHERE who = 'gone'")));
            run(conn, &rekey);
            // The present key of Ada is in some cases the former one of Grace.
            for posted in [false, true] {
                for record in [RECORDS[0], RECORDS[2], RECORDS[4]] {
                    let update = format!("UPDATE t SET n = n + 1 WHERE who = '{}'", record.0);
                    after.push((record, change(conn, &update)));
                }
                if posted {
                    run(conn, "SELECT threadline.post()");
                }
                for record in RECORDS {
                    let history: Vec<AuditChange> = History::by_name("t".into(), key(to, record))
                        .load(conn)
                        .unwrap();
                    let ids: Vec<_> = history.iter().map(|change| change.id).collect();
                    // What is surely its own: from its insertion on.
                    let known = match record.0 {
                        "gone" => vec![],
                        "older" => after.clone(),
                        _ => [before.clone(), after.clone()].concat(),
                    };
                    let mut expected: Vec<_> = known
                        .iter()
                        .filter(|(of, _)| of.0 == record.0)
                        .map(|(_, id)| *id)
                        .collect();
                    expected.reverse();
                    assert_eq!(ids, expected, "{from:?} {to:?}{apart}: {record:?}");
                    for change in history {
                        let columns = if before.iter().any(|(_, id)| *id == change.id) {
                            from
                        } else {
                            to
                        };
                        assert_eq!(change.key, Some(document(columns, record)));
                    }
                }
            }
            // Each change is found by the columns of the key with which it was recorded.
            for record in RECORDS {
                for (columns, changes) in [(from, &before), (to, &after)] {
                    let mut filter = Filter::new().table("t");
                    for (column, value) in columns.iter().zip(key(columns, record)) {
                        filter = filter.key(*column, value);
                    }
                    let page = timeline(filter).limit(100).page(conn).unwrap();
                    let mut found: Vec<_> =
                        page.entries.iter().map(|entry| entry.change.id).collect();
                    let other = if columns == from { to } else { from };
                    let prefix = columns.iter().all(|column| other.contains(column));
                    if prefix {
                        // Both keys have these columns.
                        let ids: Vec<_> = changes.iter().map(|(_, id)| *id).collect();
                        found.retain(|id| ids.contains(id));
                    }
                    found.sort_unstable();
                    let mut expected: Vec<_> = changes
                        .iter()
                        .filter(|(of, _)| of.0 == record.0)
                        .map(|(_, id)| *id)
                        .collect();
                    expected.sort_unstable();
                    assert_eq!(found, expected, "{from:?} {to:?}: {columns:?} {record:?}");
                }
            }
            let undone = value(
                conn,
                &format!(
                    "SELECT string_agg(DISTINCT reason, ', ') FROM threadline.revert_transaction(
                         (SELECT transaction_id FROM threadline.audit_changes WHERE id = {}))",
                    before[0].1
                ),
            );
            assert_eq!(
                undone.as_deref(),
                Some("the primary key of the table was another then")
            );
        }
    }
}

/// It is read as the model's type, and each version is one of its own.
#[test]
fn versions_and_blame_go_on_across_a_change_of_the_primary_key() {
    let (_database, conn) = &mut Database::with(
        "CREATE TABLE sw (id bigint PRIMARY KEY, no bigint NOT NULL, name text NOT NULL); SELECT threadline.audit('sw');
         INSERT INTO sw VALUES (1, 2, 'Ada'), (2, 1, 'Grace')",
    );
    for statement in [
        "UPDATE sw SET name = 'Ada L' WHERE id = 1",
        "UPDATE sw SET id = 7 WHERE id = 1",
        "BEGIN; ALTER TABLE sw DROP CONSTRAINT sw_pkey, ADD PRIMARY KEY (no); SELECT threadline.refresh('sw'); COMMIT",
        "UPDATE sw SET name = 'Grace H' WHERE id = 2",
        "UPDATE sw SET no = 9 WHERE no = 2",
    ] {
        run(conn, statement);
    }
    let mut names = |no: i64| -> Vec<String> {
        let versions = Switched::versions_of(conn, no).unwrap();
        let names = versions.into_iter().map(|version| {
            let record = version.record.unwrap();
            format!("{} {}", record.no, record.name)
        });
        names.collect()
    };
    assert_eq!(names(9), ["9 Ada L", "2 Ada L", "2 Ada L", "2 Ada"]);
    assert_eq!(names(1), ["1 Grace H", "1 Grace"]);
    assert!(names(7).is_empty());
    let blame = Switched::blame_of(conn, 9).unwrap();
    let values: Vec<_> = blame
        .iter()
        .map(|blame| format!("{} {}", blame.column, blame.value))
        .collect();
    assert_eq!(values, ["id 7", "name \"Ada L\"", "no 9"]);
}

/// A key that two rows had for a while, or of a row that was written without a record of it.
#[test]
fn changes_of_before_belong_to_a_record_only_if_they_are_surely_its_own() {
    let to_no = "ALTER TABLE sw ADD PRIMARY KEY (no); SELECT threadline.refresh('sw')";
    for (between, no) in [
        // Two rows have the former key.
        (
            "ALTER TABLE sw DROP CONSTRAINT sw_pkey; INSERT INTO sw VALUES (1, 3, 'other')",
            2,
        ),
        (
            "ALTER TABLE sw DROP CONSTRAINT sw_pkey; INSERT INTO sw VALUES (1, 3, 'other')",
            3,
        ),
        (
            "ALTER TABLE sw DROP CONSTRAINT sw_pkey; UPDATE sw SET id = 1 WHERE no = 1",
            1,
        ),
        (
            "ALTER TABLE sw DROP CONSTRAINT sw_pkey; SELECT threadline.suspend('test'); UPDATE sw SET name = 'else'",
            2,
        ),
        (
            "ALTER TABLE sw DROP CONSTRAINT sw_pkey; ALTER TABLE sw DROP id",
            2,
        ),
    ] {
        let (_database, conn) = &mut Database::with(
            "CREATE TABLE sw (id bigint PRIMARY KEY, no bigint NOT NULL, name text NOT NULL); SELECT threadline.audit('sw');
             INSERT INTO sw VALUES (1, 2, 'Ada'), (2, 1, 'Grace')",
        );
        run(conn, &format!("BEGIN; {between}; COMMIT"));
        run(conn, to_no);
        run(conn, &format!("UPDATE sw SET name = 'now' WHERE no = {no}"));
        let history = Switched::history_of(conn, no).unwrap();
        assert_eq!(history.len(), 1, "{between}: {history:?}");
        assert_eq!(history[0].key, Some(json!({"no": no})), "{between}");
    }
}
