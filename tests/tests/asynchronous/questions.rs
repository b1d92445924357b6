//! Every query, run on both kinds of connection to the same database.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel::result::Error;
use diesel_async::AsyncPgConnection;
use diesel_async::async_connection_wrapper::AsyncConnectionWrapper;
use threadline::{
    Action, ActionFilter, ActorRef, AuditContext, AuditExt, Audited, Erasure, Filter, History,
    Hold, Models, actions, actor_history, correlated, erasures, history, models, post, purge,
    purge_preview, record_action, release_hold, revert_transaction, revert_transaction_but,
    summary, suspend, timeline, transaction, waiting,
};
use threadline_tests::{Database, run, value};

use super::connect;

diesel::table! {
    members (id) { id -> Integer, name -> Text, email -> Text, }
}

diesel::table! {
    notes (id) { id -> Integer, member_id -> Integer, body -> Text, }
}

diesel::table! {
    missing (id) { id -> Integer, }
}

#[derive(Debug, Clone, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = members)]
#[audited(mask(email))]
pub struct Member {
    id: i32,
    name: String,
    email: String,
}

#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = notes)]
struct Note {
    id: i32,
    member_id: i32,
    body: String,
}

#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = missing)]
struct Missing {
    id: i32,
}

fn models() -> Models {
    models![Member, Note]
}

const TABLES: &str = "
    CREATE TABLE members (id int PRIMARY KEY, name text NOT NULL, email text NOT NULL);
    CREATE TABLE notes (id int PRIMARY KEY, member_id int NOT NULL REFERENCES members, body text NOT NULL);
";

/// Writes three transactions of two people; returns the instant between the first two.
pub fn load(database: &Database) -> DateTime<Utc> {
    let conn = &mut database.connect();
    run(conn, TABLES);
    models().install(conn).unwrap();
    let context = |id| {
        AuditContext::builder(ActorRef::user(id).unwrap())
            .correlation_id("c-1")
            .build()
            .unwrap()
    };
    let sql = |conn: &mut PgConnection, context: &AuditContext, sql: &str| {
        conn.audited_action::<_, Error, _>(context, "member.changed", |conn| {
            diesel::sql_query(sql).execute(conn)
        })
        .unwrap();
    };
    sql(
        conn,
        &context(1),
        "INSERT INTO members VALUES (7, 'Ada', 'ada@example.com'), (8, 'Bob', '')",
    );
    let instant = value(conn, "SELECT clock_timestamp() AT TIME ZONE 'UTC'").unwrap();
    sql(
        conn,
        &context(2),
        "INSERT INTO notes VALUES (1, 7, 'first'), (2, 7, 'second')",
    );
    sql(
        conn,
        &context(2),
        "UPDATE members SET name = 'Ada Lovelace' WHERE id = 7",
    );
    sql(conn, &context(1), "DELETE FROM members WHERE id = 8");
    run(conn, "INSERT INTO notes VALUES (3, 7, 'nobody''s')");
    record_action(
        conn,
        Action::new("session.opened")
            .actor(ActorRef::anonymous())
            .failed(),
    )
    .unwrap();
    post(conn).unwrap();
    format!("{}Z", instant.replace(' ', "T")).parse().unwrap()
}

/// The result on a connection of each kind.
macro_rules! both {
    ($blocking:ident, $asynchronous:ident, $conn:ident => $call:expr) => {{
        let blocking = {
            let $conn = &mut $blocking;
            format!("{:#?}", $call)
        };
        let asynchronous = {
            let $conn = &mut $asynchronous;
            format!("{:#?}", $call.await)
        };
        assert_eq!(blocking, asynchronous, "{}", stringify!($call));
        assert!(blocking.contains('\n'), "{}: {blocking}", stringify!($call));
    }};
}

