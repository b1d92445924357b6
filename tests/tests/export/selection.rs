//! The selection of an export: the changes of the timeline, all of them, from one
//! snapshot; an incomplete export says so.

use std::io::{self, Write};
use std::sync::Mutex;

use diesel::prelude::*;
use serde_json::Value;
use threadline::{
    Action, ActorRef, AuditContext, AuditExt, Export, ExportFormat, Exported, Filter, Operation,
    RecordKey, record_action, timeline,
};
use threadline_tests::{Database, assert_value, pages, run};

use super::readers::{jq, jq_with, python};

const FORMATS: [ExportFormat; 3] = [ExportFormat::Csv, ExportFormat::Json, ExportFormat::Ndjson];

/// Creates a database with `changes` inserts in one transaction.
fn filled(changes: u32) -> Database {
    let database = Database::new();
    run(
        &mut database.connect(),
        &format!(
            "CREATE TABLE notes (id int PRIMARY KEY, body text); SELECT threadline.audit('notes');
             INSERT INTO notes SELECT i, 'text' FROM generate_series(1, {changes}) AS i"
        ),
    );
    database
}

fn write(
    conn: &mut PgConnection,
    export: Export<impl FnMut(u64) + Send>,
    format: ExportFormat,
) -> (Exported, Vec<u8>) {
    let mut out = vec![];
    let exported = export.write(conn, format, &mut out).unwrap();
    (exported, out)
}

/// Returns the number of changes that another program finds.
fn counted(format: ExportFormat, out: &[u8]) -> usize {
    match format {
        ExportFormat::Csv => python(out).len(),
        ExportFormat::Json => jq(".changes | length", out)[0].parse().unwrap(),
        _ => jq_with(&["-c"], "select(.end | not) | .id", out).len(),
    }
}

#[test]
fn a_limit_that_leaves_something_out_says_so_and_one_that_does_not_does_not() {
    let (_, conn) = &mut filled(3).connected();
    for format in FORMATS {
        for (limit, changes, truncated) in [
            (0, 0, true),
            (2, 2, true),
            (3, 3, false),
            (4, 3, false),
            (usize::MAX, 3, false),
        ] {
            let export = Export::new(Filter::new()).limit(limit);
            let (exported, out) = write(conn, export, format);
            assert_eq!(
                (exported.changes, exported.truncated),
                (changes, truncated),
                "{limit}"
            );
            assert_eq!(counted(format, &out) as u64, changes);
            let said = match format {
                ExportFormat::Csv => continue,
                ExportFormat::Json => jq("[.count, .truncated] | tojson", &out),
                _ => jq_with(
                    &["-rs"],
                    ".[-1] | [.count, .truncated, .end] | tojson",
                    &out,
                ),
            };
            assert!(
                said[0].starts_with(&format!("[{changes},{truncated}")),
                "{format:?} {limit}: {said:?}"
            );
        }
    }
    // The connection can be used again, even if rows were left unread.
    assert_value(conn, "SELECT 1", "1");
}

#[test]
fn the_limit_keeps_the_newest() {
    let (_, conn) = &mut filled(5).connected();
    let (_, out) = write(
        conn,
        Export::new(Filter::new()).limit(2),
        ExportFormat::Json,
    );
    assert_eq!(jq(".changes[].key.id", &out), ["5", "4"]);
}

#[test]
fn nothing_found_is_a_whole_export_of_nothing() {
    let (_, conn) = &mut filled(0).connected();
    for format in FORMATS {
        let (exported, out) = write(conn, Export::new(Filter::new()), format);
        assert_eq!((exported.changes, exported.truncated), (0, false));
        assert_eq!(counted(format, &out), 0);
    }
}

#[test]
fn more_than_ten_thousand_come_out_whole() {
    let (_, conn) = &mut filled(12_345).connected();
    for format in FORMATS {
        let (exported, out) = write(conn, Export::new(Filter::new()), format);
        assert_eq!((exported.changes, exported.truncated), (12_345, false));
        assert_eq!(counted(format, &out), 12_345);
    }
}

#[test]
fn progress_is_reported_every_thousand_and_at_the_end() {
    let (_, conn) = &mut filled(2_500).connected();
    let told = Mutex::new(vec![]);
    let export = Export::new(Filter::new()).progress(|changes| told.lock().unwrap().push(changes));
    write(conn, export, ExportFormat::Ndjson);
    assert_eq!(told.into_inner().unwrap(), [1_000, 2_000, 2_500]);
}

#[test]
fn progress_of_an_empty_export_is_reported_once() {
    let (_, conn) = &mut filled(0).connected();
    let mut told = vec![];
    let export = Export::new(Filter::new()).progress(|changes| told.push(changes));
    write(conn, export, ExportFormat::Csv);
    assert_eq!(told, [0]);
}

