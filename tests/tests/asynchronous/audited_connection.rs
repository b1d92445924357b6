//! Code without any reference to the audit, on connections that carry the current
//! context.

use std::pin::Pin;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::result::Error;
use diesel_async::pooled_connection::{
    AsyncDieselConnectionManager, ManagerConfig, bb8, deadpool, mobc,
};
use diesel_async::{
    AsyncConnection, AsyncPgConnection, RunQueryDsl, SaveChangesDsl, SimpleAsyncConnection,
};
use threadline::{AsyncAuditExt, Audited, AuditedConnection, InContextExt, record_action};
use threadline_tests::notes::{Note, notes};
use threadline_tests::{Database, Sent, value};

use super::{
    assert_all_or_nothing, assert_context_sent_with_begin, assert_recorded, at_each_await, cut,
    database, insert, kept, over, recorded, requests, user,
};

type Conn = AuditedConnection<AsyncPgConnection>;

async fn connect(database: &Database) -> Conn {
    Conn::establish(&database.url()).await.unwrap()
}

/// Opens a connection that gives single statements the context, too.
async fn autocommitting(database: &Database) -> Conn {
    let mut conn = connect(database).await;
    conn.autocommit_in_context(true);
    conn
}

/// Foreign code. In a box, because rustc cannot see for every connection that it can be
/// sent: <https://github.com/rust-lang/rust/issues/100013>.
fn foreign<C>(
    conn: &mut C,
    [outer, nested]: [i32; 2],
) -> Pin<Box<dyn Future<Output = QueryResult<usize>> + Send + '_>>
where
    C: AsyncConnection<Backend = Pg>,
{
    Box::pin(conn.transaction::<_, Error, _>(async move |conn| {
        insert(conn, outer).await?;
        conn.transaction::<_, Error, _>(async move |conn| insert(conn, nested).await)
            .await
    }))
}

#[tokio::test]
async fn a_plain_transaction_carries_the_current_context() {
    let database = database();
    let mut conn = connect(&database).await;
    foreign(&mut conn, [1, 2])
        .in_context(user(1))
        .await
        .unwrap();
    foreign(&mut conn, [3, 4])
        .in_context(user(2))
        .await
        .unwrap();
    foreign(&mut conn, [5, 6]).await.unwrap();
    let failed = conn
        .transaction::<(), Error, _>(async |conn| {
            insert(conn, 7).await?;
            Err(Error::NotFound)
        })
        .in_context(user(3))
        .await;
    assert_eq!(failed, Err(Error::NotFound));
    insert(&mut conn, 8).in_context(user(4)).await.unwrap();
    assert_recorded(
        &mut database.connect(),
        [
            "1 | user:1 | task-local",
            "2 | user:1 | task-local",
            "3 | user:2 | task-local",
            "4 | user:2 | task-local",
            "5 | - | none",
            "6 | - | none",
            "8 | - | none",
        ],
    );
}

#[tokio::test]
async fn a_context_inside_of_a_plain_transaction_ends_with_its_savepoint() {
    let database = database();
    let mut conn = connect(&database).await;
    conn.transaction::<_, Error, _>(async |conn| {
        insert(conn, 1).await?;
        conn.audited_transaction::<_, Error, _>(&user(2), async |conn| foreign(conn, [2, 3]).await)
            .await?;
        let undone = conn
            .audited_transaction::<(), Error, _>(&user(3), async |conn| {
                insert(conn, 4).await?;
                Err(Error::NotFound)
            })
            .await;
        assert_eq!(undone, Err(Error::NotFound));
        insert(conn, 5).await
    })
    .in_context(user(1))
    .await
    .unwrap();
    let seen = recorded(&mut database.connect());
    let actors: Vec<_> = seen.iter().map(|change| &change[..10]).collect();
    assert_eq!(
        actors,
        ["1 | user:1", "2 | user:2", "3 | user:2", "5 | user:1"]
    );
}

#[tokio::test]
async fn a_built_transaction_has_its_isolation_level_and_the_current_context() {
    let database = database();
    let mut conn = connect(&database).await;
    let work = async {
        conn.build_transaction()
            .serializable()
            .run::<_, Error, _>(async |conn| {
                conn.batch_execute(
                    "INSERT INTO notes VALUES (1, current_setting('transaction_isolation'))",
                )
                .await
            })
            .await
    };
    work.in_context(user(1)).await.unwrap();
    let conn = &mut database.connect();
    assert_recorded(conn, ["1 | user:1 | task-local"]);
    let level = value(conn, "SELECT body FROM notes");
    assert_eq!(level.as_deref(), Some("serializable"));
}

