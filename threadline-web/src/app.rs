//! The state of an explorer that runs.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::http::request::Parts;
use threadline::Models;
use tokio::sync::Semaphore;

use crate::access::Access;
use crate::exports::{Exports, Jobs};

/// The function of the host that decides what a request may see.
pub(crate) type Authorize =
    Arc<dyn Fn(Parts) -> Pin<Box<dyn Future<Output = Access> + Send>> + Send + Sync>;

/// The options of an explorer.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) timeout: Duration,
    pub(crate) parallel: usize,
    pub(crate) record_views: bool,
    pub(crate) prefix: Option<String>,
    pub(crate) models: Arc<Models>,
    pub(crate) exports: Exports,
}

/// The state that handlers share.
pub(crate) struct App<P>(Arc<Inner<P>>);

pub(crate) struct Inner<P> {
    pub(crate) pool: P,
    pub(crate) authorize: Authorize,
    pub(crate) options: Options,
    pub(crate) semaphore: Arc<Semaphore>,
    /// The pool of exports in the background.
    pub(crate) export_pool: P,
    pub(crate) jobs: Arc<Jobs>,
}

impl<P> App<P> {
    pub(crate) fn new(pool: P, export_pool: P, authorize: Authorize, options: Options) -> Self {
        Self(Arc::new(Inner {
            pool,
            authorize,
            semaphore: Arc::new(Semaphore::new(options.parallel)),
            export_pool,
            jobs: Arc::new(Jobs::new(options.exports.parallel)),
            options,
        }))
    }
}

impl<P> Clone for App<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<P> std::ops::Deref for App<P> {
    type Target = Inner<P>;

    fn deref(&self) -> &Inner<P> {
        &self.0
    }
}
