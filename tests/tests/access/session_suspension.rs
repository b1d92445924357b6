use threadline::Models;
use threadline_tests::{rows, run, value};

use super::suspension::{keys, suspending};
use super::{Protected, forbidden, refused};

const SUSPEND_SESSION: &str =
    "SELECT threadline.suspend('restore, ticket 4712', for_session => true)";

#[test]
fn a_session_is_suspended_until_it_resumes_and_both_are_recorded() {
    let (mut protected, mut app) = suspending();
    let app = &mut app;
    run(app, "INSERT INTO items VALUES (1)");
    run(app, SUSPEND_SESSION);
    for sql in [
        "INSERT INTO items VALUES (2)",
        "BEGIN; INSERT INTO items SELECT generate_series(3, 300); UPDATE items SET name = 'x'; COMMIT",
        "BEGIN; SELECT threadline.suspend('bulk'); DELETE FROM items WHERE id = 9; COMMIT",
        "BEGIN; SELECT threadline.suspend('bulk'); DELETE FROM items WHERE id = 8; ROLLBACK",
        "TRUNCATE items",
    ] {
        run(app, sql);
    }
    assert_eq!(keys(&mut protected), ["I | 1"]);
    run(
        &mut protected.session("app"),
        "INSERT INTO items VALUES (2)",
    );
    run(app, "SELECT threadline.resume('admin', 'grace')");
    run(app, "INSERT INTO items VALUES (3)");
    assert_eq!(keys(&mut protected), ["I | 1", "I | 2", "I | 3"]);
    let actions = rows(
        &mut protected.admin,
        "SELECT name, actor_type, reason, meta - 'session_user' FROM threadline.actions ORDER BY id",
    );
    assert_eq!(
        [&actions[0], actions.last().unwrap()],
        [
            r#"audit.suspended | anonymous | restore, ticket 4712 | {"for_session": true}"#,
            r#"audit.resumed | admin | NULL | {"suspended_by_action": 1}"#,
        ]
    );
    let findings = Models::new(vec![])
        .verify()
        .run(&mut protected.admin)
        .unwrap()
        .findings;
    let said = findings.last().unwrap();
    assert!(
        said.message
            .starts_with("capture was suspended in 1 transaction and 1 session,"),
        "{}",
        said.message
    );
}

#[test]
fn the_suspension_of_a_session_ends_with_it_and_is_no_other_sessions() {
    let (mut protected, mut app) = suspending();
    let secret = {
        let session = &mut protected.session("app");
        run(session, SUSPEND_SESSION);
        run(session, "INSERT INTO items VALUES (1)");
        let secret = value(session, "SELECT current_setting('threadline.suspended')").unwrap();
        // A role that knows the secret is still in another session.
        let app = &mut app;
        run(app, &format!("SET threadline.suspended = '{secret}'"));
        run(app, "INSERT INTO items VALUES (2)");
        run(session, "DISCARD ALL");
        run(session, "INSERT INTO items VALUES (3)");
        run(
            session,
            "SET threadline.suspended = 'yes'; INSERT INTO items VALUES (4)",
        );
        secret
    };
    let next = &mut protected.session("app");
    run(next, "INSERT INTO items VALUES (5)");
    run(
        next,
        &format!("SET threadline.suspended = '{secret}'; INSERT INTO items VALUES (6)"),
    );
    assert_eq!(
        keys(&mut protected),
        ["I | 2", "I | 3", "I | 4", "I | 5", "I | 6"]
    );
    assert_eq!(
        refused(next, "SELECT threadline.resume()"),
        "threadline: capture is not suspended in this session; what SELECT threadline.suspend('why') suspends ends with its transaction"
    );
    let seen = rows(
        &mut protected.session("auditor"),
        "SELECT s::text FROM threadline.session_suspensions AS s UNION ALL SELECT a::text FROM threadline.audit_actions AS a",
    );
    assert_eq!(seen.len(), 2);
    assert!(!seen.join(" ").contains(&secret));
}

#[test]
fn a_rollback_takes_the_suspension_of_a_session_or_its_end_back() {
    let (mut protected, mut app) = suspending();
    let app = &mut app;
    run(
        app,
        &format!("BEGIN; {SUSPEND_SESSION}; INSERT INTO items VALUES (1); ROLLBACK"),
    );
    run(app, "INSERT INTO items VALUES (2)");
    run(
        app,
        &format!("BEGIN; {SUSPEND_SESSION}; INSERT INTO items VALUES (3); COMMIT"),
    );
    run(
        app,
        "BEGIN; SELECT threadline.resume(); INSERT INTO items VALUES (4); ROLLBACK",
    );
    run(app, "INSERT INTO items VALUES (5)");
    // The end of one does not end the other.
    run(
        app,
        "BEGIN; SELECT threadline.suspend('bulk'); INSERT INTO items VALUES (6); SELECT threadline.resume();
         INSERT INTO items VALUES (7); COMMIT; INSERT INTO items VALUES (8)",
    );
    assert_eq!(keys(&mut protected), ["I | 2", "I | 8"]);
}

#[test]
fn only_a_role_that_was_let_can_suspend_a_session_or_resume_it() {
    let protected = Protected::new();
    for role in ["auditor", "other"] {
        forbidden(&mut protected.session(role), SUSPEND_SESSION);
        forbidden(&mut protected.session(role), "SELECT threadline.resume()");
    }
    let app = &mut protected.application();
    forbidden(app, SUSPEND_SESSION);
    forbidden(
        app,
        "INSERT INTO threadline.session_suspensions VALUES (1, 1, '')",
    );
    assert_eq!(
        refused(
            app,
            "SELECT threadline.record_action('audit.resumed', 'user', '1')"
        ),
        "threadline: the action 'audit.resumed' is recorded by threadline.resume() alone"
    );
}
