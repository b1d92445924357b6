//! The job, how it is started, and the worker that runs it.

use std::sync::atomic::{AtomicUsize, Ordering};

use apalis::prelude::{
    BoxDynError, Data, Event, EventListenerExt, MemoryStorage, RandomId, TaskBuilder, TaskId,
    TaskSink, WorkerBuilder,
};
use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use threadline::{AuditContext, AuditExt};

use crate::app::App;
use crate::audit::{AuditJobs, StartedIn};
use crate::schema::accounts;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CreditInterest {
    pub account: i64,
    pub percent: i64,
}

/// Starts a job, and keeps the current context for it.
pub async fn start(
    jobs: &mut MemoryStorage<CreditInterest>,
    job: CreditInterest,
) -> Result<(), BoxDynError> {
    let mut task = TaskBuilder::new(job).task_id(TaskId::from_string(RandomId::default()));
    if let Some(context) = AuditContext::current() {
        task = task.metadata(&StartedIn(context));
    }
    Ok(jobs.push_task(task.build()).await?)
}

/// Runs the job, on a worker, long after the request.
async fn credit(job: CreditInterest, app: Data<App>) -> Result<(), BoxDynError> {
    let interest = accounts::cents * job.percent / 100;
    let update = diesel::update(accounts::table.find(job.account))
        .set(accounts::cents.eq(accounts::cents + interest));
    app.db(move |conn| conn.audited(|conn| Ok(update.execute(conn)?)))
        .await
        .map(drop)
}

/// Runs a worker until `count` jobs are done.
pub async fn run(
    app: App,
    jobs: MemoryStorage<CreditInterest>,
    count: usize,
) -> Result<(), BoxDynError> {
    let done = AtomicUsize::new(0);
    let worker = WorkerBuilder::new("interest")
        .backend(jobs)
        .data(app)
        .layer(AuditJobs("interest"))
        .on_event(move |worker, event| {
            if let Event::Error(error) = event {
                eprintln!("error: {error}");
            }
            let is_end = matches!(event, Event::Error(_) | Event::Success(_));
            if is_end && done.fetch_add(1, Ordering::SeqCst) + 1 == count {
                worker.stop().expect("a worker that runs can be stopped");
            }
        })
        .build(credit);
    Ok(worker.run().await?)
}
