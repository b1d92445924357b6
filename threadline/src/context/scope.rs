use std::cell::RefCell;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;

use super::carried::Carried;
use super::not_future::NotFuture;
use super::{AuditContext, InContext, Origin};

thread_local! {
    static CURRENT: RefCell<Option<Entry>> = const { RefCell::new(None) };
}

#[derive(Debug)]
struct Entry {
    context: Arc<AuditContext>,
    origin: Origin,
}

/// What is current on this thread until it is dropped, also by a panic. Never handed to a
/// user, who could hold it while the thread works for somebody else.
#[derive(Debug)]
#[must_use]
pub(crate) struct Entered {
    before: Option<Entry>,
    _not_send: PhantomData<*const ()>,
}

impl AuditContext {
    /// Runs `work` with this as the context of [`audited`](crate::AuditExt::audited) on this
    /// thread.
    ///
    /// ```
    /// use threadline::{ActorRef, AuditContext};
    ///
    /// let context = AuditContext::new(ActorRef::user(42)?);
    /// context.scope(|| assert_eq!(AuditContext::current().as_ref(), Some(&context)));
    /// assert_eq!(AuditContext::current(), None);
    /// # Ok::<(), threadline::ContextError>(())
    /// ```
    ///
    /// Scopes nest; each one ends with its closure, also by a panic. Another thread does not
    /// see the context unless it is [carried](Self::carry) there.
    ///
    /// A future does its work after the closure that made it has returned, so a closure
    /// that returns one does not compile. Give the context to the future:
    /// [`in_context`](crate::InContextExt::in_context).
    ///
    /// ```compile_fail,E0282
    /// # use threadline::{ActorRef, AuditContext};
    /// # let context = AuditContext::new(ActorRef::anonymous());
    /// let future = context.scope(|| async { AuditContext::current() });
    /// ```
    ///
    /// An executor that is driven inside of the closure polls its other tasks there too, and
    /// those without a context of their own get this one. Instead of calling `block_on`
    /// inside of a scope, call `block_on(future.in_context(context))`.
    pub fn scope<T, UseInContextForFutures>(&self, work: impl FnOnce() -> T) -> T
    where
        T: NotFuture<UseInContextForFutures>,
    {
        let _entered = self.enter_as(Origin::ThreadLocal);
        work()
    }

    /// Returns a closure that runs `work` in the context that is current now, wherever it is
    /// called: on a new thread, in a thread pool, by `spawn_blocking`.
    ///
    /// ```
    /// use threadline::{ActorRef, AuditContext};
    ///
    /// let context = AuditContext::new(ActorRef::user(42)?);
    /// let thread = context.scope(|| std::thread::spawn(AuditContext::carry(AuditContext::current)));
    /// assert_eq!(thread.join().unwrap(), Some(context));
    /// # Ok::<(), threadline::ContextError>(())
    /// ```
    ///
    /// Without a current context, `work` runs without one, also if the thread that calls it
    /// has one.
    pub fn carry<T, UseInContextForFutures>(work: impl FnOnce() -> T) -> impl FnOnce() -> T
    where
        T: NotFuture<UseInContextForFutures>,
    {
        let carried = Carried::new(work, Self::shared());
        move || carried.run()
    }

    /// Returns `future` in the context that is current now, for an executor's `spawn`.
    ///
    /// Same as [`in_context`](crate::InContextExt::in_context) with the
    /// [current](Self::current) context. Without one, `future` runs without one, wherever it
    /// is polled.
    pub fn carry_future<F: Future>(future: F) -> InContext<F> {
        InContext::new(future, Self::shared())
    }

    /// The context that is current on this thread.
    pub fn current() -> Option<AuditContext> {
        Self::shared().map(Arc::unwrap_or_clone)
    }

    pub(crate) fn enter_as(&self, origin: Origin) -> Entered {
        enter(Some(Arc::new(self.clone())), origin)
    }

    pub(crate) fn current_setting() -> Option<String> {
        current(|entry| entry.context.to_setting(entry.origin))
    }

    fn shared() -> Option<Arc<AuditContext>> {
        current(|entry| Arc::clone(&entry.context))
    }
}

/// Makes `context`, or its absence, current on this thread.
pub(super) fn enter(context: Option<Arc<AuditContext>>, origin: Origin) -> Entered {
    Entered {
        before: replace(context.map(|context| Entry { context, origin })),
        _not_send: PhantomData,
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        replace(self.before.take());
    }
}

/// While a thread ends, its context may be gone before a future that it owns.
fn replace(entry: Option<Entry>) -> Option<Entry> {
    CURRENT
        .try_with(|current| current.replace(entry))
        .unwrap_or_default()
}

fn current<T>(read: impl FnOnce(&Entry) -> T) -> Option<T> {
    CURRENT
        .try_with(|current| current.borrow().as_ref().map(read))
        .unwrap_or_default()
}
