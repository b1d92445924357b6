//! The output of its audit program, for people and for pipes.

use serde_json::Value;
use threadline::{Action, ActorRef, record_action};
use threadline_tests::{
    Database, assert_contains, assert_contains_all, assert_rows, rows, run, scratch_dir,
};

use crate::{after_quickstart, audit};

fn answer(database: &Database, arguments: &[&str]) -> String {
    let (found, said, error) = audit(database, arguments);
    assert!(found, "{arguments:?}: {error}");
    said
}

fn json(database: &Database, arguments: &[&str]) -> Value {
    let said = answer(database, &[arguments, &["--json"]].concat());
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{error}:\n{said}"))
}

#[test]
fn a_timeline_takes_every_filter_and_goes_on_where_it_ended() {
    let database = after_quickstart();
    let by_grace = answer(&database, &["timeline", "--actor", "admin:grace"]);
    assert_contains(&by_grace, "role  member -> treasurer\n");
    assert_contains(
        &by_grace,
        "\n    member.role_changed by admin:grace: elected on 1 November\n",
    );
    assert!(!by_grace.contains("user:1"), "{by_grace}");
    // Nothing for a terminal goes into a pipe.
    assert!(!by_grace.contains('\u{1b}'), "{by_grace}");

    let appointed = json(
        &database,
        &[
            "timeline",
            "--table",
            "members",
            "--changed-to",
            "role=treasurer",
        ],
    );
    assert_eq!(appointed["entries"].as_array().unwrap().len(), 1);
    let change = &appointed["entries"][0]["change"];
    assert_eq!(change["changed_from"]["role"], "member");
    assert_eq!(change["transaction"]["actor"]["id"], "grace");
    assert_eq!(
        appointed["entries"][0]["actions"][0]["reason"],
        "elected on 1 November"
    );
    assert_eq!(appointed["has_more"], false);

    let count = answer(&database, &["timeline", "--count"]);
    let mut seen = 0;
    let mut after: Option<String> = None;
    loop {
        let mut arguments = vec!["timeline", "--limit", "2"];
        if let Some(cursor) = &after {
            arguments.extend(["--after", cursor]);
        }
        let page = json(&database, &arguments);
        seen += page["entries"].as_array().unwrap().len();
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => break,
        }
    }
    assert_eq!(count.trim(), seen.to_string());
}

#[test]
fn actions_are_read_also_where_nothing_changed() {
    let database = after_quickstart();
    let refused = Action::new("session.opened")
        .actor(ActorRef::anonymous())
        .failed()
        .reason("wrong password")
        .source("web")
        .remote_ip([203, 0, 113, 9].into());
    record_action(&mut database.connect(), refused).unwrap();

    let found = answer(&database, &["actions", "--status", "error"]);
    assert!(
        found.ends_with(
            " UTC  session.opened by anonymous (error): wrong password\n    via          web, from 203.0.113.9\n"
        ),
        "{found}"
    );
    let found = answer(&database, &["timeline", "--limit", "1"]);
    let (first, rest) = found.split_once("\n\n").unwrap();
    assert!(
        first.contains("session.opened by anonymous (error)"),
        "{found}"
    );
    assert!(rest.contains(" of payments "), "{found}");
    let found = answer(&database, &["actor", "anonymous"]);
    assert_contains(&found, "session.opened by anonymous");

    let count = answer(&database, &["actions", "--count"]);
    let page = json(&database, &["actions", "--limit", "1"]);
    assert_eq!(page["entries"][0]["source"], "web");
    assert_eq!(page["entries"][0]["transaction_id"], Value::Null);
    let next = page["next"].as_str().unwrap();
    let rest = json(&database, &["actions", "--after", next]);
    let rest = rest["entries"].as_array().unwrap().len();
    assert_eq!(count.trim(), (rest + 1).to_string());
    let without = json(&database, &["actions", "--without-changes"]);
    assert_eq!(without["entries"].as_array().unwrap().len(), 1);
}

