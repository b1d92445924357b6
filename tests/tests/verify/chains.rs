use diesel::prelude::*;
use serde_json::{Value, json};
use threadline::{Finding, Models, Severity};
use threadline_tests::{Database, assert_contains, run, value};

use super::{findings, fix, found, found_but_gaps};

const MEMBERS: &str = "
    CREATE TABLE members (id int PRIMARY KEY, name text, age int, email text, hash text);
    SELECT threadline.audit('members', mask => ARRAY['email'], exclude => ARRAY['hash']);
    INSERT INTO members SELECT k, 'name ' || k, 30, 'mail-' || k, 'hash-' || k FROM generate_series(1, 5) AS k;
    UPDATE members SET age = 31;
";

/// Writes that bypass the triggers.
fn unseen(conn: &mut PgConnection, sql: &str) {
    run(
        conn,
        &format!(
            "ALTER TABLE members DISABLE TRIGGER ALL; {sql};
             ALTER TABLE members ENABLE TRIGGER ALL; SELECT threadline.refresh('members')"
        ),
    );
}

/// Returns code, key, expected and found state of each example.
fn examples(findings: &[Finding]) -> Vec<Value> {
    findings
        .iter()
        .flat_map(|finding| {
            finding.examples.iter().map(|record| {
                json!([
                    finding.code,
                    record.key.as_ref().unwrap()["id"],
                    record.expected,
                    record.found
                ])
            })
        })
        .collect()
}

#[test]
fn a_write_that_bypasses_the_triggers_is_found_with_the_expected_state() {
    let (_, conn) = &mut Database::with(MEMBERS);
    assert_eq!(found(conn), [""; 0]);
    unseen(
        conn,
        "UPDATE members SET age = 99, email = 'stolen', hash = 'stolen' WHERE id = 1;
         DELETE FROM members WHERE id = 2;
         UPDATE members SET email = NULL WHERE id = 3;
         UPDATE members SET age = 50 WHERE id = 4",
    );
    run(
        conn,
        "UPDATE members SET age = 51 WHERE id = 4; DELETE FROM members WHERE id = 5",
    );
    unseen(
        conn,
        "INSERT INTO members VALUES (5, 'back', 1, 'mail-5', 'hash-5')",
    );
    let findings = findings(conn);
    assert_eq!(
        examples(&findings),
        [
            json!(["chain-broken", 4, {"age": 31}, {"age": 50}]),
            json!(["row-altered", 1, {"age": 31}, {"age": 99}]),
            json!(["row-altered", 3, {"email": "***"}, {"email": null}]),
            json!(["row-missing", 2, {"id": 2, "name": "name 2", "age": 31, "email": "***"}, null]),
            json!(["row-unrecorded", 5, null, {"id": 5, "name": "back", "age": 1, "email": "***"}]),
        ]
    );
    let printed = serde_json::to_string(&findings).unwrap();
    for secret in ["mail-", "hash-", "stolen"] {
        assert!(!printed.contains(secret), "{secret} in {printed}");
    }
    assert!(
        findings
            .iter()
            .all(|finding| finding.severity().to_string() == "error")
    );

    fix(conn, &findings);
    assert_eq!(found_but_gaps(conn), [""; 0]);
    run(
        conn,
        "UPDATE members SET age = age + 1; DELETE FROM members",
    );
    assert_eq!(found_but_gaps(conn), [""; 0]);
}

#[test]
fn a_deletion_or_an_insertion_between_recorded_changes_is_found() {
    let (_, conn) = &mut Database::with(MEMBERS);
    unseen(conn, "DELETE FROM members WHERE id = 1");
    run(
        conn,
        "INSERT INTO members (id) VALUES (1); DELETE FROM members WHERE id = 2",
    );
    unseen(conn, "INSERT INTO members (id, age) VALUES (2, 7)");
    run(
        conn,
        "UPDATE members SET age = 8 WHERE id = 2; UPDATE members SET id = 30 WHERE id = 3",
    );
    unseen(conn, "UPDATE members SET name = 'other' WHERE id = 30");
    run(conn, "DELETE FROM members WHERE id = 30");
    assert_eq!(
        examples(&findings(conn)),
        [
            json!(["chain-broken", 1, {"id": 1, "name": "name 1", "age": 31, "email": "***"}, null]),
            json!(["chain-broken", 2, null, {"age": 7}]),
            json!(["chain-broken", 30, {"name": "name 3"}, {"name": "other"}]),
        ]
    );
}