#[tokio::test]
async fn a_statement_outside_of_transactions_carries_the_context_by_choice() {
    let database = database();
    let mut conn = autocommitting(&database).await;
    // The future is created before its context is current.
    let made_before = diesel::sql_query("INSERT INTO notes VALUES (1, 'text')").execute(&mut conn);
    made_before.in_context(user(1)).await.unwrap();

    let everything = async {
        let note: Note = diesel::insert_into(notes::table)
            .values((notes::id.eq(2), notes::body.eq("text")))
            .returning(Note::as_returning())
            .get_result(&mut conn)
            .await?;
        let changed = Note {
            body: "other".into(),
            ..note
        };
        let note: Note = changed.save_changes(&mut conn).await?;
        assert_eq!(note.body, "other");
        conn.batch_execute("DELETE FROM notes WHERE id = 2; INSERT INTO notes VALUES (3, 'text')")
            .await?;
        let twice = insert(&mut conn, 3).await;
        assert!(matches!(twice, Err(Error::DatabaseError(..))), "{twice:?}");
        foreign(&mut conn, [4, 5]).await?;
        assert_eq!(notes::table.count().get_result(&mut conn).await, Ok(4_i64));
        QueryResult::Ok(())
    };
    everything.in_context(user(2)).await.unwrap();
    insert(&mut conn, 6).await.unwrap();

    let seen = recorded(&mut database.connect());
    assert_eq!(seen.len(), 8, "{seen:?}");
    assert_eq!(seen[0], "1 | user:1 | task-local");
    assert_eq!(seen[7], "6 | - | none");
    assert!(
        seen[1..7]
            .iter()
            .all(|change| change.ends_with("user:2 | task-local")),
        "{seen:?}"
    );
}

#[tokio::test]
async fn the_audit_is_read_and_written_on_it() {
    let database = database();
    let mut conn = autocommitting(&database).await;
    insert(&mut conn, 1).in_context(user(1)).await.unwrap();
    let history = Note::history_of(&mut conn, 1)
        .in_context(user(2))
        .await
        .unwrap();
    assert_eq!(history.len(), 1);
    let action = record_action(&mut conn, "note.read")
        .in_context(user(2))
        .await
        .unwrap();
    assert_eq!(action.actor.to_string(), "user:2");
    let all = Note::all_as_of(&mut conn, chrono::Utc::now() - chrono::TimeDelta::days(1)).await;
    assert!(all.is_err(), "before the audit");
}

#[tokio::test]
async fn transactions_of_a_test_carry_the_context_that_is_current_then() {
    let database = database();
    let mut conn = autocommitting(&database).await;
    conn.begin_test_transaction().await.unwrap();
    foreign(&mut conn, [1, 2])
        .in_context(user(1))
        .await
        .unwrap();
    insert(&mut conn, 3).in_context(user(2)).await.unwrap();
    let twice = insert(&mut conn, 3).in_context(user(2)).await;
    assert!(twice.is_err());
    conn.batch_execute("INSERT INTO notes VALUES (4, 'text')")
        .in_context(user(3))
        .await
        .unwrap();
    foreign(&mut conn, [5, 6]).await.unwrap();
    assert_eq!(
        actors(&mut conn).await,
        "1 user:1, 2 user:1, 3 user:2, 4 user:3, 5 -, 6 -"
    );
    drop(conn);

    let mut conn = autocommitting(&database).await;
    let seen = conn
        .test_transaction::<_, Error, _>(async |conn| {
            foreign(conn, [1, 2]).in_context(user(1)).await?;
            insert(conn, 3).in_context(user(2)).await?;
            Ok(actors(conn).await)
        })
        .await;
    assert_eq!(seen, "1 user:1, 2 user:1, 3 user:2");
    assert_eq!(kept(&mut database.connect()), Vec::<String>::new());
}

#[derive(QueryableByName)]
struct Actors {
    #[diesel(sql_type = diesel::sql_types::Text)]
    actors: String,
}

async fn actors(conn: &mut Conn) -> String {
    let query = "SELECT string_agg(concat(key ->> 'id', ' ', coalesce(actor_type || ':' || actor_id, '-')), ', ' ORDER BY id) AS actors
                 FROM threadline.changes";
    let found: Actors = diesel::sql_query(query).get_result(conn).await.unwrap();
    found.actors
}

#[tokio::test]
async fn a_context_costs_no_message() {
    let database = database();
    let mut conn = connect(&database).await;
    let sent = Sent::default();
    conn.set_instrumentation(sent.log());
    conn.transaction::<_, Error, _>(async |conn| insert(conn, 1).await)
        .in_context(user(1))
        .await
        .unwrap();
    assert_context_sent_with_begin(&sent);
}

