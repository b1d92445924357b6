//! The commands of the guide "Keeping it for years".

use threadline_tests::{assert_contains, run, value};

use super::{after_quickstart, audit, done};

#[test]
fn changes_beyond_their_retention_are_purged_unless_they_are_held() {
    let database = after_quickstart();
    assert_eq!(
        done(&database, &["purge", "--dry-run"]),
        "Everything is kept: no policy sets a retention period.\n"
    );
    assert_eq!(
        done(&database, &["purge"]),
        "0 changes and actions were removed.\n"
    );

    let conn = &mut database.connect();
    run(
        conn,
        r#"SELECT threadline.set_terms('members', '{"keep": "7 years"}')"#,
    );
    run(conn, "SELECT threadline.post()");
    run(
        conn,
        "UPDATE threadline.ledger_changes SET captured_at = captured_at - interval '9 years';
         UPDATE threadline.ledger_transactions
         SET occurred_at = occurred_at - interval '9 years', opened_at = opened_at - interval '9 years'",
    );
    let all = value(
        conn,
        "SELECT count(*) FROM threadline.changes WHERE table_name = 'members'",
    )
    .unwrap();
    let hold = done(
        &database,
        &[
            "hold",
            "--table",
            "members",
            "--record",
            "1",
            "--reason",
            "lawsuit 2026-17",
        ],
    );
    assert_eq!(
        hold,
        "Hold 1 is in force. `release 1 --reason …` ends it.\n"
    );
    let shown = done(&database, &["purge", "--dry-run"]);
    assert!(
        shown.starts_with("public.members: kept for 7 years, since "),
        "{shown}"
    );
    let of_record_1 = value(
        conn,
        "SELECT count(*) FROM threadline.audit_changes WHERE record_key = '1' AND table_id IN (
             SELECT id FROM threadline.audited_tables WHERE table_name = 'members')",
    )
    .unwrap();
    assert_contains(&shown, &format!("    {of_record_1} are older and stay\n"));
    let line = done(&database, &["purge", "--dry-run", "--json"]);
    assert_contains(&line, r#""table":"public.members","keep":"7 years""#);

    let left = all.parse::<u64>().unwrap() - of_record_1.parse::<u64>().unwrap();
    assert_eq!(
        done(&database, &["purge"]),
        format!("{left} changes and actions were removed.\n")
    );
    assert_eq!(
        done(&database, &["release", "1", "--reason", "settled"]),
        "Hold 1 has ended.\n"
    );
    assert_eq!(
        done(&database, &["purge"]),
        format!("{of_record_1} changes and actions were removed.\n")
    );
    let (success, _, error) = audit(&database, &["release", "1", "--reason", "settled"]);
    assert!(!success);
    assert_contains(&error, "no hold 1 is in force");
    let (success, _, error) = audit(&database, &["hold", "--reason", "x"]);
    assert!(!success);
    assert_contains(
        &error,
        "a hold needs a table, a record of it, an actor or a correlation id",
    );
}