#[test]
fn a_filter_that_cannot_be_says_why() {
    let database = after_quickstart();
    for (arguments, expected) in [
        (
            &["--table", "memberz"][..],
            "error: table memberz is not audited and never was; the audited tables are: public.members, public.payments\n",
        ),
        (
            &["--record", "1"],
            "error: filter `record` needs `table`, because the same key means another record in each\n",
        ),
        (
            &["--actor", "user:1", "--actor", "user:2"],
            "error: filter `actor` is given twice; remove one of them\n",
        ),
        (
            &["--status", "failed"],
            "error: filter `status` cannot be `failed`: a status is ok or error\n",
        ),
    ] {
        let (found, said, error) = audit(&database, &[&["timeline"], arguments].concat());
        assert!(!found);
        assert_eq!(said, "");
        assert_eq!(error, expected);
    }
}

#[test]
fn an_empty_answer_says_which_it_is() {
    let database = after_quickstart();
    run(
        &mut database.connect(),
        "CREATE TABLE plain (id int PRIMARY KEY);
         CREATE TABLE seats (tenant text, number int, PRIMARY KEY (tenant, number));
         SELECT threadline.audit('seats');
         INSERT INTO seats VALUES ('acme', 7)",
    );
    let near = "error: there is no table memberz, and none of this name was ever audited; did you mean members?\n";
    let never = "error: table plain is not audited; generate the migrations with your program's `generate` command and run them; if it writes none, `verify` prints the statement for one\n";
    for command in ["history", "blame", "as-of"] {
        let ask = |table: &str, keys: &[&str]| {
            let mut arguments = vec![command, table];
            arguments.extend(keys);
            if command == "as-of" {
                arguments.extend(["--at", "2026-01-01"]);
            }
            let (found, said, error) = audit(&database, &arguments);
            assert!(!found && said.is_empty(), "{arguments:?}: {said}");
            error
        };
        assert_eq!(ask("memberz", &["1"]), near);
        assert_eq!(ask("plain", &["1"]), never);
        assert_eq!(
            ask("seats", &["acme"]),
            "error: the key of table seats is tenant, number; give a value for each, in this order (given: 1)\n"
        );
        assert!(ask("two words", &["1"]).contains("a table is named as in SQL"));
    }
    // A key in one argument, as the filter takes it.
    let found = answer(&database, &["history", "seats", "[\"acme\", 7]"]);
    assert_contains(&found, "insert of seats number=7 tenant=acme");

    let (_, _, error) = audit(&database, &["timeline", "--to", "2020-01-01"]);
    let (outside, rest) = error.split_once('\n').unwrap();
    assert!(
        outside.starts_with("Without --from and --to something matches; the newest is of 2"),
        "{error}"
    );
    assert_eq!(rest, "Nothing on record matches.\n");
    let (_, _, error) = audit(
        &database,
        &["actions", "--name", "no.such", "--to", "2020-01-01"],
    );
    assert_eq!(error, "Nothing on record matches.\n");
    let (_, _, error) = audit(&database, &["actions", "--to", "2020-01-01"]);
    assert!(error.starts_with("Without --from"), "{error}");

    let nobody = answer(&database, &["timeline", "--actor", "nobody"]);
    assert_contains(&nobody, "insert of seats number=7 tenant=acme by nobody");
    assert!(!nobody.contains("admin:grace"), "{nobody}");
    assert_eq!(answer(&database, &["actor", "nobody"]), nobody);
}

#[test]
fn a_record_and_a_table_as_they_were() {
    let database = after_quickstart();
    let history = json(&database, &["history", "members", "1"]);
    // Newest first: the deletion, the appointment, the recovery, the new name.
    let appointed = &history["entries"][1];
    assert_eq!(appointed["change"]["changed_to"]["role"], "treasurer");
    assert_eq!(appointed["actions"][0]["reason"], "elected on 1 November");
    let appointed = appointed["change"]["captured_at"].as_str().unwrap();
    let page = json(&database, &["history", "members", "1", "--limit", "2"]);
    assert_eq!(page["entries"][1], history["entries"][1]);
    let next = page["next"].as_str().unwrap();
    let rest = json(&database, &["history", "members", "1", "--after", next]);
    assert_eq!(rest["entries"][0], history["entries"][2]);
    let then = answer(&database, &["as-of", "members", "1", "--at", appointed]);
    assert_contains(&then, "name       Ada Lovelace\n");
    assert_contains(&then, "role       treasurer\n");
    assert!(!then.contains("argon2"), "{then}");

    let lines = answer(
        &database,
        &["as-of", "members", "--at", appointed, "--json"],
    );
    let rows: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0]["role"], "treasurer");
    assert_eq!(rows[0]["email"], "***");

    let (_, said, error) = audit(
        &database,
        &["as-of", "members", "--at", appointed, "--limit", "0"],
    );
    assert_eq!(said, "");
    assert_eq!(error, "There are more than 0 rows.\n");

    // Her payments were deleted in the same transaction, which counts as of its end.
    let last = json(&database, &["timeline", "--limit", "1"]);
    let deleted = last["entries"][0]["change"]["captured_at"]
        .as_str()
        .unwrap();
    let (found, _, error) = audit(&database, &["as-of", "members", "1", "--at", deleted]);
    assert!(!found);
    assert!(
        error.starts_with("error: the record had been deleted by then, at "),
        "{error}"
    );
    assert!(error.ends_with(" by user:1\n"), "{error}");
}

