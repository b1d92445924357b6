//! Actions of the application, next to the changes.

use diesel::prelude::*;
use diesel::result::Error as DieselError;
use serde_json::json;
use threadline::{
    Action, ActionError, ActionStatus, ActorRef, AuditContext, AuditExt, ErrorKind, record_action,
};
use threadline_tests::notes::{NOTES, insert};
use threadline_tests::{Database, assert_rows, assert_value, rows, run};

fn user(id: &str) -> AuditContext {
    AuditContext::builder(ActorRef::user(id).unwrap())
        .request_id("r-1")
        .correlation_id("c-1")
        .job_id("j-1")
        .build()
        .unwrap()
}

fn refused(result: Result<threadline::AuditAction, threadline::Error>) -> String {
    let error = result.unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Action(_)), "{error:?}");
    error.to_string()
}

#[test]
fn an_action_is_stored_whole_and_given_back() {
    let (_, conn) = &mut Database::new().connected();
    let action = Action::new("member.role_changed")
        .actor(ActorRef::admin("grace").unwrap())
        .reason("asked by the board")
        .comment("it's \\ \"fine\"")
        .request_id("r")
        .correlation_id(" c ")
        .job_id("j")
        .metadata("from", "member")
        .metadata("to", json!({"role": "treasurer"}));
    let recorded = record_action(conn, action).unwrap();
    assert_eq!(recorded.name, "member.role_changed");
    assert_eq!(recorded.category.as_deref(), Some("member"));
    assert_eq!(recorded.verb.as_deref(), Some("role_changed"));
    assert_eq!(recorded.actor, ActorRef::admin("grace").unwrap());
    assert_eq!(recorded.status, ActionStatus::Ok);
    assert_eq!(recorded.transaction_id, None);
    assert_rows(
        conn,
        "SELECT name, category, verb, actor_type, actor_id, status, reason, comment, request_id, correlation_id, job_id, meta FROM threadline.actions",
        [
            r#"member.role_changed | member | role_changed | admin | grace | ok | asked by the board | it's \ "fine" | r |  c  | j | {"to": {"role": "treasurer"}, "from": "member"}"#,
        ],
    );
}

#[test]
fn category_and_verb_come_from_the_name_unless_they_are_given() {
    let (_, conn) = &mut Database::new().connected();
    let mut parts = |action: Action| {
        let action = action.actor(ActorRef::anonymous());
        let recorded = record_action(conn, action).unwrap();
        (recorded.category, recorded.verb)
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        parts(Action::new("billing.invoice.paid")),
        (some("billing.invoice"), some("paid"))
    );
    assert_eq!(parts(Action::new("login")), (None, some("login")));
    assert_eq!(
        parts(Action::new("login").category("session").verb("opened")),
        (some("session"), some("opened"))
    );
}

#[test]
fn fields_that_are_not_set_come_from_the_current_context() {
    let (_, conn) = &mut Database::new().connected();
    let context = user("7");
    let mut record = |action: Action| context.scope(|| record_action(conn, action)).unwrap();
    let recorded = record("session.opened".into());
    assert_eq!(recorded.actor, ActorRef::user("7").unwrap());
    assert_eq!(recorded.request_id.as_deref(), Some("r-1"));
    assert_eq!(recorded.correlation_id.as_deref(), Some("c-1"));
    assert_eq!(recorded.job_id.as_deref(), Some("j-1"));
    let own = Action::new("session.opened")
        .actor(ActorRef::system("gate").unwrap())
        .correlation_id("own");
    let recorded = record(own);
    assert_eq!(recorded.actor, ActorRef::system("gate").unwrap());
    assert_eq!(recorded.correlation_id.as_deref(), Some("own"));
    assert_eq!(recorded.request_id.as_deref(), Some("r-1"));
}

