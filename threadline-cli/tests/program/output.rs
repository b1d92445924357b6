//! Where the output goes, and that it depends on nothing but what is on record.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use diesel::PgConnection;
use threadline_tests::{assert_contains, run, value};

use super::{Place, run_in};

/// Two tables with changes by an actor, an action, a deleted record and an erasure.
fn place() -> Place {
    let place = Place::new();
    let conn = &mut place.database.connect();
    place.file(
        "[tables.members]\nmask = [\"email\"]\npersonal = [\"name\"]\nkeep = \"18 months\"\n\
         [tables.payments]\nsubject = { member_id = \"members\" }\n",
    );
    run(
        conn,
        "CREATE TABLE members (id int PRIMARY KEY, name text, email text, seen timestamptz, ratio float8, pause interval, raw bytea);
         CREATE TABLE payments (id int PRIMARY KEY, member_id int REFERENCES members, amount numeric, due date)",
    );
    place.done(&["install"]);
    place.done(&["audit", "--yes"]);
    fill(conn);
    place
}

fn fill(conn: &mut PgConnection) {
    run(
        conn,
        r#"BEGIN;
           SELECT threadline.set_context('{"actor": {"type": "user", "id": "Åsa \\ 1"}, "metadata": {"a\\b": "ü"}}');
           INSERT INTO members VALUES (1, E'a \\ ''q''', 'a@b', '2026-02-03 04:05:06.7+05:30', 0.1, '1 mon 2 days 03:04', '\x00ff5c'), (2, 'x', 'y', NULL, NULL, NULL, NULL);
           INSERT INTO payments VALUES (7, 1, 10.50, '2026-02-03');
           SELECT threadline.record_action('member.invited', 'user', '1', reason => E'\\d');
           COMMIT"#,
    );
    run(
        conn,
        "UPDATE members SET name = 'b', ratio = ratio * 3, seen = seen + '1 day' WHERE id = 1",
    );
    run(
        conn,
        "DELETE FROM payments; DELETE FROM members WHERE id = 2",
    );
}

