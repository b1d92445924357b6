//! The setting `threadline.context` as a user of psql may set it.

use threadline::{AuditExt, is_actor_required};
use threadline_tests::{Database, assert_rows, assert_value, rows, run, value};

use super::{NOTES, assert_recorded, insert, recorded, transactions, user};

fn context_errors(conn: &mut diesel::PgConnection) -> Vec<String> {
    rows(
        conn,
        "SELECT actor_type, actor_id, actor_origin, context_error FROM threadline.audit_transactions ORDER BY id",
    )
}

#[test]
fn a_context_that_cannot_be_read_never_fails_the_write() {
    let (_, conn) = &mut Database::with(NOTES);
    let unreadable = [
        "garbage",
        "[1, 2]",
        "null",
        r#""text""#,
        r#"{"actor": {"type": "user"}}"#,
        r#"{"actor": {"id": "1"}}"#,
        r#"{"actor": "ada"}"#,
        r#"{"actor": {"type": "user", "id": "1"}, "remote_ip": "nowhere"}"#,
        r#"{"actor": {"type": "user", "id": "\u0000"}}"#,
        r#"{"actor": {"type": "user", "id": 5}, "metadata": null}"#,
        r#"{"actor": null, "request_id": "r"}"#,
        "{}",
    ];
    for (id, context) in unreadable.iter().enumerate() {
        run(
            conn,
            &format!(
                "BEGIN; SELECT set_config('threadline.context', extract(epoch FROM now()) || ' {context}', true);
                 INSERT INTO notes VALUES ({id}, 'text'); COMMIT"
            ),
        );
    }
    assert_eq!(
        context_errors(conn),
        [
            "NULL | NULL | unreadable | the context is not JSON: invalid input syntax for type json",
            "NULL | NULL | unreadable | the context is not a JSON object but a JSON array",
            "NULL | NULL | unreadable | the context is not a JSON object but a JSON null",
            "NULL | NULL | unreadable | the context is not a JSON object but a JSON string",
            "NULL | NULL | unreadable | the actor has no type or no id",
            "NULL | NULL | unreadable | the actor has no type or no id",
            "NULL | NULL | unreadable | the actor has no type or no id",
            "user | 1 | sql | remote_ip is not an address",
            "NULL | NULL | unreadable | the context is not JSON: unsupported Unicode escape sequence",
            "user | 5 | sql | NULL",
            "NULL | NULL | none | NULL",
            "NULL | NULL | none | NULL",
        ]
    );
    assert_eq!(recorded(conn).len(), unreadable.len());
}

/// Its ids are looked up by index, and no index entry is that long.
#[test]
fn a_context_too_long_for_an_index_never_fails_the_write() {
    let (_, conn) = &mut Database::with(NOTES);
    let long = "(SELECT string_agg(encode(sha256(g::text::bytea), 'hex'), '') FROM generate_series(1, 100) AS g)";
    for (number, context) in [
        format!(
            "jsonb_build_object('actor', jsonb_build_object('type', 'user', 'id', {long}), 'source', 'sql')"
        ),
        format!(
            "jsonb_build_object('actor', jsonb_build_object('type', 'user', 'id', '1'),
                'request_id', {long}, 'correlation_id', {long}, 'job_id', {long}, 'source', {long})"
        ),
        format!(
            "jsonb_build_object('actor', jsonb_build_object('type', 'user', 'id', {long}), 'source', 'sql', 'remote_ip', 'nowhere')"
        ),
    ]
    .iter()
    .enumerate()
    {
        run(
            conn,
            &format!(
                "BEGIN; SELECT threadline.set_context({context});
                 INSERT INTO notes VALUES ({number}, 'text'); COMMIT"
            ),
        );
    }
    assert_rows(
        conn,
        "SELECT actor_type, actor_id, actor_origin, source = 'sql' AS short, length(request_id), length(source), context_error
         FROM threadline.audit_transactions ORDER BY id",
        [
            "NULL | NULL | unreadable | true | NULL | 3 | the type or id of the actor is longer than 1,000 bytes",
            "user | 1 | sql | false | 200 | 200 | job_id was cut: it is longer than 1,000 bytes; source was cut: it is longer than 1,000 bytes; request_id was cut: it is longer than 1,000 bytes; correlation_id was cut: it is longer than 1,000 bytes",
            "NULL | NULL | unreadable | true | NULL | 3 | the type or id of the actor is longer than 1,000 bytes; remote_ip is not an address",
        ],
    );
}