#[test]
fn source_address_and_metadata_of_the_context_are_recorded_with_the_action() {
    let (_, conn) = &mut Database::new().connected();
    let context = AuditContext::builder(ActorRef::user("7").unwrap())
        .source("web")
        .remote_ip([203, 0, 113, 9].into())
        .metadata("tenant", "acme")
        .metadata("agent", "curl")
        .build()
        .unwrap();
    let refused = Action::new("session.opened")
        .failed()
        .metadata("agent", "its own");
    let recorded = context.scope(|| record_action(conn, refused)).unwrap();
    assert_eq!(recorded.source.as_deref(), Some("web"));
    assert_eq!(recorded.remote_ip.as_deref(), Some("203.0.113.9"));
    assert_eq!(
        recorded.metadata,
        Some(json!({"tenant": "acme", "agent": "its own"}))
    );
    let elsewhere = Action::new("session.opened")
        .source("console")
        .remote_ip("2001:db8::1".parse().unwrap());
    let recorded = context.scope(|| record_action(conn, elsewhere)).unwrap();
    assert_eq!(recorded.source.as_deref(), Some("console"));
    assert_eq!(recorded.remote_ip.as_deref(), Some("2001:db8::1"));
    assert_rows(
        conn,
        "SELECT source, remote_ip FROM threadline.actions",
        ["web | 203.0.113.9", "console | 2001:db8::1"],
    );
    // Also actions on the audit itself.
    let suspended = context
        .scope(|| conn.audited(|conn| threadline::suspend(conn, "reload")))
        .unwrap();
    assert_eq!(suspended.source.as_deref(), Some("web"));
    assert_eq!(suspended.remote_ip.as_deref(), Some("203.0.113.9"));
    let metadata = suspended.metadata.unwrap();
    assert_eq!(metadata["tenant"], "acme");
    assert!(metadata["session_user"].is_string(), "{metadata}");
}

#[test]
fn actions_and_changes_of_one_transaction_are_linked_whichever_comes_first() {
    let (_, conn) = &mut Database::with(NOTES);
    conn.audited_transaction::<_, threadline::Error, _>(&user("1"), |conn| {
        record_action(conn, "note.planned")?;
        insert(conn, 1)?;
        record_action(conn, "note.written")?;
        Ok(())
    })
    .unwrap();
    conn.audited_transaction::<_, threadline::Error, _>(&user("2"), |conn| {
        insert(conn, 2)?;
        conn.audited_transaction(&user("3"), |conn| record_action(conn, "note.checked"))?;
        record_action(conn, "note.written")?;
        Ok(())
    })
    .unwrap();
    assert_rows(
        conn,
        "SELECT a.name, a.actor_id, x.actor_id, count(c.id)
         FROM threadline.audit_actions AS a
         JOIN threadline.audit_transactions AS x ON x.id = a.transaction_id
         LEFT JOIN threadline.audit_changes AS c ON c.transaction_id = x.id
         GROUP BY a.id, x.id, x.actor_id ORDER BY a.id",
        [
            "note.planned | 1 | 1 | 1",
            "note.written | 1 | 1 | 1",
            "note.checked | 3 | 3 | 0",
            "note.written | 2 | 2 | 1",
        ],
    );
}

#[test]
fn an_action_rolls_back_with_its_transaction_and_needs_none() {
    let (_, conn) = &mut Database::new().connected();
    let result: QueryResult<()> = conn.audited_transaction(&user("1"), |conn| {
        record_action(conn, "note.planned")?;
        Err(DieselError::RollbackTransaction)
    });
    assert_eq!(result, Err(DieselError::RollbackTransaction));
    let refused = Action::new("session.opened")
        .actor(ActorRef::anonymous())
        .failed();
    let recorded = record_action(conn, refused.reason("wrong password")).unwrap();
    assert_eq!(recorded.transaction_id, None);
    assert_eq!(recorded.status, ActionStatus::Error);
    assert_rows(
        conn,
        "SELECT name, status FROM threadline.actions",
        ["session.opened | error"],
    );
    assert_value(
        conn,
        "SELECT count(*) FROM threadline.audit_transactions",
        "0",
    );
}