/// Returns a connection on which a transaction is dropped after so many polls, and whether it
/// completed before.
async fn cut_transaction(polls: usize) -> (Database, Conn, bool) {
    let database = database();
    let mut conn = autocommitting(&database).await;
    let work = foreign(&mut conn, [1, 2]).in_context(user(1));
    let whole = cut(work, polls).await.is_some();
    (database, conn, whole)
}

#[tokio::test]
async fn a_transaction_that_is_dropped_does_not_lend_its_context() {
    at_each_await(4, async |polls| {
        let (database, mut conn, whole) = cut_transaction(polls).await;
        insert(&mut conn, 3).await.unwrap();
        let next = foreign(&mut conn, [4, 5]).in_context(user(4)).await;
        let first = ["1 | user:1 | task-local", "2 | user:1 | task-local"];
        let last = ["4 | user:4 | task-local", "5 | user:4 | task-local"];
        let mut expected = vec!["3 | - | none"];
        match next {
            Ok(_) => expected.extend(last),
            Err(Error::BrokenTransactionManager) => assert!(!whole, "{polls} polls"),
            Err(error) => panic!("{polls} polls: {error}"),
        }
        let seen = recorded(&mut database.connect());
        assert_all_or_nothing(&seen, polls, whole, &first, &expected);
        whole
    })
    .await;
}

/// On a connection that is broken no transaction begins, also none for a single statement.
#[tokio::test]
async fn a_statement_after_a_dropped_transaction_does_not_lose_its_context() {
    at_each_await(4, async |polls| {
        let (database, mut conn, whole) = cut_transaction(polls).await;
        let statement = insert(&mut conn, 3).in_context(user(3)).await;
        let batch = conn
            .batch_execute("INSERT INTO notes VALUES (4, 'a')")
            .in_context(user(4))
            .await;
        let mut expected = vec![];
        for (done, change) in [
            (statement.map(|_| ()), "3 | user:3 | task-local"),
            (batch, "4 | user:4 | task-local"),
        ] {
            match done {
                Ok(()) => expected.push(change),
                Err(Error::BrokenTransactionManager) => assert!(!whole, "{polls} polls"),
                Err(error) => panic!("{polls} polls: {error}"),
            }
        }
        let first = ["1 | user:1 | task-local", "2 | user:1 | task-local"];
        let seen = recorded(&mut database.connect());
        assert_all_or_nothing(&seen, polls, whole, &first, &expected);
        whole
    })
    .await;
}

#[tokio::test]
async fn a_statement_that_is_dropped_does_not_lend_its_context() {
    at_each_await(3, async |polls| {
        let database = database();
        let mut conn = autocommitting(&database).await;
        let whole = cut(insert(&mut conn, 1).in_context(user(1)), polls)
            .await
            .is_some();
        insert(&mut conn, 2).await.unwrap();
        insert(&mut conn, 3).in_context(user(3)).await.unwrap();
        foreign(&mut conn, [4, 5])
            .in_context(user(4))
            .await
            .unwrap();
        let seen = recorded(&mut database.connect());
        let expected = [
            "2 | - | none",
            "3 | user:3 | task-local",
            "4 | user:4 | task-local",
            "5 | user:4 | task-local",
        ];
        assert_all_or_nothing(&seen, polls, whole, &["1 | user:1 | task-local"], &expected);
        whole
    })
    .await;
}

#[tokio::test]
async fn a_statement_of_a_test_that_is_dropped_leaves_the_test_whole() {
    at_each_await(5, async |polls| {
        let database = database();
        let mut conn = autocommitting(&database).await;
        conn.begin_test_transaction().await.unwrap();
        let whole = cut(insert(&mut conn, 1).in_context(user(1)), polls)
            .await
            .is_some();
        insert(&mut conn, 2).await.unwrap();
        insert(&mut conn, 3).in_context(user(3)).await.unwrap();
        let seen = actors(&mut conn).await;
        assert!(
            seen == "2 -, 3 user:3" && !whole || seen == "1 user:1, 2 -, 3 user:3",
            "{polls} polls: {seen}"
        );
        whole
    })
    .await;
}

fn manager(database: &Database) -> AsyncDieselConnectionManager<Conn> {
    let mut config = ManagerConfig::default();
    config.custom_setup = Box::new(|url| {
        Box::pin(async move {
            let mut conn = Conn::establish(url).await?;
            conn.autocommit_in_context(true);
            Ok(conn)
        })
    });
    AsyncDieselConnectionManager::new_with_config(database.url(), config)
}

