//! Secret keys, recorded as keyed hashes: records are found by their values, and the
//! audit does not contain them.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use threadline::{Audited, Models, Operation};
use threadline_tests::{Database, assert_contains, assert_rows, error_of, now, rows, run};

diesel::table! {
    sessions (id) { id -> Text, member -> BigInt, }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = sessions)]
#[audited(hash(id))]
struct Session {
    id: String,
    #[allow(dead_code)]
    member: i64,
}

diesel::table! {
    pins (tenant, pin) { tenant -> Integer, pin -> BigInt, holder -> Text, }
}

#[derive(Debug, Identifiable, Audited)]
#[diesel(table_name = pins, primary_key(tenant, pin))]
#[audited(hash(pin))]
struct Pin {
    tenant: i32,
    pin: i64,
}

/// The prefix of all secrets.
const SECRET: &str = "s3cr3t";
const PIN: i64 = 8_675_309_427;

fn models() -> Models {
    threadline::models![Session, Pin]
}

fn audited() -> (Database, PgConnection) {
    let (database, mut conn) = Database::with(
        "CREATE TABLE sessions (id text PRIMARY KEY, member bigint NOT NULL);
         CREATE TABLE pins (tenant int, pin bigint, holder text, PRIMARY KEY (tenant, pin))",
    );
    models().install(&mut conn).unwrap();
    (database, conn)
}

fn key(number: u32) -> String {
    format!("{SECRET}-{number}")
}

fn operations(conn: &mut PgConnection, number: u32) -> Vec<Operation> {
    let history = Session::history_of(conn, key(number)).unwrap();
    history
        .iter()
        .rev()
        .map(|change| change.operation.clone())
        .collect()
}

fn drift(conn: &mut PgConnection) -> Vec<String> {
    rows(
        conn,
        "SELECT d.code, d.message FROM threadline.table_drift() AS d
         UNION ALL
         SELECT d.code, d.key::text FROM threadline.audited_tables AS t, threadline.chain_drift(t.relation) AS d",
    )
}

/// Returns the former state of a session, queried by its key.
fn member_at(conn: &mut PgConnection, number: u32, at: DateTime<Utc>) -> Option<i64> {
    let json = Session::as_of_json(conn, key(number), at).unwrap().ok()?;
    json["member"].as_i64()
}

#[test]
fn a_record_is_found_by_the_key_that_the_audit_does_not_have() {
    let (database, conn) = &mut audited();
    run(
        conn,
        &format!(
            "INSERT INTO sessions VALUES ('{SECRET}-1', 1), ('{SECRET}-2', 2), ('{SECRET}-3', 3)"
        ),
    );
    run(
        conn,
        &format!("INSERT INTO pins VALUES (1, {PIN}, 'Ada'), (2, {PIN}, 'Grace')"),
    );
    let at = now(conn);
    run(
        conn,
        &format!("UPDATE sessions SET member = 10 WHERE id = '{SECRET}-1'"),
    );
    run(
        conn,
        &format!("UPDATE sessions SET id = '{SECRET}-4' WHERE id = '{SECRET}-2'"),
    );
    run(
        conn,
        &format!("DELETE FROM sessions WHERE id = '{SECRET}-3'"),
    );
    run(conn, "UPDATE pins SET holder = 'Ida' WHERE tenant = 1");
    for round in ["in the journal", "in the ledger"] {
        use Operation::{Delete, Insert, Update};
        assert_eq!(operations(conn, 1), [Insert, Update], "{round}");
        assert_eq!(operations(conn, 4), [Insert, Update], "{round}");
        assert_eq!(operations(conn, 3), [Insert, Delete], "{round}");
        assert_eq!(operations(conn, 5), [], "{round}");
        let history = Session {
            id: key(1),
            member: 0,
        }
        .history(conn)
        .unwrap();
        assert!(
            history[0].key.as_ref().unwrap()["id"]
                .as_str()
                .unwrap()
                .starts_with("hash:")
        );
        assert_eq!(Pin::history_of(conn, (1, PIN)).unwrap().len(), 2, "{round}");
        assert_eq!(
            Pin {
                tenant: 2,
                pin: PIN
            }
            .history(conn)
            .unwrap()
            .len(),
            1,
            "{round}"
        );
        assert_eq!(
            Pin::history_of(conn, (2, PIN + 1)).unwrap().len(),
            0,
            "{round}"
        );

        assert_eq!(member_at(conn, 1, at), Some(1), "{round}");
        assert_eq!(member_at(conn, 2, at), Some(2), "{round}");
        assert_eq!(member_at(conn, 4, at), None, "{round}");
        let today = now(conn);
        assert_eq!(member_at(conn, 1, today), Some(10), "{round}");
        assert_eq!(member_at(conn, 2, today), None, "{round}");
        assert_eq!(member_at(conn, 3, today), None, "{round}");
        assert_eq!(member_at(conn, 4, today), Some(2), "{round}");
        let all = |conn: &mut PgConnection, at: DateTime<Utc>| {
            rows(
                conn,
                &format!(
                    "SELECT image ->> 'member' FROM threadline.rows_as_of('sessions', '{}') ORDER BY 1",
                    at.to_rfc3339()
                ),
            )
        };
        assert_eq!(all(conn, at), ["1", "2", "3"], "{round}");
        assert_eq!(all(conn, today), ["10", "2"], "{round}");
        let found = drift(conn);
        assert_eq!(found, [""; 0], "{round}");
        if round == "in the journal" {
            run(conn, "SELECT threadline.post()");
        }
    }
    run(
        conn,
        "ALTER TABLE sessions DISABLE TRIGGER ALL; DELETE FROM sessions; ALTER TABLE pins DISABLE TRIGGER ALL; DELETE FROM pins",
    );
    let contents = database.contents();
    assert!(contents.contains("hash:"));
    assert!(!contents.contains(SECRET) && !contents.contains(&PIN.to_string()));
}