#[test]
fn an_action_that_cannot_be_recorded_is_refused_before_anything_is_sent() {
    let (_, conn) = &mut Database::empty().connected();
    assert_eq!(
        refused(record_action(conn, "note.written")),
        "action `note.written` has no actor; enter an AuditContext with one, or name it with `Action::actor`"
    );
    for name in [
        "",
        " ",
        "Note",
        "note.",
        ".note",
        "note..x",
        "note written",
        "note.Written",
        "ä",
        "1st",
        "a\0",
    ] {
        let action = Action::new(name).actor(ActorRef::anonymous());
        assert!(
            refused(record_action(conn, action)).contains("is not an action's name"),
            "{name:?}"
        );
    }
    let by_anonymous = || Action::new("note.written").actor(ActorRef::anonymous());
    assert_eq!(
        refused(record_action(conn, by_anonymous().reason("x".repeat(9000)))),
        "action `note.written`: the reason has 9000 bytes and may have 8192; shorten it, or keep a reference to what is stored elsewhere"
    );
    assert!(
        refused(record_action(conn, by_anonymous().comment("a\0")))
            .contains("the comment contains a NUL")
    );
    assert!(
        refused(record_action(conn, by_anonymous().metadata("m", "a\0")))
            .contains("the metadata contains a NUL")
    );
    let long = format!("note.{}", "x".repeat(300));
    let error = record_action(conn, Action::new(long).actor(ActorRef::anonymous())).unwrap_err();
    assert!(
        matches!(
            error.kind(),
            ErrorKind::Action(ActionError::InvalidField { .. })
        ),
        "{error}"
    );

    let error = record_action(conn, by_anonymous()).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::SchemaMissing { installed: None }),
        "{error}"
    );
}

fn recorded(conn: &mut PgConnection) -> Vec<String> {
    rows(
        conn,
        "SELECT name, status, reason, actor_id, request_id, transaction_id IS NULL FROM threadline.actions ORDER BY id",
    )
}

