//! Keeps the context in which a job was started.

use std::task::{Context, Poll};

use apalis::prelude::{BoxDynError, Metadata, MetadataStore, Task};
use threadline::{AuditContext, InContext};
use tower_layer::Layer;
use tower_service::Service;

/// The context in which a job is started, in the job's metadata: as JSON, which any queue can
/// hold.
#[derive(Debug, Clone, PartialEq)]
pub struct StartedIn(pub AuditContext);

const KEY: &str = "audit_context";

impl Metadata for StartedIn {
    type Error = BoxDynError;

    fn inject(&self, store: &mut MetadataStore) -> Result<(), BoxDynError> {
        Ok(store.insert(KEY, self.0.to_json())?)
    }

    fn extract(store: &MetadataStore) -> Result<Self, BoxDynError> {
        let json = store.get(KEY).ok_or("the job was started in no context")?;
        Ok(Self(AuditContext::from_json(json)?))
    }
}

/// Runs each job with the job as actor and with the ids of the request that started it.
///
/// A job that was started without a context has none; `audited` fails in it.
#[derive(Debug, Clone, Copy)]
pub struct AuditJobs(pub &'static str);

impl<S> Layer<S> for AuditJobs {
    type Service = AuditedJobs<S>;

    fn layer(&self, inner: S) -> AuditedJobs<S> {
        AuditedJobs {
            inner,
            name: self.0,
        }
    }
}

#[derive(Debug, Clone)]
pub struct AuditedJobs<S> {
    inner: S,
    name: &'static str,
}

impl<S, Args> Service<Task<Args>> for AuditedJobs<S>
where
    S: Service<Task<Args>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = InContext<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, task: Task<Args>) -> InContext<S::Future> {
        match context(self.name, &task) {
            // In a tuple, because `scope` takes no closure that returns a future; this one
            // carries the context.
            Some(context) => {
                context
                    .scope(|| (AuditContext::carry_future(self.inner.call(task)),))
                    .0
            }
            None => AuditContext::carry_future(self.inner.call(task)),
        }
    }
}

fn context<Args>(name: &str, task: &Task<Args>) -> Option<AuditContext> {
    let StartedIn(started) = StartedIn::extract(task.metadata()).ok()?;
    let id = task.task_id().map(ToString::to_string).unwrap_or_default();
    started.for_job(name, id).ok()
}
