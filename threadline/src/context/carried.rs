use std::sync::Arc;

use super::scope::enter;
use super::{AuditContext, Origin};

/// Work, and the context in which it runs, or is dropped if it never runs.
pub(super) struct Carried<F> {
    context: Option<Arc<AuditContext>>,
    work: Option<F>,
}

impl<F> Carried<F> {
    pub(super) fn new(work: F, context: Option<Arc<AuditContext>>) -> Self {
        Self {
            context,
            work: Some(work),
        }
    }

    pub(super) fn run<T>(mut self) -> T
    where
        F: FnOnce() -> T,
    {
        let _entered = enter(self.context.take(), Origin::ThreadLocal);
        let work = self.work.take();
        work.expect("work is there until it is done or dropped")()
    }
}

impl<F> Drop for Carried<F> {
    fn drop(&mut self) {
        if let Some(work) = self.work.take() {
            let _entered = enter(self.context.take(), Origin::ThreadLocal);
            drop(work);
        }
    }
}
