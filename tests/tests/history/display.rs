//! A change in its printed form.

use diesel::prelude::*;
use threadline::{ActorRef, AuditChange, AuditContext, AuditExt, Audited};
use threadline_tests::{rolled_back_with, run};

diesel::table! {
    notes (book, page) { book -> Text, page -> Int4, body -> Nullable<Text>, }
}

#[derive(Audited)]
#[diesel(table_name = notes, primary_key(book, page))]
struct Note;

#[test]
fn a_change_reads_as_a_person_would_say_it() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE notes (book text, page int, body text, price numeric, PRIMARY KEY (book, page)); SELECT threadline.audit('notes')",
    );
    let context = AuditContext::builder(ActorRef::admin("grace").unwrap())
        .request_id("r-1\u{1b}[2J")
        .correlation_id("c-1")
        .job_id("j-1")
        .source("api")
        .remote_ip("2001:db8::1".parse().unwrap())
        .build()
        .unwrap();
    run(
        conn,
        r"INSERT INTO notes VALUES ('a', 1, E'line\nline \x1b[31m', 1.50)",
    );
    conn.audited_transaction(&context, |conn| {
        diesel::sql_query("UPDATE notes SET body = NULL, price = 2.5").execute(conn)
    })
    .unwrap();
    run(
        conn,
        "BEGIN; SELECT set_config('threadline.context', extract(epoch FROM now()) || ' garbage', true); UPDATE notes SET body = ''",
    );
    let printed: Vec<_> = Note::history_of(conn, ("a", 1))
        .unwrap()
        .iter()
        .map(without_time)
        .collect();
    insta::assert_snapshot!(printed.join("\n"));
}

fn without_time(change: &AuditChange) -> String {
    let text = change.to_string();
    let time = change
        .captured_at
        .format("%Y-%m-%d %H:%M:%S UTC")
        .to_string();
    assert!(text.starts_with(&time));
    text.replacen(&time, "2026-01-02 03:04:05 UTC", 1)
}
