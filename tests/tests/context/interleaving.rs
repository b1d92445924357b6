//! Overlapping requests, on runtimes of one thread (as actix-web's workers and `LocalSet`
//! are) and of several.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, Pool};
use threadline::{AuditContext, AuditExt, InContextExt, is_actor_required};
use threadline_tests::{Database, rows, run};
use tokio::runtime::{Builder, Runtime};
use tokio::task::{JoinSet, LocalSet, spawn_blocking, spawn_local, yield_now};

use super::futures::pause;
use super::{NOTES, assert_recorded, insert, user};

type Connections = Pool<ConnectionManager<PgConnection>>;

fn one_thread() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

fn write(pool: &Connections, id: i32) -> QueryResult<usize> {
    pool.get()
        .unwrap()
        .audited_or_plain(|conn| insert(conn, id))
}

/// Writes three rows, and lets the others write between them.
async fn request(pool: Connections, id: i32) {
    for step in 0..3 {
        write(&pool, id * 10 + step).unwrap();
        pause().await;
    }
}

#[test]
fn overlapping_requests_on_one_thread_are_each_their_own_users() {
    let database = Database::new();
    let pool = database.pool(1);
    run(&mut pool.get().unwrap(), NOTES);
    one_thread().block_on(LocalSet::new().run_until(async {
        // Not Send, as in handlers of actix-web.
        let local = std::rc::Rc::new(());
        let handle = |id| {
            let (pool, local) = (pool.clone(), local.clone());
            async move {
                request(pool, id).await;
                drop(local);
            }
        };
        let tasks = [
            spawn_local(handle(1).in_context(user(1))),
            spawn_local(handle(2).in_context(user(2))),
            spawn_local(handle(3)),
        ];
        for task in tasks {
            task.await.unwrap();
        }
    }));
    assert_recorded(
        &mut database.connect(),
        [
            "10 | user:1 | task-local",
            "20 | user:2 | task-local",
            "30 | - | none",
            "11 | user:1 | task-local",
            "21 | user:2 | task-local",
            "31 | - | none",
            "12 | user:1 | task-local",
            "22 | user:2 | task-local",
            "32 | - | none",
        ],
    );
}

#[test]
fn branches_of_one_task_keep_their_contexts() {
    let database = Database::new();
    let pool = database.pool(1);
    run(&mut pool.get().unwrap(), NOTES);
    one_thread().block_on(async {
        let branches = async {
            tokio::join!(
                biased;
                request(pool.clone(), 1),
                request(pool.clone(), 2).in_context(user(2)),
            );
            user(3).scope(|| write(&pool, 30)).unwrap();
            write(&pool, 40).unwrap();
        };
        branches.in_context(user(1)).await;
    });
    assert_recorded(
        &mut database.connect(),
        [
            "10 | user:1 | task-local",
            "20 | user:2 | task-local",
            "11 | user:1 | task-local",
            "21 | user:2 | task-local",
            "12 | user:1 | task-local",
            "22 | user:2 | task-local",
            "30 | user:3 | thread-local",
            "40 | user:1 | task-local",
        ],
    );
}

#[test]
fn a_spawned_task_has_a_context_only_if_it_is_carried() {
    let database = Database::new();
    let pool = database.pool(2);
    run(
        &mut pool.get().unwrap(),
        "CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL);
         SELECT threadline.audit('notes', require_actor => true)",
    );
    let write = |id| {
        let pool = pool.clone();
        move || write(&pool, id)
    };
    let refused = |result: QueryResult<usize>| is_actor_required(&result.unwrap_err());
    let work = async {
        let task = write(1);
        assert!(refused(tokio::spawn(async move { task() }).await.unwrap()));
        assert!(refused(spawn_blocking(write(2)).await.unwrap()));
        let task = write(3);
        let carried = AuditContext::carry_future(async move {
            yield_now().await;
            task()
        });
        assert_eq!(tokio::spawn(carried).await.unwrap(), Ok(1));
        let carried = AuditContext::carry(write(4));
        assert_eq!(spawn_blocking(carried).await.unwrap(), Ok(1));
        write(5)()
    };
    let runtime = one_thread();
    assert_eq!(runtime.block_on(work.in_context(user(1))), Ok(1));
    assert_recorded(
        &mut database.connect(),
        [
            "3 | user:1 | task-local",
            "4 | user:1 | thread-local",
            "5 | user:1 | task-local",
        ],
    );
}