fn pool_of(database: &Database, size: usize) -> deadpool::Pool<Conn> {
    deadpool::Pool::builder(manager(database))
        .max_size(size)
        .build()
        .unwrap()
}

/// One connection, on which a transaction is dropped at each await point, and the next
/// requests that get it.
macro_rules! lent_again {
    ($pool:expr) => {{
        at_each_await(4, async |polls| {
            let database = database();
            let pool = $pool(&database).await;
            let whole = {
                let mut conn = pool.get().await.unwrap();
                cut(foreign(&mut conn, [1, 2]).in_context(user(1)), polls)
                    .await
                    .is_some()
            };
            let next = async {
                insert(&mut pool.get().await.unwrap(), 3).await.unwrap();
                foreign(&mut pool.get().await.unwrap(), [4, 5])
                    .await
                    .unwrap();
            };
            next.in_context(user(2)).await;
            insert(&mut pool.get().await.unwrap(), 6).await.unwrap();
            let mut seen = recorded(&mut database.connect());
            // A commit that was sent may take effect after changes of another connection.
            seen.sort();
            let expected = [
                "3 | user:2 | task-local",
                "4 | user:2 | task-local",
                "5 | user:2 | task-local",
                "6 | - | none",
            ];
            let first = ["1 | user:1 | task-local", "2 | user:1 | task-local"];
            assert_all_or_nothing(&seen, polls, whole, &first, &expected);
            whole
        })
        .await;
    }};
}

#[tokio::test]
async fn a_connection_of_deadpool_does_not_lend_its_context() {
    lent_again!(async |database: &Database| pool_of(database, 1));
}

#[tokio::test]
async fn a_connection_of_bb8_does_not_lend_its_context() {
    lent_again!(async |database: &Database| bb8::Pool::builder()
        .max_size(1)
        .build(manager(database))
        .await
        .unwrap());
}

#[tokio::test]
async fn a_connection_of_mobc_carries_the_context() {
    let database = database();
    let pool = mobc::Pool::builder().max_open(1).build(manager(&database));
    let mut conn = pool.get().await.unwrap();
    foreign(&mut conn, [1, 2])
        .in_context(user(1))
        .await
        .unwrap();
    insert(&mut conn, 3).in_context(user(2)).await.unwrap();
    assert_recorded(
        &mut database.connect(),
        [
            "1 | user:1 | task-local",
            "2 | user:1 | task-local",
            "3 | user:2 | task-local",
        ],
    );
}

/// Diesel knows nothing of it.
#[tokio::test]
async fn a_transaction_begun_by_hand_carries_its_context_and_no_pool_lends_it_again() {
    let database = database();
    let pool = pool_of(&database, 1);
    for (id, begin, end) in [
        (1, "BEGIN", Some("COMMIT")),
        (2, "start transaction", Some("END")),
        (3, "BEGIN", None),
        (4, "BEGIN", Some("ROLLBACK")),
    ] {
        async {
            let mut conn = pool.get().await.unwrap();
            // As a query, then as a batch.
            if id % 2 == 1 {
                diesel::sql_query(begin).execute(&mut conn).await.unwrap();
            } else {
                conn.batch_execute(begin).await.unwrap();
            }
            let insert = format!("INSERT INTO notes VALUES ({id}, 'a')");
            diesel::sql_query(insert).execute(&mut conn).await.unwrap();
            if let Some(end) = end {
                diesel::sql_query(end).execute(&mut conn).await.unwrap();
            }
        }
        .in_context(user(id))
        .await;
    }
    insert(&mut pool.get().await.unwrap(), 5).await.unwrap();
    assert_recorded(
        &mut database.connect(),
        [
            "1 | user:1 | task-local",
            "2 | user:2 | task-local",
            "5 | - | none",
        ],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_over_four_connections_keep_their_own_actors_when_some_are_cancelled() {
    const REQUESTS: i32 = 300;
    let database = database();
    let pool = pool_of(&database, 4);
    let requests = requests(&pool, REQUESTS, |pool, number| async move {
        let mut conn = pool.get().await.unwrap();
        insert(&mut conn, number).await?;
        foreign(&mut conn, [REQUESTS + number, 2 * REQUESTS + number]).await
    });
    let conn = &mut database.connect();
    let its_own = "(actor_id::int - (key ->> 'id')::int) % 300 = 0";
    let (done, kept) = over(requests, pool, conn, its_own).await;
    for number in done {
        for id in [number, REQUESTS + number, 2 * REQUESTS + number] {
            assert!(kept.contains(&id.to_string()), "{id} is lost");
        }
    }
}
