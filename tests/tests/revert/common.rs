//! Shared code of the tests of reverts.

use diesel::prelude::*;
use threadline::{Audited, Error, ErrorKind, revert_transaction};
use threadline_tests::{run, value};

diesel::table! {
    notes (id) { id -> Int4, body -> Nullable<Text>, }
}

#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = notes)]
pub struct Note {
    id: i32,
    #[allow(dead_code)]
    body: Option<String>,
}

/// Runs statements as one transaction and returns its id.
#[track_caller]
pub fn transaction(conn: &mut PgConnection, sql: &str) -> i64 {
    run(conn, &format!("BEGIN; {sql}; COMMIT"));
    last(conn)
}

/// Returns the id of the last recorded transaction.
pub fn last(conn: &mut PgConnection) -> i64 {
    value(
        conn,
        "SELECT max(transaction_id) FROM threadline.audit_changes",
    )
    .unwrap()
    .parse()
    .unwrap()
}

/// Returns all rows of tables, sorted.
#[track_caller]
pub fn state(conn: &mut PgConnection, tables: &[&str]) -> String {
    tables
        .iter()
        .map(|table| {
            let rows = value(
                conn,
                &format!("SELECT coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), 'empty') FROM {table} AS t"),
            );
            format!("{table}\n{}\n", rows.unwrap())
        })
        .collect()
}

/// Reverts transactions, each on its own.
#[track_caller]
pub fn revert_each(conn: &mut PgConnection, mistakes: impl IntoIterator<Item = i64>) {
    for mistake in mistakes {
        revert_transaction(conn, mistake).unwrap();
    }
}

/// Runs statements as one transaction and reverts it: the state is that before.
#[track_caller]
pub fn reverted(conn: &mut PgConnection, tables: &[&str], sql: &str) {
    let before = state(conn, tables);
    let mistake = transaction(conn, sql);
    revert_transaction(conn, mistake).unwrap();
    assert_eq!(state(conn, tables), before, "{sql}");
}

/// Runs statements as one transaction, reverts it, and reverts the revert: the state is
/// exactly that before, and that after.
#[track_caller]
pub fn there_and_back(conn: &mut PgConnection, tables: &[&str], sql: &str) {
    let before = state(conn, tables);
    let mistake = transaction(conn, sql);
    let after = state(conn, tables);
    assert_ne!(before, after, "nothing happened: {sql}");
    let changes = revert_transaction(conn, mistake).unwrap();
    assert_eq!(
        value(
            conn,
            &format!(
                "SELECT count(*) FROM threadline.audit_changes WHERE transaction_id = {mistake}"
            )
        ),
        Some(changes.to_string())
    );
    assert_eq!(state(conn, tables), before, "reverted: {sql}");
    let revert = last(conn);
    assert!(revert > mistake, "the revert is on record");
    revert_transaction(conn, revert).unwrap();
    assert_eq!(state(conn, tables), after, "the revert reverted: {sql}");
    let again = last(conn);
    revert_transaction(conn, again).unwrap();
    assert_eq!(state(conn, tables), before, "and reverted again: {sql}");
}

/// Returns why a transaction cannot be reverted; the attempt changes nothing.
#[track_caller]
pub fn refusal(conn: &mut PgConnection, tables: &[&str], mistake: i64) -> String {
    let before = state(conn, tables);
    let changes = "SELECT count(*) FROM threadline.audit_changes";
    let recorded = value(conn, changes);
    let error = revert_transaction(conn, mistake).unwrap_err();
    assert_eq!(state(conn, tables), before, "nothing is changed");
    assert_eq!(value(conn, changes), recorded, "nor recorded");
    reasons(error)
}

#[track_caller]
pub fn reasons(error: Error) -> String {
    assert!(
        matches!(error.kind(), ErrorKind::RevertConflicts(_)),
        "{error:?}"
    );
    error.to_string()
}
