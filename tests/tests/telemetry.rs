//! The data for `tracing` and `metrics`, and that it contains no actor, id or value.

#[path = "telemetry/listener.rs"]
mod listener;

use std::collections::BTreeSet;

use diesel::prelude::*;
use threadline::{
    Action, ActorRef, AuditContext, AuditExt, AuditedConnection, Erasure, Filter, Models, Worker,
    record_action,
};
use threadline_tests::{Database, rolled_back, rolled_back_with, run};

use listener::{Reported, listen};

/// A word in every value that must not be reported.
const CANARY: &str = "canary";

fn context() -> AuditContext {
    AuditContext::builder(ActorRef::user("canary-user").unwrap())
        .request_id("canary-request")
        .correlation_id("canary-correlation")
        .job_id("canary-job")
        .source("canary-source")
        .trace_id("4bf92f3577b34da6a3ce929d0e0e4736")
        .metadata("note", "canary-note")
        .build()
        .unwrap()
}

const ITEMS: &str = "CREATE TABLE canary_items (id text PRIMARY KEY, name text NOT NULL, CONSTRAINT canary_name UNIQUE (name));
         SELECT threadline.audit('canary_items')";

fn insert(conn: &mut PgConnection, id: &str) -> QueryResult<usize> {
    diesel::sql_query("INSERT INTO canary_items VALUES ($1, 'canary-name')")
        .bind::<diesel::sql_types::Text, _>(id)
        .execute(conn)
}

/// Runs the transactions of an application: one that commits, one that fails, one with an
/// isolation level, and a call without a context.
fn transactions(conn: &mut PgConnection) {
    conn.audited_transaction(&context(), |conn| {
        record_action(conn, Action::new("canary.made").reason("canary-reason"))?;
        insert(conn, "canary-1")?;
        Ok::<_, threadline::Error>(())
    })
    .unwrap();
    let refused = conn.audited_action(&context(), Action::new("canary.made"), |conn| {
        insert(conn, "canary-2")
    });
    assert!(refused.unwrap_err().to_string().contains("canary_name"));
    conn.build_audited_transaction(&context())
        .serializable()
        .run(|conn| diesel::sql_query("DELETE FROM canary_items").execute(conn))
        .unwrap();
    assert!(conn.audited(|conn| insert(conn, "canary-3")).is_err());
}

#[test]
fn transactions_are_spans_and_counted() {
    let (_, conn) = &mut Database::with(ITEMS);
    let reported = listen(|| transactions(conn));
    insta::assert_snapshot!(reported);
}

#[test]
fn spans_nest_in_those_of_the_application() {
    let conn = &mut rolled_back();
    let reported = listen(|| {
        tracing::info_span!("request").in_scope(|| {
            conn.audited_transaction(&context(), |conn| {
                tracing::info!("inside");
                conn.audited(|_| QueryResult::Ok(()))
            })
            .unwrap();
        });
        tracing::info!("outside");
    });
    insta::assert_snapshot!(reported);
}

#[test]
fn posting_purging_and_verifying_are_reported() {
    let (_, conn) = &mut Database::with(ITEMS);
    run(
        conn,
        "INSERT INTO canary_items VALUES ('canary', 'canary'); CREATE TABLE canary_others (id int)",
    );
    let reported = listen(|| {
        threadline::post(conn).unwrap();
        // Nothing is left, so nothing is reported.
        threadline::post(conn).unwrap();
        threadline::purge(conn).unwrap();
        let verification = Models::new(vec![]).verify().run(conn).unwrap();
        assert!(!verification.findings.is_empty());
    });
    insta::assert_snapshot!(reported);
}

#[test]
fn plain_transactions_that_carry_a_context_are_spans_and_counted() {
    let database = Database::new();
    run(&mut database.connect(), ITEMS);
    let mut conn = AuditedConnection::<PgConnection>::establish(&database.url()).unwrap();
    let reported = listen(|| {
        context().scope(|| {
            let nested = conn.transaction(|conn| {
                insert(conn.without_context(), "canary-1")?;
                conn.transaction(|_| QueryResult::Ok(()))
            });
            nested.unwrap();
            let undone = conn.transaction(|_| Err::<(), _>(diesel::result::Error::NotFound));
            assert!(undone.is_err());
        });
        // Without a context it is Diesel's alone.
        conn.transaction(|_| QueryResult::Ok(())).unwrap();
    });
    insta::assert_snapshot!(reported);
}

