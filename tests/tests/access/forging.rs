//! The settings in which capture remembers its AuditTransaction, set by hand.

use diesel::prelude::*;
use threadline::{ActorRef, AuditContext, AuditExt};
use threadline_tests::{assert_rows, assert_value, rows, run, value};

use super::{ITEMS, Protected};

const SETTINGS: [&str; 3] = [
    "threadline.context",
    "threadline.transaction",
    "threadline.transaction_context",
];

fn as_user(conn: &mut PgConnection, user: &str, sql: &str) -> Vec<String> {
    let context = AuditContext::new(ActorRef::user(user).unwrap());
    conn.audited_transaction(&context, |conn| {
        run(conn, sql);
        QueryResult::Ok(settings(conn))
    })
    .unwrap()
}

fn settings(conn: &mut PgConnection) -> Vec<String> {
    SETTINGS
        .iter()
        .map(|name| value(conn, &format!("current_setting('{name}', true)")).unwrap_or_default())
        .collect()
}

/// Returns a statement that sets them all, for the transaction.
fn set(values: &[String]) -> String {
    let calls: Vec<_> = SETTINGS
        .iter()
        .zip(values)
        .map(|(name, value)| {
            format!(
                "set_config('{name}', '{}', true)",
                value.replace('\'', "''")
            )
        })
        .collect();
    format!("SELECT {}", calls.join(", "))
}

/// Returns the keys that were recorded for each AuditTransaction.
fn by_transaction(protected: &mut Protected) -> Vec<String> {
    rows(
        &mut protected.admin,
        "SELECT actor_id, actor_origin, string_agg(key ->> 'id', ',' ORDER BY id) AS keys
         FROM threadline.changes GROUP BY transaction_id, actor_id, actor_origin ORDER BY transaction_id",
    )
}

#[test]
fn the_settings_of_an_earlier_transaction_of_the_session_attach_nothing_to_it() {
    let (app, protected) = &mut Protected::with(ITEMS);
    let victim = as_user(app, "victim", "INSERT INTO items VALUES (1)");
    run(
        app,
        &format!(
            "BEGIN; {}; INSERT INTO items VALUES (2); COMMIT",
            set(&victim)
        ),
    );
    // For one row, for many, and for a TRUNCATE.
    run(
        app,
        &format!(
            "BEGIN; {}; INSERT INTO items SELECT generate_series(3, 300); COMMIT",
            set(&victim)
        ),
    );
    run(
        app,
        &format!("BEGIN; {}; TRUNCATE items; COMMIT", set(&victim)),
    );
    assert_value(
        &mut protected.admin,
        "SELECT count(*) FROM threadline.audit_changes WHERE transaction_id = 1",
        "1",
    );
}

#[test]
fn the_settings_of_another_open_session_attach_nothing_to_it() {
    let (app, protected) = &mut Protected::with(ITEMS);
    let forger = &mut protected.session("app");
    run(app, "BEGIN");
    run(
        app,
        r#"SELECT threadline.set_context('{"actor": {"type": "user", "id": "victim"}}');
           INSERT INTO items VALUES (1)"#,
    );
    let open = settings(app);
    run(
        forger,
        &format!(
            "BEGIN; {}; INSERT INTO items VALUES (2); COMMIT",
            set(&open)
        ),
    );
    // As settings of the whole session, too.
    run(
        forger,
        &format!(
            "{}; INSERT INTO items VALUES (3)",
            set(&open).replace("true)", "false)")
        ),
    );
    run(app, "INSERT INTO items VALUES (4); COMMIT");
    assert_eq!(
        by_transaction(protected),
        [
            "victim | sql | 1,4",
            "NULL | untrusted | 2",
            "NULL | untrusted | 3"
        ]
    );
}

#[test]
fn the_settings_of_a_rolled_back_savepoint_attach_nothing_to_what_it_took_back() {
    let (app, protected) = &mut Protected::with(ITEMS);
    run(app, "BEGIN; SAVEPOINT s");
    run(
        app,
        r#"SELECT threadline.set_context('{"actor": {"type": "user", "id": "taken back"}}');
           INSERT INTO items VALUES (1)"#,
    );
    let gone = settings(app);
    run(app, "ROLLBACK TO s");
    run(
        app,
        &format!("{}; INSERT INTO items VALUES (2); COMMIT", set(&gone)),
    );
    assert_rows(
        &mut protected.admin,
        "SELECT c.record_key, x.id IS NOT NULL FROM threadline.audit_changes AS c LEFT JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id",
        ["2 | true"],
    );
    // And a whole transaction that rolled back, from the next one.
    run(app, "BEGIN; INSERT INTO items VALUES (3)");
    let gone = settings(app);
    run(app, "ROLLBACK");
    run(
        app,
        &format!(
            "BEGIN; {}; INSERT INTO items VALUES (4); COMMIT",
            set(&gone)
        ),
    );
    assert_value(
        &mut protected.admin,
        "SELECT count(*) FROM threadline.audit_changes AS c JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id",
        "2",
    );
}

#[test]
fn a_session_that_a_pool_gives_to_the_next_attaches_nothing_to_the_one_before() {
    let mut protected = Protected::new();
    protected.application();
    let role = protected.role("app");
    let pool = protected.database.pool(1);
    let victim = {
        let conn = &mut *pool.get().unwrap();
        run(conn, &format!("SET SESSION AUTHORIZATION {role}"));
        as_user(conn, "victim", "INSERT INTO items VALUES (1)")
    };
    let conn = &mut *pool.get().unwrap();
    assert_eq!(settings(conn), ["", "", ""]);
    run(conn, "INSERT INTO items VALUES (2)");
    run(
        conn,
        &format!(
            "BEGIN; {}; INSERT INTO items VALUES (3); COMMIT",
            set(&victim)
        ),
    );
    assert_eq!(
        by_transaction(&mut protected),
        [
            "victim | explicit | 1",
            "NULL | none | 2",
            "NULL | untrusted | 3"
        ]
    );
}
