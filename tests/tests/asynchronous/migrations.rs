//! Migrations and the audit itself, installed by connections of diesel-async.

use std::fs;
use std::path::{Path, PathBuf};

use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::AsyncDieselConnectionManager;
use diesel_async::pooled_connection::deadpool::Pool;
use diesel_migrations::FileBasedMigrations;
use threadline_tests::models::{MEMBERS, Member};
use threadline_tests::{Database, assert_rows, rows, scratch_dir};
use tokio::task::JoinSet;

use super::{at_each_await, connect, cut};

fn migration(dir: &Path, name: &str, up: &str) -> PathBuf {
    let dir = dir.join(name);
    fs::create_dir(&dir).unwrap();
    fs::write(dir.join("up.sql"), up).unwrap();
    dir
}

/// Returns a folder of migrations: tables, and their audit.
fn folder() -> PathBuf {
    let dir = scratch_dir();
    migration(&dir, "2020-01-01-000000-0000_tables", MEMBERS);
    threadline::models![Member].generate(&dir).unwrap();
    dir
}

async fn run_pending(
    conn: &mut AsyncPgConnection,
    dir: &Path,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let migrations = FileBasedMigrations::from_path(dir).unwrap();
    threadline::run_pending_migrations(conn, &migrations).await
}

fn versions(database: &Database) -> Vec<String> {
    rows(
        &mut database.connect(),
        "SELECT version FROM __diesel_schema_migrations ORDER BY version",
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn several_processes_run_pending_migrations_at_once() {
    let dir = folder();
    let database = Database::empty();
    let mut pods = JoinSet::new();
    for _ in 0..6 {
        let mut conn = connect(&database).await;
        let dir = dir.clone();
        pods.spawn(async move {
            run_pending(&mut conn, &dir)
                .await
                .map_err(|e| e.to_string())
        });
    }
    assert_eq!(pods.join_all().await, vec![Ok(()); 6]);
    let models = threadline::models![Member];
    let status = models.status(&mut connect(&database).await).await.unwrap();
    assert!(status.is_current());
    assert_eq!(
        versions(&database).len(),
        fs::read_dir(&dir).unwrap().count()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn several_processes_install_at_once() {
    let database = Database::empty();
    threadline_tests::run(&mut database.connect(), MEMBERS);
    let mut pods = JoinSet::new();
    for _ in 0..6 {
        let mut conn = connect(&database).await;
        pods.spawn(async move { threadline::models![Member].install(&mut conn).await });
    }
    for installed in pods.join_all().await {
        installed.unwrap();
    }
    let models = threadline::models![Member];
    let status = models.status(&mut connect(&database).await).await.unwrap();
    assert!(status.is_current());
}

#[tokio::test]
async fn migrations_of_both_kinds_of_connection_are_the_same() {
    let dir = folder();
    let [one, other] = [(); 2].map(|()| Database::empty());
    let manager = AsyncDieselConnectionManager::<AsyncPgConnection>::new(one.url());
    let pool = Pool::builder(manager).build().unwrap();
    let migrations = FileBasedMigrations::from_path(&dir).unwrap();
    threadline::run_pending_migrations(&mut pool.get().await.unwrap(), &migrations)
        .await
        .unwrap();
    threadline::run_pending_migrations(&mut other.connect(), &migrations).unwrap();
    assert_eq!(versions(&one), versions(&other));
    // One kind does not run again what the other has run.
    threadline::run_pending_migrations(&mut one.connect(), &migrations).unwrap();
    run_pending(&mut connect(&other).await, &dir).await.unwrap();
}

#[tokio::test]
async fn a_migration_that_fails_is_named_and_those_before_it_are_in_force() {
    let dir = scratch_dir();
    migration(
        &dir,
        "2020-01-01-000000-0000_first",
        "CREATE TABLE first (id int);",
    );
    let second = migration(
        &dir,
        "2020-01-02-000000-0000_second",
        "CREATE TABLE second (id int); SELECT 1 / 0;",
    );
    let database = Database::empty();
    let conn = &mut connect(&database).await;
    let error = run_pending(conn, &dir).await.unwrap_err().to_string();
    assert_eq!(
        error,
        "migration 2020-01-02-000000-0000_second failed: division by zero"
    );
    assert_eq!(versions(&database), ["202001010000000000"]);
    fs::write(second.join("up.sql"), "CREATE TABLE second (id int);").unwrap();
    run_pending(conn, &dir).await.unwrap();
    assert_eq!(versions(&database).len(), 2);
}

#[tokio::test]
async fn a_migration_that_no_transaction_may_hold_runs_in_none() {
    let dir = scratch_dir();
    migration(
        &dir,
        "2020-01-01-000000-0000_first",
        "CREATE TABLE first (id int);",
    );
    let index = migration(
        &dir,
        "2020-01-02-000000-0000_index",
        "CREATE INDEX CONCURRENTLY first_id ON first (id);",
    );
    fs::write(index.join("metadata.toml"), "run_in_transaction = false").unwrap();
    migration(
        &dir,
        "2020-01-03-000000-0000_last",
        "ALTER TABLE first ADD note text;",
    );
    let database = Database::empty();
    run_pending(&mut connect(&database).await, &dir)
        .await
        .unwrap();
    assert_eq!(versions(&database).len(), 3);
    assert_rows(
        &mut database.connect(),
        "SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'first'::regclass",
        ["first_id"],
    );
}

#[tokio::test]
async fn a_start_that_is_dropped_in_the_middle_leaves_whole_migrations() {
    let dir = folder();
    let all = fs::read_dir(&dir).unwrap().count();
    at_each_await(5, async |polls| {
        let database = Database::empty();
        let whole = {
            let conn = &mut connect(&database).await;
            cut(run_pending(conn, &dir), polls).await.is_some()
        };
        run_pending(&mut connect(&database).await, &dir)
            .await
            .unwrap();
        assert_eq!(versions(&database).len(), all, "{polls} polls");
        whole
    })
    .await;
}