#[test]
fn all_broken_records_are_counted_and_some_are_listed() {
    let (_, conn) = &mut Database::with(MEMBERS);
    run(
        conn,
        "INSERT INTO members SELECT k FROM generate_series(10, 109) AS k",
    );
    unseen(conn, "UPDATE members SET age = -1");
    let models = Models::new(vec![]);
    let verification = models.verify().examples(3).run(conn).unwrap();
    assert_eq!(verification.findings.len(), 1);
    let finding = &verification.findings[0];
    assert_eq!((finding.records, finding.examples.len()), (105, 3));
    assert_eq!(
        finding.message,
        "105 rows are not what their last recorded changes left"
    );
    assert!(!verification.is_sound());
    let other = models
        .verify()
        .table("members")
        .examples(0)
        .run(conn)
        .unwrap();
    assert_eq!(other.findings[0].records, 105);
}

#[test]
fn findings_before_a_given_instant_can_be_left_out() {
    let (_, conn) = &mut Database::with(MEMBERS);
    unseen(conn, "UPDATE members SET age = 50 WHERE id = 1");
    run(conn, "UPDATE members SET age = 51 WHERE id = 1");
    let models = Models::new(vec![]);
    let now = value(
        conn,
        "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')",
    );
    let now = now.unwrap().parse().unwrap();
    run(
        conn,
        "UPDATE members SET age = 52, id = id + 1 WHERE id = 5; UPDATE members SET age = 53 WHERE id = 1",
    );
    assert_eq!(found(conn), ["chain-broken public.members"]);
    assert_eq!(models.verify().since(now).run(conn).unwrap().findings, []);
    unseen(conn, "UPDATE members SET age = 54 WHERE id = 1");
    let findings = models.verify().since(now).run(conn).unwrap().findings;
    assert_eq!(
        examples(&findings),
        [json!(["row-altered", 1, {"age": 53}, {"age": 54}])]
    );
}

/// Changes in between are unknown, and earlier ones cannot be compared.
#[test]
fn a_time_without_audit_is_no_bypass_of_the_triggers() {
    let (_, conn) = &mut Database::with(MEMBERS);
    run(
        conn,
        "SELECT threadline.unaudit('members'); UPDATE members SET age = 1; DELETE FROM members WHERE id = 2;
         SELECT threadline.audit('members', mask => ARRAY['email'], exclude => ARRAY['hash']);
         UPDATE members SET age = 2; INSERT INTO members (id) VALUES (2)",
    );
    assert_eq!(found(conn), ["audit-interrupted public.members"]);
    let finding = &findings(conn)[0];
    assert_eq!(finding.severity(), Severity::Info);
    let year = chrono::Utc::now().format("its audit ended %Y-").to_string();
    assert!(finding.message.starts_with(&year), "{}", finding.message);
    assert!(
        finding
            .message
            .contains(" UTC; writes in between are not recorded; see `audit timeline"),
        "{}",
        finding.message
    );
    run(
        conn,
        "SELECT threadline.unaudit('members'); SELECT threadline.audit('members')",
    );
    let message = &findings(conn)[0].message;
    assert_contains(message, ", the last time of 2;");
    let models = Models::new(vec![]);
    let since = models.verify().since(chrono::Utc::now()).run(conn).unwrap();
    assert_eq!(since.findings, []);
}