#[test]
fn an_actor_set_after_the_first_write_is_not_lost() {
    let (_, conn) = &mut Database::with(NOTES);
    run(
        conn,
        r#"BEGIN;
        INSERT INTO notes VALUES (1, 'before');
        SELECT threadline.set_context('{"actor": {"type": "user", "id": "9"}}');
        INSERT INTO notes VALUES (2, 'after');
        COMMIT;"#,
    );
    assert_recorded(conn, ["1 | - | none", "2 | user:9 | sql"]);
    assert_eq!(transactions(conn), 2);
}

#[test]
fn a_forged_or_stale_transaction_id_attaches_nothing_to_somebody_elses() {
    let (_, conn) = &mut Database::with(NOTES);
    conn.audited_transaction(&user("victim"), |conn| insert(conn, 1))
        .unwrap();
    let real = value(conn, "SELECT id FROM threadline.audit_transactions").unwrap();
    for (key, forged) in [
        real.as_str(),
        "1",
        "99",
        "-1",
        "one",
        "1; DROP TABLE notes",
        "99999999999999999999",
    ]
    .iter()
    .enumerate()
    {
        run(
            conn,
            &format!(
                r#"BEGIN;
                SELECT threadline.set_context('{{"actor": {{"type": "user", "id": "forger"}}}}'),
                       set_config('threadline.transaction', '{forged}', true),
                       set_config('threadline.transaction_context', current_setting('threadline.context'), true);
                INSERT INTO notes VALUES ({key} + 10, 'forged');
                COMMIT"#
            ),
        );
    }
    // Nor an action, under any claimed location of its entry.
    let place = value(
        conn,
        "SELECT ctid FROM threadline.journal ORDER BY id LIMIT 1",
    )
    .unwrap();
    for place in [
        place.as_str(),
        "(0,2)",
        "(0,0)",
        "(9,9999)",
        "(999999999,1)",
        "(1,99999)",
        "x",
        "",
    ] {
        run(
            conn,
            &format!(
                r#"BEGIN;
                SELECT threadline.set_context('{{"actor": {{"type": "user", "id": "forger"}}}}'),
                       set_config('threadline.transaction', '{real}', true), set_config('threadline.transaction_place', '{place}', true),
                       set_config('threadline.transaction_context', current_setting('threadline.context'), true);
                SELECT threadline.record_action('note.forged', 'user', 'forger'), threadline.record_action('note.forged', 'user', 'forger');
                COMMIT"#
            ),
        );
    }
    assert_rows(
        conn,
        &format!(
            "SELECT count(*), count(DISTINCT transaction_id), bool_or(transaction_id = {real}) FROM threadline.audit_actions"
        ),
        ["16 | 8 | false"],
    );
    // As a session setting it outlives transactions, and is equally ineffective.
    run(
        conn,
        &format!("SET threadline.transaction = '{real}'; SET threadline.transaction_context = ''"),
    );
    insert(conn, 50).unwrap();
    run(conn, "TRUNCATE notes");
    assert_rows(
        conn,
        "SELECT actor_id, count(*) FROM threadline.changes GROUP BY actor_id ORDER BY actor_id",
        ["forger | 3", "victim | 1", "NULL | 14"],
    );
}

