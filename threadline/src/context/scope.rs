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

/// The context that is current on this thread until this guard is dropped, also by a panic.
/// It is never returned to a user, who could hold it while the thread works for another
/// request.
#[derive(Debug)]
#[must_use]
pub(crate) struct Entered {
    before: Option<Entry>,
    _not_send: PhantomData<*const ()>,
}

impl AuditContext {
    /// Runs `work` with this as the current context of the thread, which
    /// [`audited`](crate::AuditExt::audited) uses.
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
    /// Scopes nest; each one ends with its closure, also by a panic. Another thread does
    /// not see the context unless it is [carried](Self::carry) there.
    ///
    /// A future runs after the closure that created it has returned, so a closure that
    /// returns one does not compile. Set the context of the future with
    /// [`in_context`](crate::InContextExt::in_context).
    ///
    /// ```compile_fail,E0282
    /// # use threadline::{ActorRef, AuditContext};
    /// # let context = AuditContext::new(ActorRef::anonymous());
    /// let future = context.scope(|| async { AuditContext::current() });
    /// ```
    ///
    /// An executor that is driven inside the closure polls its other tasks there too, and
    /// tasks without a context of their own run in this one. Instead of calling `block_on`
    /// inside a scope, call `block_on(future.in_context(context))`.
    pub fn scope<T, UseInContextForFutures>(&self, work: impl FnOnce() -> T) -> T
    where
        T: NotFuture<UseInContextForFutures>,
    {
        let _entered = self.enter_as(Origin::ThreadLocal);
        work()
    }

    /// Returns a closure that runs `work` in the context that is current now, whichever
    /// thread calls it: a new thread, a thread pool, or `spawn_blocking`.
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
    /// Without a current context, `work` runs without one, even if the thread that calls it
    /// has one.
    pub fn carry<T, UseInContextForFutures>(work: impl FnOnce() -> T) -> impl FnOnce() -> T
    where
        T: NotFuture<UseInContextForFutures>,
    {
        let carried = Carried::new(work, Self::shared());
        move || carried.run()
    }

    /// Returns `future` in the context that is current now, for the `spawn` of an executor.
    ///
    /// Same as [`in_context`](crate::InContextExt::in_context) with the
    /// [current](Self::current) context. Without a current context, `future` runs without
    /// one wherever it is polled.
    pub fn carry_future<F: Future>(future: F) -> InContext<F> {
        InContext::new(future, Self::shared())
    }

    /// Returns the context that is current on this thread.
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

/// When a thread ends, its context may be destroyed before a future that it owns.
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