#[test]
fn a_column_that_is_masked_or_plain_since_is_compared_from_then_on() {
    let (_, conn) = &mut Database::with(MEMBERS);
    for policy in [
        "mask => ARRAY['email', 'name'], exclude => ARRAY['hash']",
        "mask => ARRAY['name'], exclude => ARRAY['hash']",
        "exclude => ARRAY['name']",
        "mask => ARRAY['hash']",
        "mask => ARRAY['email']",
    ] {
        run(
            conn,
            &format!("SELECT threadline.audit('members', {policy})"),
        );
        assert_eq!(found(conn), [""; 0], "{policy}");
        run(
            conn,
            "UPDATE members SET email = email || '.', name = name || '.' WHERE id < 4;
             UPDATE members SET hash = NULL, age = age + 1 WHERE id = 4; UPDATE members SET hash = 'x' WHERE id = 4",
        );
        assert_eq!(found(conn), [""; 0], "{policy}, written");
    }
    unseen(conn, "UPDATE members SET hash = 'y' WHERE id = 4");
    assert_eq!(
        examples(&findings(conn)),
        [json!(["row-altered", 4, {"hash": "x"}, {"hash": "y"}])]
    );
}

#[test]
fn a_masked_column_is_compared_under_its_present_name() {
    let (_, conn) = &mut Database::with(MEMBERS);
    run(
        conn,
        "SELECT threadline.audit('members', mask => ARRAY['email'], exclude => ARRAY['hash'])",
    );
    for renames in [
        "ALTER TABLE members RENAME email TO address",
        "ALTER TABLE members RENAME name TO spare; ALTER TABLE members RENAME address TO name;
         ALTER TABLE members RENAME spare TO address",
    ] {
        run(
            conn,
            &format!("{renames}; SELECT threadline.refresh('members')"),
        );
        assert_eq!(found(conn), [""; 0], "{renames}");
        run(
            conn,
            "UPDATE members SET age = age + 1 WHERE id = 1; DELETE FROM members WHERE id = 2",
        );
        assert_eq!(found(conn), [""; 0], "{renames}, written");
    }
}

#[test]
fn a_truncate_that_could_not_see_all_rows_ends_what_is_known() {
    let (database, conn) = &mut Database::with(MEMBERS);
    // Seen only by its own snapshot; removed with the rest.
    run(
        conn,
        "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT FROM members",
    );
    run(
        &mut database.connect(),
        "INSERT INTO members (id) VALUES (9)",
    );
    run(
        conn,
        "TRUNCATE members; COMMIT; INSERT INTO members (id) VALUES (1)",
    );
    assert_eq!(found(conn), ["truncate-unseen public.members"]);
    unseen(conn, "UPDATE members SET age = 5");
    assert_eq!(
        examples(&findings(conn)),
        [json!(["row-altered", 1, {"age": null}, {"age": 5}])]
    );
}

#[test]
fn a_key_that_two_rows_may_have_for_a_while_tells_no_row_from_another() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE seats (id int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, who text); SELECT threadline.audit('seats');
         INSERT INTO seats VALUES (1, 'a');
         BEGIN; INSERT INTO seats VALUES (1, 'b'); DELETE FROM seats WHERE who = 'a'; COMMIT",
    );
    assert_eq!(found(conn), ["chain-unchecked public.seats"]);
}

#[test]
fn a_role_that_cannot_see_the_rows_gets_a_finding() {
    let (database, conn) = &mut Database::with(MEMBERS);
    let role = database.reader("auditor");
    role.enter(conn);
    let unchecked = |conn: &mut PgConnection| -> String {
        let findings = findings(conn);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert_eq!(findings[0].code.as_str(), "chain-unchecked");
        findings[0].message.clone()
    };
    assert_eq!(
        unchecked(conn),
        format!("its history was not compared with its rows: {role} has no right to read it")
    );
    run(
        conn,
        &format!(
            "RESET SESSION AUTHORIZATION; GRANT SELECT ON members TO {role};
             ALTER TABLE members ENABLE ROW LEVEL SECURITY; SET SESSION AUTHORIZATION {role}"
        ),
    );
    assert_eq!(
        unchecked(conn),
        format!("its history was not compared with its rows: row security hides rows from {role}")
    );
    run(conn, "RESET SESSION AUTHORIZATION");
    assert_eq!(found(conn), [""; 0]);
}
