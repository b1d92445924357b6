//! Jobs are recorded with the job as actor, with the ids of the request that started
//! them.

use std::process::Command;

use apalis::prelude::MemoryStorage;
use apalis_jobs::app::App;
use apalis_jobs::jobs::{self, CreditInterest};
use threadline::{ActorRef, AuditContext, InContextExt};
use threadline_tests::{Database, assert_rows, run_under, value};

const JOBS: i64 = 200;

fn job(account: i64) -> CreditInterest {
    CreditInterest {
        account,
        percent: 3,
    }
}

fn setup() -> (Database, App) {
    let database = Database::empty();
    let app = App::open(&database.url()).unwrap();
    (database, app)
}

#[tokio::test]
async fn a_job_is_recorded_under_its_name_with_the_ids_of_its_request() {
    let (database, app) = setup();
    let mut queue = MemoryStorage::new();
    let request = AuditContext::builder(ActorRef::admin("grace").unwrap())
        .request_id("r-1")
        .correlation_id("c-1")
        .build()
        .unwrap();
    jobs::start(&mut queue, job(1))
        .in_context(request)
        .await
        .unwrap();
    assert_eq!(AuditContext::current(), None);
    jobs::run(app, queue, 1).await.unwrap();
    let conn = &mut database.connect();
    assert_rows(
        conn,
        "SELECT actor_type, actor_id, request_id, correlation_id, length(job_id) > 5
         FROM threadline.transactions",
        ["job | interest | r-1 | c-1 | true"],
    );
    assert_rows(
        conn,
        "SELECT changed_from, changed_to FROM threadline.changes",
        [r#"{"cents": 100000} | {"cents": 103000}"#],
    );
}

#[tokio::test]
async fn a_job_that_was_started_by_nobody_writes_nothing() {
    let (database, app) = setup();
    let mut queue = MemoryStorage::new();
    jobs::start(&mut queue, job(1)).await.unwrap();
    let request = AuditContext::new(ActorRef::user(1).unwrap());
    jobs::start(&mut queue, job(2))
        .in_context(request)
        .await
        .unwrap();
    jobs::run(app, queue, 2).await.unwrap();
    assert_rows(
        &mut database.connect(),
        "SELECT key ->> 'id', actor_type FROM threadline.changes",
        ["2 | job"],
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_jobs_keep_each_the_request_that_started_it() {
    let (database, app) = setup();
    let conn = &mut database.connect();
    let admin = AuditContext::new(ActorRef::admin("grace").unwrap());
    run_under(
        conn,
        &admin,
        &format!(
            "INSERT INTO accounts (id, owner, cents)
             SELECT n, n, 100 FROM generate_series(1000, {}) AS n",
            999 + JOBS
        ),
    );
    let mut queue = MemoryStorage::new();
    for account in 1000..1000 + JOBS {
        let context = AuditContext::builder(ActorRef::user(account).unwrap())
            .request_id(account.to_string())
            .build()
            .unwrap();
        jobs::start(&mut queue, job(account))
            .in_context(context)
            .await
            .unwrap();
    }
    jobs::run(app, queue, JOBS as usize).await.unwrap();
    let right = "SELECT count(*) FROM threadline.changes AS c
         JOIN threadline.transactions AS t ON t.id = c.transaction_id
         WHERE t.request_id = c.key ->> 'id' AND t.actor_id = 'interest'";
    assert_eq!(value(conn, right), Some(JOBS.to_string()));
    let jobs = "SELECT count(DISTINCT job_id) FROM threadline.transactions";
    assert_eq!(value(conn, jobs), Some(JOBS.to_string()));
}

#[test]
fn the_readme_shows_what_is_printed() {
    let database = Database::empty();
    let output = Command::new(env!("CARGO_BIN_EXE_apalis-jobs"))
        .env("DATABASE_URL", database.url())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8(output.stdout).unwrap();
    let shown = include_str!("../README.md").split("```text\n").nth(1);
    let shown = shown.and_then(|block| block.split("```").next()).unwrap();
    // Without the time, and the id of the job.
    let without = |text: &str| -> Vec<String> {
        text.lines()
            .map(|line| line.split_once(" UTC ").map_or(line, |(_, rest)| rest))
            .map(|line| line.split_once(", job ").map_or(line, |(first, _)| first))
            .map(str::to_owned)
            .collect()
    };
    assert_eq!(without(&printed), without(shown), "{printed}");
}
