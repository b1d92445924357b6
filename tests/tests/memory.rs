//! Reading a table as of an instant needs memory independent of the number of rows. Alone
//! in its process, because the whole process is measured.

use diesel::prelude::*;
use threadline::Audited;
use threadline_tests::{Database, run, value};

diesel::table! {
    events (id) { id -> Int4, body -> Text, }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = events)]
struct Event {
    id: i32,
    body: String,
}

const ROWS: i32 = 200_000;

/// Returns the memory of this process, in bytes.
fn resident() -> u64 {
    let process = std::process::id().to_string();
    let ps = std::process::Command::new("ps")
        .args(["-o", "rss=", "-p", &process])
        .output();
    match std::fs::read_to_string("/proc/self/status") {
        Ok(status) => kibibytes(status.split_once("VmRSS:").expect("Linux").1),
        Err(_) => kibibytes(&String::from_utf8_lossy(&ps.expect("ps").stdout)),
    }
}

fn kibibytes(text: &str) -> u64 {
    let number = text.split_whitespace().next().expect("a number");
    number.parse::<u64>().expect("a number") * 1024
}

#[test]
fn memory_does_not_grow_with_the_table() {
    let (_, conn) = &mut Database::with(&format!(
        "CREATE TABLE events (id int PRIMARY KEY, body text NOT NULL);
         INSERT INTO events SELECT i, repeat('x', 500) FROM generate_series(1, {ROWS}) AS i;
         SELECT threadline.audit('events');"
    ));
    run(
        conn,
        "UPDATE events SET body = 'changed' WHERE id % 100 = 0",
    );
    let at = value(
        conn,
        "SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    );
    let at = at.unwrap().parse().unwrap();
    run(conn, "UPDATE events SET body = 'again' WHERE id % 100 = 1");

    let (mut rows, mut ids, mut begun, mut most) = (0, 0_i64, 0, 0);
    for past in Event::all_as_of(conn, at).unwrap() {
        let event = past.unwrap().record.unwrap();
        let expected = if event.id % 100 == 0 { 7 } else { 500 };
        assert_eq!(event.body.len(), expected);
        rows += 1;
        ids += i64::from(event.id);
        match rows {
            1_000 => begun = resident(),
            _ if rows % 5_000 == 0 => most = most.max(resident()),
            _ => {}
        }
    }
    assert_eq!(rows, ROWS);
    assert_eq!(ids, i64::from(ROWS) * (i64::from(ROWS) + 1) / 2);
    // All rows at once are more than 100 MB.
    assert!(
        most < begun + 20_000_000,
        "{begun} bytes after 1,000 rows, {most} later"
    );
}