/// Sessions get settings from roles, databases and environments.
#[test]
fn answers_do_not_depend_on_the_settings_of_the_session() {
    let (place, conn) = &mut place().connected();
    let at = value(
        conn,
        "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
    )
    .unwrap();
    let first = value(conn, "SELECT min(id) FROM threadline.audit_transactions").unwrap();
    let commands: [&[&str]; 15] = [
        &["timeline", "--json"],
        &["timeline", "--value", "name=b"],
        &["history", "members", "1", "--with", "payments"],
        &[
            "history",
            "members",
            "1",
            "--with",
            "payments(member_id)",
            "--json",
        ],
        &["as-of", "members", "--at", &at, "--json"],
        &["as-of", "members", "1", "--at", &at],
        &["blame", "members", "1"],
        &["summary"],
        &["actions", "--json"],
        &["actor", "user:Åsa \\ 1"],
        &["transaction", &first, "--json"],
        &["export"],
        &["subject", "members:1", "--format", "csv"],
        &["purge", "--dry-run"],
        &["verify", "--json"],
    ];
    let settings = [
        "-c datestyle=German -c intervalstyle=iso_8601 -c timezone=Asia/Kathmandu -c bytea_output=escape -c extra_float_digits=-15 \
         -c standard_conforming_strings=off -c plpgsql.extra_errors=all -c quote_all_identifiers=on -c transform_null_equals=on",
        "-c datestyle=SQL,DMY -c intervalstyle=sql_standard -c timezone=posix/America/New_York -c xmloption=document -c array_nulls=off \
         -c row_security=off -c default_transaction_isolation=serializable -c default_transaction_read_only=on -c plan_cache_mode=force_generic_plan",
    ];
    let answer = |settings: &str, arguments: &[&str]| {
        let output = place
            .command(arguments)
            .env("PGOPTIONS", settings)
            .output()
            .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        // Two lines have the time of the run: the end of a subject's export, and the start of the
        // period that is kept.
        text.lines()
            .filter(|line| !line.starts_with("end,"))
            .map(|line| line.split(", since ").next().unwrap_or_default())
            .collect::<Vec<_>>()
            .join("\n")
    };
    for arguments in commands {
        let expected = answer("", arguments);
        assert!(!expected.contains("error:"), "{arguments:?}: {expected}");
        for settings in settings {
            assert_eq!(
                answer(settings, arguments),
                expected,
                "{arguments:?} {settings}"
            );
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_stored_is_an_error() {
    let place = place();
    for arguments in [
        &["timeline"][..],
        &["timeline", "--json"],
        &["history", "members", "1"],
        &["as-of", "members", "--at", "2999-01-01"],
        &["summary"],
        &["export"],
        &["purge", "--dry-run"],
        &["refresh"],
        &["verify"],
        &["status"],
        &["work", "--once"],
    ] {
        let output = place
            .command(arguments)
            .stdout(File::options().write(true).open("/dev/full").unwrap())
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        if !arguments.contains(&"as-of") {
            assert!(
                error.contains("could not be written: "),
                "{arguments:?}: {error}"
            );
        }
        assert!(!error.contains("panicked"), "{arguments:?}: {error}");
    }
}

/// As `head` and `less` do. Nothing waits for the end of the output.
#[test]
fn a_reader_that_reads_no_further_is_no_error() {
    let (place, conn) = &mut place().connected();
    run(
        conn,
        "INSERT INTO members SELECT n, repeat('x', 100) FROM generate_series(100, 9000) AS n",
    );
    for arguments in [
        &["timeline", "--limit", "9000"][..],
        &["timeline", "--limit", "9000", "--json"],
        &["export"],
        &["export", "--format", "json"],
        &["refresh", "members", "members", "members"],
        &["purge", "--dry-run"],
    ] {
        let mut program = place.spawned(arguments, Stdio::piped);
        let mut line = String::new();
        BufReader::with_capacity(1, program.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let output = program.wait_with_output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {error}");
        assert!(!error.contains("error"), "{arguments:?}: {error}");
    }
}

#[test]
fn a_page_of_nothing_is_refused_because_it_looks_as_if_nothing_matched() {
    let place = place();
    for arguments in [
        &["timeline", "--limit", "0"][..],
        &["history", "members", "1", "--limit", "0"],
        &["actions", "--limit", "0"],
    ] {
        let program = run_in(&place.dir, Some(&place.database.url()), arguments);
        assert_eq!(program.code, 2);
        assert_contains(&program.error, "a page has at least one entry");
    }
}

/// psql prints instants in the time zone of its session.
#[test]
fn an_instant_is_taken_as_psql_prints_it() {
    let (place, conn) = &mut place().connected();
    for zone in ["UTC", "Asia/Kathmandu", "America/New_York"] {
        run(conn, &format!("SET timezone = '{zone}'"));
        for at in ["max(captured_at)", "date_trunc('second', max(captured_at))"] {
            let sql = format!(
                "SELECT concat({at}) FROM threadline.changes WHERE table_name = 'members' AND op = 'update'"
            );
            let at = value(conn, &sql).unwrap();
            let row = place.done(&["timeline", "--table", "members", "--to", &at, "--count"]);
            assert_eq!(row, if at.contains('.') { "3\n" } else { "0\n" }, "{at}");
        }
    }
}

/// The text of a reason, a key or a name is another's.
#[test]
fn texts_of_others_do_not_reach_the_terminal_raw() {
    let (place, conn) = &mut place().connected();
    run(
        conn,
        "INSERT INTO members VALUES (3, 'x', NULL); SELECT threadline.post()",
    );
    place.done(&[
        "erase",
        "--subject",
        "members:3",
        "--reason",
        "\u{9b}2J\u{202e}\u{1b}[31m",
        "--yes",
    ]);
    let listed = place.done(&["erasures"]);
    assert_contains(&listed, "members:3");
    for raw in ['\u{9b}', '\u{202e}', '\u{1b}'] {
        assert!(!listed.contains(raw), "{listed:?}");
    }
}

#[test]
fn a_text_that_is_no_url_is_not_repeated_because_it_may_contain_a_password() {
    let place = Place::new();
    let program = run_in(&place.dir, Some("user:hunter2@host/name"), &["timeline"]);
    assert_eq!(program.code, 1);
    assert!(!program.error.contains("hunter2"), "{}", program.error);
    assert_contains(&program.error, "postgres://user@host/name");
    let program = run_in(
        &place.dir,
        Some("postgres://127.0.0.1:1/none"),
        &["timeline"],
    );
    assert!(!program.error.contains("\n;"), "{}", program.error);
}

#[test]
fn a_file_of_another_format_is_refused_unless_the_format_is_given() {
    let place = place();
    let file = |name: &str| place.dir.join(name).display().to_string();
    let refused = place.refused(&["export", "--output", &file("changes.xlsx")]);
    assert_contains(&refused, "no format has the extension .xlsx");
    place.done(&[
        "export",
        "--output",
        &file("changes.xlsx"),
        "--format",
        "csv",
    ]);
    for name in ["changes.CSV", "changes.jsonl", "changes"] {
        place.done(&["export", "--output", &file(name)]);
    }
}

#[test]
fn instants_may_be_relative_to_now() {
    let place = place();
    let count = |from: &str| place.done(&["timeline", "--count", "--from", from]);
    let all = place.done(&["timeline", "--count"]);
    for from in ["2h", "yesterday", "1 day ago"] {
        assert_eq!(count(from), all, "{from}");
    }
    let refused = place.refused(&["as-of", "members", "1", "--at", "1 hour ago"]);
    assert_contains(&refused, "audit");
    let refused = place.refused(&["timeline", "--from", "someday"]);
    assert_contains(&refused, "yesterday");
}

#[test]
fn a_filter_on_an_unknown_column_is_refused() {
    let place = place();
    let refused = place.refused(&["timeline", "--table", "members", "--changed", "nmae"]);
    assert_contains(&refused, "did you mean name?");
}