#[tokio::test]
async fn answers_are_the_same_on_both_kinds_of_connection() {
    let database = Database::new();
    let instant = load(&database);
    let mut blocking = database.connect();
    let mut asynchronous = connect(&database).await;
    let user = ActorRef::user(2).unwrap();
    let member = Member {
        id: 7,
        name: String::new(),
        email: String::new(),
    };
    let models = models();
    let filter = Filter::new().actor(&user);

    both!(blocking, asynchronous, conn => member.history(conn));
    both!(blocking, asynchronous, conn => history(conn, &member));
    both!(blocking, asynchronous, conn => Member::history_of(conn, 8));
    both!(blocking, asynchronous, conn => History::<Member, _>::of_key(7).limit(1).page(conn));
    both!(blocking, asynchronous, conn => member.history_with(conn, [Note::of(notes::member_id)]));
    both!(blocking, asynchronous, conn => History::<Member, _>::of_key(7).with([Note::referring()]).page(conn));
    both!(blocking, asynchronous, conn => member.versions(conn));
    both!(blocking, asynchronous, conn => Member::versions_of(conn, 8));
    both!(blocking, asynchronous, conn => Member::as_of(conn, 7, instant));
    both!(blocking, asynchronous, conn => Member::as_of(conn, 8, Utc::now()));
    both!(blocking, asynchronous, conn => Member::as_of_json(conn, 7, instant));
    both!(blocking, asynchronous, conn => member.blame(conn));
    both!(blocking, asynchronous, conn => Member::blame_of(conn, 8));
    both!(blocking, asynchronous, conn => timeline(Filter::new()).limit(3).page(conn));
    both!(blocking, asynchronous, conn => timeline(filter.clone()).count(conn));
    both!(blocking, asynchronous, conn => timeline(filter.clone()).count_up_to(conn, 2));
    both!(blocking, asynchronous, conn => timeline(filter.clone()).count_other_actions(conn));
    both!(blocking, asynchronous, conn => summary(conn, &filter));
    both!(blocking, asynchronous, conn => actor_history(&user).page(conn));
    both!(blocking, asynchronous, conn => actions(ActionFilter::new()).page(conn));
    both!(blocking, asynchronous, conn => actions(ActionFilter::new()).count(conn));
    both!(blocking, asynchronous, conn => transaction(conn, 1));
    both!(blocking, asynchronous, conn => correlated(conn, "c-1"));
    both!(blocking, asynchronous, conn => models.status(conn));
    both!(blocking, asynchronous, conn => models.health(conn));
    both!(blocking, asynchronous, conn => models.verify().run(conn));
    both!(blocking, asynchronous, conn => models.verify().table("members").run_in_steps(conn, 1, |_| std::ops::ControlFlow::Continue(())));
    both!(blocking, asynchronous, conn => waiting(conn));
    both!(blocking, asynchronous, conn => post(conn));
    both!(blocking, asynchronous, conn => purge_preview(conn));
    both!(blocking, asynchronous, conn => purge(conn));
    both!(blocking, asynchronous, conn => erasures(conn));

    let past = Member::as_of(&mut asynchronous, 7, instant).await.unwrap();
    let past = past.unwrap();
    assert_eq!((past.id, &*past.name, &*past.email), (7, "Ada", "***"));
    let versions = Note::versions_of(&mut asynchronous, 2).await.unwrap();
    let note = versions[0].record.as_ref().unwrap();
    assert_eq!((note.id, note.member_id, &*note.body), (2, 7, "second"));

    // Queries that fail.
    both!(blocking, asynchronous, conn => Missing::history_of(conn, 1));
    both!(blocking, asynchronous, conn => timeline(Filter::new().table("memberz")).page(conn));
    both!(blocking, asynchronous, conn => suspend(conn, "outside of a transaction"));
    both!(blocking, asynchronous, conn => revert_transaction(conn, 99_999));
    both!(blocking, asynchronous, conn => release_hold(conn, 99, "there is none"));
}