#[test]
fn a_write_that_bypasses_the_triggers_is_found_as_in_other_tables() {
    let (_, conn) = &mut audited();
    run(
        conn,
        &format!("INSERT INTO sessions VALUES ('{SECRET}-1', 1), ('{SECRET}-2', 2)"),
    );
    run(
        conn,
        &format!(
            "ALTER TABLE sessions DISABLE TRIGGER ALL; DELETE FROM sessions WHERE id = '{SECRET}-1'; SELECT threadline.refresh('sessions')"
        ),
    );
    let found = rows(
        conn,
        "SELECT code, key ->> 'id' LIKE 'hash:%', key::text LIKE '%s3cr3t%' FROM threadline.chain_drift('sessions')",
    );
    assert_eq!(found, ["row-missing | true | false"]);
}

#[test]
fn an_update_is_reverted_and_a_row_without_a_recorded_key_is_not() {
    let (_, conn) = &mut audited();
    run(
        conn,
        &format!("INSERT INTO sessions VALUES ('{SECRET}-1', 1), ('{SECRET}-2', 2)"),
    );
    let at = now(conn);
    run(
        conn,
        &format!("UPDATE sessions SET member = 10 WHERE id = '{SECRET}-1'"),
    );
    Session::revert_to(conn, key(1), at).unwrap();
    assert_rows(
        conn,
        &format!("SELECT member FROM sessions WHERE id = '{SECRET}-1'"),
        ["1"],
    );
    run(
        conn,
        &format!("DELETE FROM sessions WHERE id = '{SECRET}-2'"),
    );
    let error = Session::revert_to(conn, key(2), at)
        .unwrap_err()
        .to_string();
    assert_contains(&error, "the audit does not have the values of id");
}

/// Before and after, records are found under their recorded key.
#[test]
fn a_key_that_was_plain_before_begins_anew() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE sessions (id text PRIMARY KEY, member bigint NOT NULL);
         SELECT threadline.audit('sessions', plain => ARRAY['id']);
         INSERT INTO sessions VALUES ('old', 1)",
    );
    run(
        conn,
        &format!(
            "SELECT threadline.audit('sessions', hash => ARRAY['id']);
             UPDATE sessions SET member = 2 WHERE id = 'old'; INSERT INTO sessions VALUES ('{SECRET}-1', 1)"
        ),
    );
    let recorded = rows(
        conn,
        "SELECT left(record_key, 5) FROM threadline.audit_changes ORDER BY id",
    );
    assert_eq!(recorded, ["old", "hash:", "hash:"]);
    assert_eq!(operations(conn, 1), [Operation::Insert]);
    assert_eq!(Session::history_of(conn, "old").unwrap().len(), 1);
    let today = now(conn);
    let all = rows(
        conn,
        &format!(
            "SELECT image ->> 'member' FROM threadline.rows_as_of('sessions', '{}') ORDER BY 1",
            today.to_rfc3339()
        ),
    );
    assert_eq!(all, ["1", "2"]);
    assert_eq!(drift(conn), [""; 0]);
}

#[test]
fn a_renamed_key_of_another_length_and_one_of_partitions_go_on() {
    let (database, conn) = &mut Database::with(&format!(
            "CREATE TABLE sessions (id varchar(40) PRIMARY KEY, member bigint NOT NULL) PARTITION BY HASH (id);
             CREATE TABLE sessions_0 PARTITION OF sessions FOR VALUES WITH (MODULUS 2, REMAINDER 0);
             CREATE TABLE sessions_1 PARTITION OF sessions FOR VALUES WITH (MODULUS 2, REMAINDER 1);
             SELECT threadline.audit('sessions', hash => ARRAY['id']);
             INSERT INTO sessions SELECT '{SECRET}-' || n, n FROM generate_series(1, 9) AS n"
        ));
    run(conn, "ALTER TABLE sessions RENAME id TO token");
    run(
        conn,
        &format!("UPDATE sessions SET member = 10 WHERE token = '{SECRET}-1'"),
    );
    let twice = "SELECT count(*) FROM (SELECT record_key FROM threadline.audit_changes GROUP BY 1 HAVING count(*) = 2) AS r";
    assert_rows(conn, twice, ["1"]);
    run(conn, "SELECT threadline.refresh('sessions')");
    run(
        conn,
        &format!("UPDATE sessions SET member = 20 WHERE token = '{SECRET}-2'"),
    );
    assert_rows(conn, twice, ["2"]);
    assert_rows(
        conn,
        "SELECT count(*) FROM threadline.rows_as_of('sessions', clock_timestamp())",
        ["9"],
    );
    assert_rows(
        conn,
        "SELECT code FROM threadline.chain_drift('sessions')",
        [],
    );
    assert!(
        !database
            .contents()
            .split("COPY threadline")
            .skip(1)
            .any(|part| part.contains(SECRET))
    );
}

#[test]
fn a_key_of_which_equal_values_have_several_texts_is_refused() {
    let (_, conn) = &mut Database::with("CREATE TABLE rates (rate numeric PRIMARY KEY)");
    let error = error_of(
        conn,
        "SELECT threadline.audit('rates', hash => ARRAY['rate'])",
    );
    assert_eq!(
        error,
        "threadline: key column rate (numeric) of table public.rates cannot be recorded as a keyed hash: of its type, equal values may have several texts; that can be keys of type text, character varying, uuid, smallint, integer and bigint"
    );
}