#[test]
fn an_audited_action_is_recorded_however_it_ends() {
    let (_, conn) = &mut Database::with(NOTES);
    let added = || Action::new("note.added").reason("asked");
    let done = conn.audited_action(&user("1"), added(), |conn| insert(conn, 1));
    assert_eq!(done, Ok(1));
    let again = conn.audited_action(&user("1"), "note.added", |conn| insert(conn, 1));
    assert!(
        matches!(&again, Err(DieselError::DatabaseError(_, information)) if information.constraint_name() == Some("notes_pkey")),
        "{again:?}"
    );
    #[derive(Debug)]
    #[allow(dead_code)]
    enum Refused {
        Full { secret: &'static str },
        Database(DieselError),
    }
    impl From<DieselError> for Refused {
        fn from(error: DieselError) -> Self {
            Self::Database(error)
        }
    }
    let refused = conn.audited_action::<(), _, _>(&user("2"), added(), |conn| {
        insert(conn, 2)?;
        Err(Refused::Full { secret: "hidden" })
    });
    assert!(matches!(refused, Err(Refused::Full { .. })));
    assert_eq!(
        recorded(conn),
        [
            "note.added | ok | asked | 1 | r-1 | false",
            "note.added | error | unique violation: notes_pkey | 1 | r-1 | true",
            "note.added | error | actions::an_audited_action_is_recorded_however_it_ends::Refused::Full (reason given: asked) | 2 | r-1 | true",
        ]
    );
    // The successful action belongs to its changes; of the others nothing is left.
    assert_rows(
        conn,
        "SELECT c.op FROM threadline.audit_changes AS c JOIN threadline.audit_actions AS a USING (transaction_id)",
        ["I"],
    );
    assert_value(conn, "SELECT count(*) FROM threadline.audit_changes", "1");
}

#[test]
fn a_commit_that_fails_is_recorded() {
    let (_, conn) = &mut Database::with(NOTES);
    run(
        conn,
        "CREATE TABLE tags (note int REFERENCES notes DEFERRABLE INITIALLY DEFERRED)",
    );
    let done = conn.audited_action(&user("1"), "note.tagged", |conn| {
        diesel::sql_query("INSERT INTO tags VALUES (99)").execute(conn)
    });
    assert!(done.is_err());
    assert_eq!(
        recorded(conn),
        ["note.tagged | error | foreign key violation: tags_note_fkey | 1 | r-1 | true"]
    );
}

#[test]
fn inside_another_transaction_a_failure_is_recorded_if_that_commits() {
    let (_, conn) = &mut Database::with(NOTES);
    for commits in [false, true] {
        let outer: QueryResult<()> = conn.audited_transaction(&user("1"), |conn| {
            insert(conn, 1)?;
            let failed = conn.audited_action(&user("2"), "note.added", |conn| insert(conn, 1));
            assert!(failed.is_err());
            // The outer transaction continues under its own context.
            insert(conn, 2)?;
            if commits {
                Ok(())
            } else {
                Err(DieselError::RollbackTransaction)
            }
        });
        assert_eq!(outer.is_ok(), commits);
        let expected = ["note.added | error | unique violation: notes_pkey | 2 | r-1 | false"];
        assert_eq!(recorded(conn), expected[..usize::from(commits)]);
    }
    assert_rows(
        conn,
        "SELECT x.actor_id, count(*) FROM threadline.audit_changes AS c
         JOIN threadline.audit_transactions AS x ON x.id = c.transaction_id GROUP BY x.actor_id",
        ["1 | 2"],
    );
}

#[test]
fn an_audited_action_that_cannot_be_recorded_is_not_begun() {
    let (_, conn) = &mut Database::with(NOTES);
    let mut begun = false;
    let done = conn.audited_action::<_, threadline::Error, _>(&user("1"), "Note", |_| {
        begun = true;
        Ok(())
    });
    assert!(
        done.unwrap_err()
            .to_string()
            .contains("is not an action's name")
    );
    assert!(!begun);
    assert_eq!(recorded(conn), [""; 0]);
}

#[test]
fn an_action_in_sql_needs_an_actor_whose_type_and_id_show_something() {
    let (_, conn) = &mut Database::new().connected();
    for (kind, id) in [
        ("user", ""),
        ("user", " "),
        ("user", "\u{a0}"),
        ("user", "\u{200b}\u{202e}"),
        ("", "1"),
        ("\u{feff}", "1"),
    ] {
        let error = diesel::sql_query(format!(
            "SELECT threadline.record_action('note.written', '{kind}', '{id}')"
        ))
        .execute(conn)
        .unwrap_err();
        assert!(
            error
                .to_string()
                .contains("an action needs an actor with a type and an id"),
            "{kind:?} {id:?}: {error}"
        );
    }
}

#[test]
fn a_role_without_rights_on_the_tables_records_actions() {
    let (database, conn) = &mut Database::new().connected();
    let role = database.role("app");
    run(conn, &format!("GRANT USAGE ON SCHEMA threadline TO {role}"));
    role.enter(conn);
    let recorded = record_action(
        conn,
        Action::new("note.written").actor(ActorRef::anonymous()),
    );
    let forbidden = diesel::sql_query("DELETE FROM threadline.audit_actions").execute(conn);
    assert_eq!(recorded.unwrap().name, "note.written");
    assert!(
        forbidden
            .unwrap_err()
            .to_string()
            .contains("permission denied")
    );
}

/// Also inside a failed transaction, in which no query can run.
#[test]
fn a_refusal_of_the_audit_is_not_reported_as_a_missing_schema() {
    let (database, conn) = &mut Database::with(NOTES);
    run(conn, "CREATE TABLE plain (id int)");
    let refusals = |conn: &mut PgConnection| {
        let grace = AuditContext::new(ActorRef::user("grace").unwrap());
        [
            conn.audited_transaction(&grace, |conn| threadline::suspend(conn, "").map(|_| ())),
            conn.audited_transaction(&grace, |conn| {
                record_action(conn, "audit.purged").map(|_| ())
            }),
            conn.audited_transaction(&grace, |conn| {
                threadline::revert_transaction_but(conn, 1, &[99]).map(|_| ())
            }),
            conn.audited_transaction(&grace, |conn| {
                threadline::Hold::new("")
                    .table("notes")
                    .place(conn)
                    .map(|_| ())
            }),
        ]
    };
    for refusal in refusals(conn) {
        let error = refusal.unwrap_err();
        assert!(
            !matches!(error.kind(), ErrorKind::SchemaMissing { .. }),
            "{error}"
        );
        assert!(error.to_string().starts_with("threadline: "), "{error}");
    }
    // A role without a right reads PostgreSQL's message about it.
    let error = database
        .connect()
        .transaction(|conn| {
            run(
                conn,
                "CREATE ROLE nobody_at_all; SET LOCAL ROLE nobody_at_all",
            );
            record_action(conn, Action::new("x.y").actor(ActorRef::user(1).unwrap())).map(|_| ())
        })
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("permission denied for schema threadline"),
        "{error}"
    );
}