/// Writes to several tables, by several actors and with actions; moves keys and
/// truncates.
fn varied(conn: &mut PgConnection) {
    run(
        conn,
        "CREATE TABLE notes (id int PRIMARY KEY, body text); CREATE TABLE tags (name text, note int, PRIMARY KEY (name, note));
         SELECT threadline.audit('notes'), threadline.audit('tags');",
    );
    for n in 0..40 {
        let context = AuditContext::builder(ActorRef::user(n % 3).unwrap())
            .correlation_id(format!("c-{}", n % 7))
            .request_id(format!("r-{n}"))
            .source(["web", "import"][n % 2])
            .metadata("n", n % 4)
            .build()
            .unwrap();
        conn.audited_transaction::<_, threadline::Error, _>(&context, |conn| {
            run(
                conn,
                &format!(
                    "INSERT INTO notes VALUES ({n}, 'text'); INSERT INTO tags VALUES ('a', {n}), ('b', {n});
                     UPDATE notes SET body = 'text {n}' WHERE id % 5 = 0;
                     UPDATE notes SET id = -id WHERE id = {n} AND id % 6 = 5;
                     DELETE FROM tags WHERE note = {n} - 3;"
                ),
            );
            if n % 4 == 0 {
                record_action(conn, Action::new("note.written").status(
                    if n % 8 == 0 { threadline::ActionStatus::Error } else { threadline::ActionStatus::Ok },
                ))?;
                record_action(conn, "tag.given")?;
            }
            Ok(())
        })
        .unwrap();
    }
    run(conn, "TRUNCATE tags");
}

#[test]
fn an_export_gives_what_the_pages_of_the_timeline_give_in_their_order() {
    let (_, conn) = &mut Database::new().connected();
    varied(conn);
    let from = timeline(Filter::new())
        .limit(200)
        .page(conn)
        .unwrap()
        .entries[100]
        .change
        .captured_at;
    let filters = [
        Filter::new(),
        Filter::new().table("notes"),
        Filter::new().table("tags").operation(Operation::Truncate),
        Filter::new().table("notes").record(-35),
        Filter::new()
            .table("tags")
            .record(RecordKey::of(["b", "12"])),
        Filter::new().actor(&ActorRef::user(2).unwrap()),
        Filter::new().correlation_id("c-3").changed("body"),
        Filter::new().request_id("r-8").operation(Operation::Insert),
        Filter::new()
            .action("note.written")
            .status(threadline::ActionStatus::Error),
        Filter::new().source("web").metadata("n", 2).table("notes"),
        Filter::new().changed_to("body", "text 10"),
        Filter::new().from(from).table("tags"),
        Filter::new().to(from),
        Filter::new().action("no.such"),
    ];
    for filter in filters {
        let pages = pages(conn, &filter, 13);
        let count = timeline(filter.clone()).count(conn).unwrap();
        let expected: Vec<Value> = pages
            .iter()
            .flat_map(|page| &page.entries)
            .map(|entry| {
                let mut change = serde_json::to_value(&entry.change).unwrap();
                change["actions"] = serde_json::to_value(&entry.actions).unwrap();
                change
            })
            .collect();
        assert_eq!(expected.len() as u64, count);
        let export = || Export::new(filter.clone()).with_actions();
        let (exported, out) = write(conn, export(), ExportFormat::Json);
        assert_eq!(exported.changes, count, "{filter:?}");
        let document: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            document["changes"],
            Value::Array(expected.clone()),
            "{filter:?}"
        );
        let (_, out) = write(conn, export(), ExportFormat::Ndjson);
        let lines: Vec<Value> = String::from_utf8(out)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines[..lines.len() - 1], expected);
        let (_, out) = write(conn, export(), ExportFormat::Csv);
        let ids: Vec<_> = python(&out)
            .iter()
            .map(|row| row["change_id"].clone())
            .collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|change| change["id"].to_string())
            .collect();
        assert_eq!(ids, expected);
    }
}

/// Lets another connection commit changes after the first byte is written.
struct Meanwhile<'d> {
    database: &'d Database,
    out: Vec<u8>,
    writes: u32,
}

impl Write for Meanwhile<'_> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.writes += 1;
        if self.writes < 20 {
            let conn = &mut self.database.connect();
            run(
                conn,
                &format!(
                    "INSERT INTO notes VALUES (-{0}, 'meanwhile'); UPDATE notes SET body = 'meanwhile' WHERE id = {0}",
                    self.writes
                ),
            );
        }
        self.out.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn changes_committed_during_an_export_are_not_in_it() {
    for format in FORMATS {
        let (database, conn) = &mut filled(3_000).connected();
        let mut out = Meanwhile {
            database,
            out: vec![],
            writes: 0,
        };
        let exported = Export::new(Filter::new())
            .write(conn, format, &mut out)
            .unwrap();
        assert!(out.writes > 1);
        assert_eq!(exported.changes, 3_000, "{format:?}");
        assert_eq!(counted(format, &out.out), 3_000);
        let all = timeline(Filter::new()).count(conn).unwrap();
        assert_eq!(all, 3_000 + 2 * u64::from(out.writes.min(19)));
    }
}

#[test]
fn changes_committed_between_two_calls_of_the_progress_callback_are_not_in_it() {
    let (database, conn) = &mut filled(2_000).connected();
    let mut other = database.connect();
    let export = Export::new(Filter::new()).limit(2_000).progress(|changes| {
        run(
            &mut other,
            &format!("INSERT INTO notes VALUES (-{changes} - (SELECT count(*) FROM notes))"),
        )
    });
    let (exported, out) = write(conn, export, ExportFormat::Ndjson);
    assert_eq!((exported.changes, exported.truncated), (2_000, false));
    assert_eq!(counted(ExportFormat::Ndjson, &out), 2_000);
    assert_eq!(timeline(Filter::new()).count(conn).unwrap(), 2_003);
}