#[test]
fn blame_names_who_gave_each_column_its_value() {
    let database = after_quickstart();
    let blame = answer(&database, &["blame", "members", "1"]);
    let role = blame
        .lines()
        .position(|line| line.starts_with("role"))
        .unwrap();
    let lines: Vec<_> = blame.lines().skip(role).take(2).collect();
    assert!(lines[0].ends_with("UTC  admin:grace  treasurer"), "{blame}");
    assert_eq!(
        lines[1],
        "    member.role_changed by admin:grace: elected on 1 November"
    );
    let columns: Vec<_> = json(&database, &["blame", "members", "1"])
        .as_array()
        .unwrap()
        .iter()
        .map(|blame| blame["column"].as_str().unwrap().to_owned())
        .collect();
    assert!(columns.contains(&"email".to_owned()), "{columns:?}");
}

#[test]
fn an_export_goes_to_a_file_or_a_pipe() {
    let database = after_quickstart();
    let file = scratch_dir().join("members.ndjson");
    let path = file.display().to_string();
    let (done, said, error) = audit(
        &database,
        &[
            "export",
            "--table",
            "members",
            "--output",
            &path,
            "--actions",
        ],
    );
    assert!(done, "{error}");
    assert_eq!(said, "");
    let written = std::fs::read_to_string(&file).unwrap();
    let changes = written.lines().count() - 1;
    assert_eq!(error, format!("{changes} changes in {path}\n"));
    assert_contains(&written, "\"name\":\"member.role_changed\"");

    let (done, csv, error) = audit(&database, &["export", "--limit", "1"]);
    assert!(done);
    assert!(csv.starts_with("change_id,captured_at,operation,"), "{csv}");
    assert_eq!(
        error,
        "warning: stopped at the limit of 1 changes; there are more\n"
    );
}

#[test]
fn a_value_masked_since_is_shown_for_a_reason_that_is_recorded() {
    let database = after_quickstart();
    run(
        &mut database.connect(),
        "SELECT threadline.audit('members', mask => ARRAY['email', 'name'], exclude => ARRAY['password_hash'])",
    );
    for form in [
        &["history", "members", "1"][..],
        &["history", "members", "1", "--json"],
        &["blame", "members", "1"],
    ] {
        assert!(!answer(&database, form).contains("Ada Byron"), "{form:?}");
    }
    let history = answer(
        &database,
        &["history", "members", "1", "--unmasked", "ticket 4711"],
    );
    assert_contains(&history, "Ada Byron -> Ada Lovelace");
    let csv = answer(&database, &["export", "--unmasked", "for the auditor"]);
    assert_contains(&csv, "Ada Byron");
    let before_it_went = rows(
        &mut database.connect(),
        "SELECT to_char((occurred_at - interval '1 microsecond') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')
         FROM threadline.changes WHERE table_name = 'members' AND op = 'delete' AND key ->> 'id' = '1'",
    );
    for key in [&["1"][..], &[]] {
        let as_of = [&["as-of", "members"], key, &["--at", &before_it_went[0]]].concat();
        let said = answer(&database, &as_of);
        assert!(!said.contains("Ada Lovelace"), "{said}");
        let said = answer(
            &database,
            &[&as_of[..], &["--unmasked", "what was"]].concat(),
        );
        assert_contains(&said, "Ada Lovelace");
    }
    assert_rows(
        &mut database.connect(),
        "SELECT reason FROM threadline.audit_actions WHERE name = 'audit.unmasked' ORDER BY id",
        ["ticket 4711", "for the auditor", "what was", "what was"],
    );
}