/// The other tasks of an executor are polled inside of `block_on`.
#[test]
fn block_on_gives_its_context_to_its_future_and_to_no_other_task() {
    let runtime = one_thread();
    let other = runtime.spawn(async { AuditContext::current() });
    let other = runtime.block_on(
        async {
            let other = other.await.unwrap();
            assert_eq!(AuditContext::current(), Some(user(1)));
            other
        }
        .in_context(user(1)),
    );
    assert_eq!(other, None);
    // In a scope, a task without a context gets the scope's, and one with a context keeps
    // it.
    let own = runtime.spawn(async { AuditContext::current() }.in_context(user(2)));
    let own = user(1).scope(|| runtime.block_on(own).unwrap());
    assert_eq!(own, Some(user(2)));
    assert_eq!(AuditContext::current(), None);
}

const REQUESTS: i32 = 500;

#[test]
fn no_actor_leaks_between_requests_on_one_worker() {
    stress(one_thread());
}

#[test]
fn no_actor_leaks_between_requests_on_several_workers() {
    let mut workers = Builder::new_multi_thread();
    stress(workers.worker_threads(4).enable_time().build().unwrap());
}

/// Each request writes rows with its name in their keys, between awaits, on the worker and
/// on threads for blocking work. A fifth panics, a fifth is cancelled, a fifth times out,
/// and a guard writes a row when it is dropped.
fn stress(runtime: Runtime) {
    let database = Database::new();
    let pool = database.pool(4);
    run(&mut pool.get().unwrap(), NOTES);
    let written = Arc::new(AtomicUsize::new(0));
    let (mut panicked, mut cancelled) = (0, 0);
    runtime.block_on(async {
        let mut requests = JoinSet::new();
        let mut abort = Vec::new();
        for number in 0..REQUESTS {
            let row = Row {
                pool: pool.clone(),
                written: written.clone(),
                number,
            };
            let handle = match number % 10 {
                // Without a context, between all the others.
                9 => requests.spawn(one_of_many(row)),
                _ => requests.spawn(one_of_many(row).in_context(user(number))),
            };
            if number % 5 == 1 {
                abort.push(handle);
            }
        }
        yield_now().await;
        abort.iter().for_each(|handle| handle.abort());
        while let Some(done) = requests.join_next().await {
            match done {
                Ok(()) => {}
                Err(error) if error.is_panic() => panicked += 1,
                Err(_) => cancelled += 1,
            }
            assert_eq!(AuditContext::current(), None);
        }
    });
    // Waits for blocking work whose request is gone.
    drop(runtime);
    assert_eq!(panicked, REQUESTS / 5);
    assert!(cancelled > 0, "nothing was cancelled");

    let conn = &mut database.connect();
    let actors: BTreeMap<String, String> = rows(
        conn,
        "SELECT key ->> 'id', coalesce(actor_id, '-') FROM threadline.changes",
    )
    .iter()
    .map(|line| line.split_once(" | ").unwrap())
    .map(|(id, actor)| (id.to_owned(), actor.to_owned()))
    .collect();
    let notes = rows(conn, "SELECT id FROM notes");
    assert_eq!(notes.len(), written.load(Ordering::SeqCst));
    assert_eq!(actors.len(), notes.len(), "a change was lost or invented");
    for (id, actor) in actors {
        let number = id.parse::<i32>().unwrap() / 100;
        let expected = match number % 10 {
            9 => "-".to_owned(),
            _ => number.to_string(),
        };
        assert_eq!(actor, expected, "the change of {id}");
    }
}

#[derive(Clone)]
struct Row {
    pool: Connections,
    written: Arc<AtomicUsize>,
    number: i32,
}

impl Row {
    fn write(&self, step: i32) {
        write(&self.pool, self.number * 100 + step).unwrap();
        self.written.fetch_add(1, Ordering::SeqCst);
    }
}

/// Writes when it is dropped, however its request ends.
struct Last(Row);

impl Drop for Last {
    fn drop(&mut self) {
        self.0.write(99);
    }
}

async fn one_of_many(row: Row) {
    let _last = Last(row.clone());
    for step in 0..4 {
        match (row.number + step) % 3 {
            0 => row.write(step),
            1 => {
                let row = row.clone();
                let work = AuditContext::carry(move || row.write(step));
                spawn_blocking(work).await.unwrap();
            }
            _ => {
                let row = row.clone();
                let work = async move {
                    yield_now().await;
                    row.write(step);
                };
                tokio::spawn(AuditContext::carry_future(work))
                    .await
                    .unwrap();
            }
        }
        if row.number % 5 == 2 && step == 2 {
            // Unwinds through the poll.
            std::panic::resume_unwind(Box::new("on purpose"));
        }
        if row.number % 5 == 3 {
            let never = std::future::pending::<()>();
            let _ = tokio::time::timeout(Duration::from_millis(1), never).await;
        }
        let caught = catch_unwind(AssertUnwindSafe(|| {
            user("nobody").scope(|| -> () { std::panic::resume_unwind(Box::new("on purpose")) })
        }));
        let _: Box<dyn std::any::Any + Send> = caught.unwrap_err();
        yield_now().await;
    }
}
