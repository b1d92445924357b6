use serde_json::Value;
use threadline::{ActorRef, AuditContext, AuditExt, Erasure, Hold, SubjectExport};
use threadline_tests::{Database, run};

use crate::jane_and_bob;

fn exported(conn: &mut diesel::PgConnection, export: SubjectExport) -> Vec<Value> {
    let mut out = vec![];
    let lines = export.write(conn, &mut out).unwrap();
    let out = String::from_utf8(out).unwrap();
    let out: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let end = out.last().unwrap();
    assert_eq!(
        (end["kind"].as_str(), end["count"].as_u64()),
        (Some("end"), Some(lines))
    );
    assert_eq!(out.len() as u64, lines + 1);
    out
}

fn of_kind<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["kind"] == kind).collect()
}

#[test]
fn all_that_is_on_record_of_somebody_and_nothing_of_others() {
    let database = Database::new();
    let conn = &mut jane_and_bob(&database);
    let context = AuditContext::builder(ActorRef::user("42").unwrap())
        .request_id("r-1")
        .build()
        .unwrap();
    conn.audited_transaction(&context, |conn| {
        run(conn, "UPDATE users SET plan = 'bob paid' WHERE id = 43");
        threadline::record_action(conn, threadline::Action::new("plan.paid").reason("a gift"))?;
        Ok::<_, threadline::Error>(())
    })
    .unwrap();
    let _ = Hold::new("lawsuit 17")
        .record("users", "43")
        .place(conn)
        .unwrap();
    for posted in [false, true] {
        if posted {
            run(conn, "SELECT threadline.post()");
        }
        let lines = exported(
            conn,
            SubjectExport::of("users", "42").actor(ActorRef::user("42").unwrap()),
        );
        let text = serde_json::to_string(&lines).unwrap();
        for there in [
            "jane@a",
            "jane@b",
            "jane street 1",
            "jane street 2",
            "jane street 5",
            "1990-01-01",
            "Basel",
        ] {
            assert!(text.contains(there), "{there} in {text}");
        }
        assert!(!text.contains("bob"), "{text}");
        assert_eq!(of_kind(&lines, "change").len(), 9);
        assert_eq!(of_kind(&lines, "transaction")[0]["request_id"], "r-1");
        assert_eq!(of_kind(&lines, "action")[0]["reason"], "a gift");
        assert!(of_kind(&lines, "hold").is_empty());

        let lines = exported(conn, SubjectExport::of("users", "43"));
        let text = serde_json::to_string(&lines).unwrap();
        for there in ["bob@a", "bob street 3", "bob street 4", "bob paid"] {
            assert!(text.contains(there), "{there} in {text}");
        }
        assert!(!text.contains("jane"), "{text}");
        assert_eq!(of_kind(&lines, "hold")[0]["reason"], "lawsuit 17");
    }
    Erasure::of("users", "42", "request 31")
        .erase(conn)
        .unwrap();
    let lines = exported(conn, SubjectExport::of("users", "42"));
    assert_eq!(of_kind(&lines, "erasure")[0]["reason"], "request 31");
    assert_eq!(of_kind(&lines, "change").len(), 9);
}

#[test]
fn what_the_policy_hides_is_hidden() {
    let database = Database::new();
    let conn = &mut jane_and_bob(&database);
    run(
        conn,
        "SELECT threadline.audit('users', mask => ARRAY['email'], personal => ARRAY['email', 'born'])",
    );
    let lines = exported(conn, SubjectExport::of("users", "42"));
    let text = serde_json::to_string(&lines).unwrap();
    assert!(text.contains("***") && !text.contains("jane@"), "{text}");
    let error = SubjectExport::of("user", "42")
        .write(conn, vec![])
        .unwrap_err()
        .to_string();
    assert!(error.contains("user"), "{error}");
}