#[test]
fn a_summary_counts_by_day_table_operation_and_actor() {
    let database = after_quickstart();
    let count = answer(&database, &["timeline", "--count"]);
    let all = json(&database, &["summary"]);
    assert_eq!(all["changes"].to_string(), count.trim());
    assert_eq!(all["tables"][0]["schema"], "public");
    let printed = answer(
        &database,
        &["summary", "--table", "members", "--key", "id=1"],
    );
    assert_contains_all(
        &printed,
        &[
            " changes\n\nby day\n",
            "\nby table\n",
            "  members\n",
            "\nby operation\n",
            "  update\n",
            "\nby actor\n",
            "  admin:grace\n",
        ],
    );
    let inserted = answer(
        &database,
        &[
            "timeline",
            "--count",
            "--value",
            "role=member",
            "--operation",
            "insert",
        ],
    );
    assert_ne!(inserted.trim(), "0");
}

#[test]
fn a_history_takes_the_rows_that_referred_to_the_record() {
    let database = after_quickstart();
    let alone = answer(&database, &["history", "members", "1"]);
    assert!(!alone.contains("payments"), "{alone}");
    for with in ["payments", "payments.member_id"] {
        let said = answer(&database, &["history", "members", "1", "--with", with]);
        assert_contains(&said, " of payments ");
        assert_contains(
            &said,
            "\n    refers by payments.member_id\n    in transaction ",
        );
        let all = json(&database, &["history", "members", "1", "--with", with]);
        let entries = all["entries"].as_array().unwrap();
        let of = |table: &str| {
            entries
                .iter()
                .filter(|entry| entry["change"]["table"] == table)
                .collect::<Vec<_>>()
        };
        assert_eq!(of("members")[0]["references"], Value::Array(vec![]));
        assert_eq!(
            of("payments")[0]["references"][0]["through"],
            "payments.member_id"
        );
        assert_eq!(of("payments")[0]["references"][0]["moved"], Value::Null);
    }
    // Pages give the same as a single query.
    let all = json(
        &database,
        &["history", "members", "1", "--with", "payments"],
    );
    let (_, said, error) = audit(
        &database,
        &[
            "history", "members", "1", "--with", "payments", "--limit", "1", "--json",
        ],
    );
    assert!(error.is_empty(), "{error}");
    let first: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(first["entries"][0], all["entries"][0]);
    let after = first["next"].as_str().unwrap();
    let rest = json(
        &database,
        &[
            "history", "members", "1", "--with", "payments", "--after", after,
        ],
    );
    assert_eq!(
        rest["entries"].as_array().unwrap()[..],
        all["entries"].as_array().unwrap()[1..]
    );
    let (done, _, error) = audit(
        &database,
        &["history", "members", "1", "--with", "members.email"],
    );
    assert!(!done);
    assert_contains(&error, "members.email are not recorded (masked)");
}

#[test]
fn a_count_and_an_export_say_what_they_leave_out() {
    let database = after_quickstart();
    let conn = &mut database.connect();
    let (_, _, said) = audit(&database, &["timeline", "--count"]);
    assert_eq!(said, "");
    record_action(
        conn,
        Action::new("session.opened")
            .failed()
            .actor(ActorRef::user("9").unwrap()),
    )
    .unwrap();
    let notice = "1 actions without changes match, too; `actions --without-changes` has them.\n";
    let (_, count, said) = audit(&database, &["timeline", "--count"]);
    assert_ne!(count, "");
    assert_eq!(said, notice);
    let (_, _, said) = audit(&database, &["export"]);
    assert_eq!(said, notice);
    let (_, _, said) = audit(&database, &["export", "--table", "members"]);
    assert_eq!(said, "");
    assert_eq!(
        json(&database, &["timeline", "--count"])["other_actions"],
        1
    );
    assert_eq!(
        answer(&database, &["actions", "--without-changes", "--count"]).trim(),
        "1"
    );
}