/// Changes are made on two identical databases.
#[tokio::test]
async fn writes_are_the_same_on_both_kinds_of_connection() {
    let first = Database::new();
    let second = Database::new();
    let before = load(&first);
    let mut blocking = first.connect();
    let before_too = load(&second);
    let mut asynchronous = connect(&second).await;

    Member::revert_to(&mut blocking, 7, before).unwrap();
    Member::revert_to(&mut asynchronous, 7, before_too)
        .await
        .unwrap();
    let nobodys = Note::history_of(&mut blocking, 3).unwrap().remove(0);
    let nobodys = nobodys.transaction.id;
    revert_transaction(&mut blocking, nobodys).unwrap();
    revert_transaction(&mut asynchronous, nobodys)
        .await
        .unwrap();
    let inserted = Note::history_of(&mut blocking, 2).unwrap().remove(0);
    let (inserted, left) = (inserted.transaction.id, [inserted.id]);
    let actor = || AuditContext::new(ActorRef::admin("grace").unwrap());
    actor()
        .scope(|| revert_transaction_but(&mut blocking, inserted, &left))
        .unwrap();
    let done = revert_transaction_but(&mut asynchronous, inserted, &left);
    threadline::InContextExt::in_context(done, actor())
        .await
        .unwrap();

    let hold = || Hold::new("case 12").record("members", "7");
    let held = hold().place(&mut blocking).unwrap();
    assert_eq!(hold().place(&mut asynchronous).await.unwrap(), held);
    release_hold(&mut blocking, held, "closed").unwrap();
    release_hold(&mut asynchronous, held, "closed")
        .await
        .unwrap();
    let erase = || Erasure::of("members", "7", "request 12").column("name");
    let erased = erase().erase(&mut blocking).unwrap();
    let erased_too = erase().erase(&mut asynchronous).await.unwrap();
    assert!(erased.changes > 0);
    assert_eq!(erased.changes, erased_too.changes);

    let contents = "SELECT string_agg(concat_ws(' ', key, op, changed_from, changed_to, row_data, actor_id), E'\\n' ORDER BY id)
                    FROM threadline.changes";
    let seen = value(&mut first.connect(), contents);
    assert!(
        seen.as_ref().is_some_and(|seen| seen.lines().count() > 8),
        "{seen:?}"
    );
    assert_eq!(seen, value(&mut second.connect(), contents));
}

#[tokio::test]
async fn the_audit_is_installed_on_an_asynchronous_connection() {
    let database = Database::empty();
    run(&mut database.connect(), TABLES);
    let conn = &mut connect(&database).await;
    models().install(conn).await.unwrap();
    models().install(conn).await.unwrap();
    assert!(models().status(conn).await.unwrap().is_current());
    run(
        &mut database.connect(),
        "INSERT INTO members VALUES (1, 'Ada', ''); DROP TABLE notes",
    );
    assert_eq!(Member::history_of(conn, 1).await.unwrap().len(), 1);
    let error = models().install(conn).await.unwrap_err();
    assert!(error.to_string().contains("`Note`"), "{error}");
    // The failure left nothing open.
    models![Member].install(conn).await.unwrap();
}

/// The synchronous interface of an asynchronous connection is a synchronous connection.
#[test]
fn a_wrapped_connection_reads_and_writes() {
    let database = Database::new();
    load(&database);
    let mut conn = AsyncConnectionWrapper::<AsyncPgConnection>::establish(&database.url()).unwrap();
    let context = AuditContext::new(ActorRef::user(5).unwrap());
    conn.audited_transaction::<_, Error, _>(&context, |conn| {
        let nested = AuditContext::new(ActorRef::user(6).unwrap());
        conn.audited_transaction::<_, Error, _>(&nested, |conn| {
            diesel::sql_query("UPDATE members SET name = 'Nested'").execute(conn)
        })?;
        diesel::sql_query("UPDATE members SET name = 'Last'").execute(conn)
    })
    .unwrap();
    let changes = Member::history_of(&mut conn, 7).unwrap();
    let actors: Vec<_> = changes[..2]
        .iter()
        .map(|change| change.actor().unwrap().to_string())
        .collect();
    assert_eq!(actors, ["user:5", "user:6"]);
}
