//! A change in its printed form.

use threadline::{ActorRef, AuditChange, AuditContext, Audited, Filter, timeline};
use threadline_tests::{rolled_back_with, run, run_under};

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
    run_under(conn, &context, "UPDATE notes SET body = NULL, price = 2.5");
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

#[test]
fn no_value_turns_text_round_or_controls_a_terminal() {
    let conn = &mut rolled_back_with(
        "CREATE TABLE notes (book text, page int, body text, \"c\u{202e}d\" jsonb, PRIMARY KEY (book, page)); SELECT threadline.audit('notes')",
    );
    for bad in [
        '\u{7f}', '\u{9b}', '\u{61c}', '\u{200f}', '\u{2028}', '\u{202e}', '\u{2066}',
    ] {
        run(
            conn,
            &format!(
                "DELETE FROM notes;
                 INSERT INTO notes VALUES ('a', 1, '{bad}', jsonb_build_array('{bad}'));
                 UPDATE notes SET body = 'x {bad}', page = 2;
                 UPDATE notes SET body = 'two
lines {bad}', page = 1"
            ),
        );
        for change in Note::history_of(conn, ("a", 1)).unwrap() {
            let text = change.to_string();
            assert!(!text.contains(bad), "{text:?}");
        }
    }
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

#[test]
fn a_table_is_printed_as_it_is_written_in_sql() {
    let conn = &mut rolled_back_with(
        "CREATE SCHEMA billing; CREATE SCHEMA \"Old\";
         CREATE TABLE customers (id int PRIMARY KEY); CREATE TABLE billing.customers (id int PRIMARY KEY);
         CREATE TABLE \"Old\".\"Order\" (id int PRIMARY KEY);
         SELECT threadline.audit('customers'), threadline.audit('billing.customers'), threadline.audit('\"Old\".\"Order\"');
         INSERT INTO customers VALUES (1); INSERT INTO billing.customers VALUES (1); INSERT INTO \"Old\".\"Order\" VALUES (1)",
    );
    let page = timeline(Filter::new()).page(conn).unwrap();
    let printed: Vec<_> = page
        .entries
        .iter()
        .map(|e| without_time(&e.change))
        .collect();
    insta::assert_snapshot!(printed.join("\n"));
    // What is printed names the table in a filter.
    for (name, change) in ["\"Old\".\"Order\"", "billing.customers", "customers"]
        .into_iter()
        .zip(&page.entries)
    {
        assert!(
            change
                .change
                .to_string()
                .contains(&format!("insert of {name} 1 by nobody"))
        );
        let found = timeline(Filter::new().table(name)).page(conn).unwrap();
        assert_eq!(found.entries[0].change, change.change);
    }
}