/// Injected SQL can set it for a session, which a pool gives to the next user.
#[test]
fn a_context_that_was_left_in_the_session_names_nobody() {
    let (_, conn) = &mut Database::with(NOTES);
    run(
        conn,
        "CREATE TABLE strict (id int PRIMARY KEY); SELECT threadline.audit('strict', require_actor => true)",
    );
    let victim = r#"{"actor": {"type": "user", "id": "victim"}}"#;
    let of_transaction = conn
        .audited_transaction(&user("victim"), |conn| {
            Ok::<_, diesel::result::Error>(value(
                conn,
                "SELECT current_setting('threadline.context')",
            ))
        })
        .unwrap()
        .unwrap();
    for (key, left) in [victim.to_owned(), format!("1 {victim}"), of_transaction]
        .iter()
        .enumerate()
    {
        let key = key * 10;
        run(conn, &format!("SET threadline.context = '{left}'"));
        insert(conn, i32::try_from(key).unwrap()).unwrap();
        run(
            conn,
            &format!(
                "BEGIN; INSERT INTO notes VALUES ({key} + 1, 'n'); UPDATE notes SET body = 'm'; COMMIT"
            ),
        );
        run(
            conn,
            "DELETE FROM notes; INSERT INTO notes VALUES (-1, 'n')",
        );
        run(conn, "TRUNCATE notes");
        let error = diesel::RunQueryDsl::execute(
            diesel::sql_query(format!("INSERT INTO strict VALUES ({key})")),
            conn,
        )
        .unwrap_err();
        assert!(is_actor_required(&error), "{error:?}");
        for posted in [false, true] {
            if posted {
                run(conn, "SELECT threadline.post_all()");
            }
            assert_eq!(
                rows(
                    conn,
                    "SELECT DISTINCT actor_id, actor_origin FROM threadline.changes"
                ),
                ["NULL | untrusted"],
                "{left}"
            );
        }
        // One that is set in the transaction takes its place.
        conn.audited_transaction(&user("next"), |conn| insert(conn, 99))
            .unwrap();
        assert_value(
            conn,
            "SELECT actor_id FROM threadline.changes ORDER BY id DESC LIMIT 1",
            "next",
        );
        run(
            conn,
            "TRUNCATE notes; SELECT threadline.post_all(); DELETE FROM threadline.ledger_changes",
        );
    }
}

#[test]
fn a_table_that_requires_an_actor_refuses_a_write_without_one() {
    let (_, conn) = &mut Database::with(
        "CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL);
         SELECT threadline.audit('notes', require_actor => true);",
    );
    let error = insert(conn, 1).unwrap_err();
    assert!(is_actor_required(&error), "{error:?}");
    assert_eq!(
        error.to_string(),
        "threadline: table public.notes takes no write without an actor"
    );
    let error = conn
        .transaction(|conn| {
            run(
                conn,
                "SELECT set_config('threadline.context', extract(epoch FROM now()) || ' garbage', true)",
            );
            insert(conn, 1)
        })
        .unwrap_err();
    assert!(is_actor_required(&error), "{error:?}");
    assert!(error.to_string().ends_with("the context was unreadable: the context is not JSON: invalid input syntax for type json"), "{error}");

    conn.audited_transaction(&user(1), |conn| {
        insert(conn, 1)?;
        insert(conn, 2)
    })
    .unwrap();
    let anonymous = threadline::AuditContext::new(threadline::ActorRef::anonymous());
    let error = conn
        .audited_transaction(&anonymous, |conn| insert(conn, 3))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "threadline: table public.notes takes no write without a known actor, and this one is anonymous"
    );
    // An id that shows nothing names nobody.
    for blank in [
        "",
        " \\t",
        "\\u00a0",
        "\\u3000\\u200b",
        "\\ufeff",
        "\\u202e",
        "\\u3164",
    ] {
        let context = format!(
            r#"SELECT threadline.set_context('{{"actor": {{"type": "user", "id": "{blank}"}}}}')"#
        );
        let error = conn
            .transaction(|conn| {
                run(conn, &context);
                insert(conn, 4)
            })
            .unwrap_err();
        assert!(is_actor_required(&error), "{blank}: {error:?}");
    }
    let error =
        diesel::RunQueryDsl::execute(diesel::sql_query("TRUNCATE notes"), conn).unwrap_err();
    assert!(is_actor_required(&error), "{error:?}");
    assert_recorded(conn, ["1 | user:1 | explicit", "2 | user:1 | explicit"]);
}

use diesel::Connection;
