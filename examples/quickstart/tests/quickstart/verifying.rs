//! `audit verify` as a health check.

use threadline_tests::{Database, assert_contains, run};

use super::{after_quickstart, program, quickstart};

fn verify(database: &Database, arguments: &[&str]) -> (Option<i32>, String, String) {
    let arguments: Vec<_> = ["verify"].iter().chain(arguments).copied().collect();
    let output = program(env!("CARGO_BIN_EXE_audit"), database, &arguments);
    (
        output.status.code(),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    )
}

#[test]
fn its_exit_status_tells_sound_from_unsound_and_from_unknown() {
    let database = Database::empty();
    let (status, _, error) = verify(&database, &[]);
    assert_eq!(status, Some(2));
    assert!(
        error.starts_with("error: the audit schema is not installed"),
        "{error}"
    );

    quickstart(&database);
    let (status, shown, _) = verify(&database, &[]);
    assert_eq!(
        (status, shown.as_str()),
        (Some(0), "0 errors, 0 warnings, 0 notices\n")
    );

    let conn = &mut database.connect();
    run(
        conn,
        "CREATE TABLE notes (id int PRIMARY KEY); CREATE TABLE other (id int PRIMARY KEY);
         ALTER TABLE payments DISABLE TRIGGER \"!threadline_capture_2\"",
    );
    let (status, shown, _) = verify(&database, &["--allow-unaudited", "other,nowhere"]);
    assert_eq!(status, Some(1));
    assert_eq!(
        shown,
        "error    trigger-disabled  public.payments: trigger \"!threadline_capture_2\" is disabled
    SELECT threadline.refresh('public.payments');
info     table-unaudited  public.notes: nothing of it is recorded
    SELECT threadline.audit('public.notes');
1 error, 0 warnings, 1 notice
"
    );
    let (status, json, _) = verify(
        &database,
        &["--table", "payments", "--since", "2026-01-01", "--json"],
    );
    assert_eq!(status, Some(1));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["findings"][0]["code"], "trigger-disabled");
    assert_eq!(json["findings"][0]["severity"], "error");
    assert_eq!(json["findings"].as_array().unwrap().len(), 1);
    assert_eq!(verify(&database, &["--table", "members"]).0, Some(0));
    let (status, _, error) = verify(&database, &["--table", "nowhere"]);
    assert_eq!(status, Some(2));
    assert_contains(&error, "nowhere");
}

#[test]
fn a_large_ledger_is_verified_in_steps_that_go_on_where_they_were_stopped() {
    let database = after_quickstart();
    run(&mut database.connect(), "SELECT threadline.post()");
    let (status, shown, error) = verify(&database, &["--steps", "1"]);
    assert_eq!(status, Some(0), "{error}");
    assert!(
        error.starts_with("public.members: step 1, 0 of 2 tables done, 0 findings; --resume '{\"table\":\"public.members\",\"after\":\"1\"}'\n"),
        "{error}"
    );
    assert!(shown.ends_with(" notices\n"), "{shown}");
    let (status, shown, _) = verify(&database, &["--steps", "1", "--for", "0"]);
    assert_eq!(status, Some(0));
    let point = "{\"table\":\"public.members\",\"after\":\"1\"}";
    assert_contains(
        &shown,
        &format!("stopped; continue with --resume '{point}'\n"),
    );
    let (status, shown, _) = verify(&database, &["--resume", point]);
    assert_eq!(status, Some(0));
    assert!(!shown.contains("stopped"), "{shown}");
    let (status, json, _) = verify(&database, &["--steps", "1", "--for", "0", "--json"]);
    assert_eq!(status, Some(0));
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["stopped"]["after"], "1");
    let (status, _, error) = verify(&database, &["--resume", "somewhere"]);
    assert_eq!(status, Some(2), "{error}");
}