#[test]
fn posting_before_an_answer_and_erasing_are_reported() {
    let (_, conn) = &mut Database::with(ITEMS);
    run(
        conn,
        "INSERT INTO canary_items SELECT 'canary-' || n, 'canary-' || n FROM generate_series(1, 600) AS n",
    );
    let reported = listen(|| {
        threadline::summary(conn, &Filter::new()).unwrap();
        // Few entries wait, so nothing is reported.
        insert(conn, "canary").unwrap();
        threadline::summary(conn, &Filter::new()).unwrap();
        let erasure = || Erasure::of("canary_items", "canary-1", "request 7");
        erasure().column("canary_items.name").erase(conn).unwrap();
        assert!(erasure().erase(conn).is_err());
    });
    insta::assert_snapshot!(reported);
}

#[test]
fn a_worker_tells_what_it_posts_and_that_it_cannot() {
    let (database, conn) = &mut Database::with(ITEMS);
    insert(conn, "canary").unwrap();
    let mut connect = [
        Ok(database.connect()),
        PgConnection::establish("host=/canary"),
    ]
    .into_iter();
    let reported = listen(|| {
        let mut turns = 0;
        Worker::new().run(
            || connect.next().unwrap(),
            |_, _| {
                turns += 1;
                if turns == 1 {
                    // The server stops.
                    run(
                        &mut database.connect(),
                        "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()",
                    );
                }
                turns < 3
            },
        );
    });
    insta::assert_snapshot!(reported);
}

#[test]
fn no_actor_no_id_and_no_value_is_reported() {
    let (_, conn) = &mut Database::with(ITEMS);
    let reported = listen(|| {
        transactions(conn);
        insert(conn, "canary-4").unwrap();
        threadline::post(conn).unwrap();
        threadline::purge(conn).unwrap();
        Models::new(vec![]).verify().run(conn).unwrap();
        run(conn, "DROP SCHEMA threadline CASCADE");
        assert!(threadline::post(conn).is_err());
        assert!(Models::new(vec![]).verify().run(conn).is_err());
    });
    let Reported { lines } = &reported;
    assert!(lines.len() > 20, "{reported}");
    assert!(!reported.to_string().contains(CANARY), "{reported}");
    assert!(!reported.to_string().contains("4bf92f"), "{reported}");
}

#[test]
fn a_trace_is_recorded_where_there_is_one() {
    let context = |id: &str| {
        AuditContext::builder(ActorRef::anonymous())
            .trace_id(id)
            .build()
            .unwrap()
    };
    assert!(context(&"0".repeat(32)).metadata().is_empty());
    let conn = &mut rolled_back_with(ITEMS);
    conn.audited_transaction(&context("4bf92f3577b34da6a3ce929d0e0e4736"), |conn| {
        insert(conn, "1")
    })
    .unwrap();
    let filter = Filter::new().metadata("trace_id", "4bf92f3577b34da6a3ce929d0e0e4736");
    assert_eq!(threadline::timeline(filter).count(conn).unwrap(), 1);
}

/// The guide has one table of the names, and it is complete.
#[test]
fn every_name_is_documented_and_no_other() {
    let names = |text: &str| {
        let word = |c: char| !(c.is_ascii_lowercase() || c == '_' || c == '.');
        let is_name = |word: &&str| {
            word.starts_with("threadline.") && word.len() > "threadline.".len()
                || word.starts_with("threadline_")
        };
        text.split(word)
            .filter(is_name)
            .map(|name| name.trim_end_matches('.').to_owned())
            .collect::<BTreeSet<_>>()
    };
    let reported = [
        include_str!("../../threadline/src/telemetry/events.rs"),
        include_str!("../../threadline/src/telemetry/counts.rs"),
    ];
    let guide = include_str!("../../threadline/src/docs/monitoring.md");
    let (_, section) = guide
        .split_once("# Traces and metrics of the application")
        .unwrap();
    let (section, _) = section.split_once("# Verification").unwrap();
    assert_eq!(names(&reported.concat()), names(section));
    assert_eq!(names(section).len(), 19);
}
