use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::scope::enter;
use super::{AuditContext, Origin};

/// Sets the context of a future.
pub trait InContextExt: Future + Sized {
    /// Returns a future that runs in `context`.
    ///
    /// The context is current on the thread while the future is polled and while it is
    /// dropped, and not in between: other work of the thread during an `await` does not see
    /// it. This does not depend on the executor or the number of its threads. The future is
    /// [`Send`] if this one is.
    ///
    /// ```
    /// use threadline::{ActorRef, AuditContext, InContextExt};
    ///
    /// # fn block_on<T>(future: impl Future<Output = T>) -> T {
    /// #     let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    /// #     match std::pin::pin!(future).poll(&mut context) {
    /// #         std::task::Poll::Ready(value) => value,
    /// #         std::task::Poll::Pending => unreachable!(),
    /// #     }
    /// # }
    /// # async fn handle() -> Option<AuditContext> { AuditContext::current() }
    /// let context = AuditContext::new(ActorRef::user(42)?);
    /// let current = block_on(async { handle().await }.in_context(context.clone()));
    /// assert_eq!(current, Some(context));
    /// assert_eq!(AuditContext::current(), None);
    /// # Ok::<(), threadline::ContextError>(())
    /// ```
    ///
    /// A future passed to `spawn` does not inherit the context. Set it with
    /// [`AuditContext::carry_future`], and that of a closure for `spawn_blocking` with
    /// [`AuditContext::carry`].
    fn in_context(self, context: AuditContext) -> InContext<Self> {
        InContext::new(self, Some(Arc::new(context)))
    }
}

impl<F: Future> InContextExt for F {}

pin_project! {
    /// A future in a context. [`InContextExt::in_context`] and
    /// [`AuditContext::carry_future`] return it.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless they are awaited or polled"]
    pub struct InContext<F> {
        // Empty only while it is dropped.
        #[pin]
        future: Option<F>,
        context: Option<Arc<AuditContext>>,
        origin: Origin,
    }

    impl<F> PinnedDrop for InContext<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // A cancelled future rolls back under its own context.
            let _entered = enter(this.context.take(), *this.origin);
            this.future.set(None);
        }
    }
}

impl<F> InContext<F> {
    pub(super) fn new(future: F, context: Option<Arc<AuditContext>>) -> Self {
        Self {
            future: Some(future),
            context,
            origin: Origin::TaskLocal,
        }
    }

    /// Returns the work of a transaction under `context`.
    #[cfg(feature = "diesel-async")]
    pub(crate) fn explicit(future: F, context: AuditContext) -> Self {
        Self {
            future: Some(future),
            context: Some(Arc::new(context)),
            origin: Origin::Explicit,
        }
    }

    /// Returns the future that runs in the context.
    pub fn get_ref(&self) -> &F {
        let future = self.future.as_ref();
        future.expect("a future is there until it is dropped")
    }
}

impl<F: Future> Future for InContext<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _entered = enter(this.context.clone(), *this.origin);
        let future = this.future.as_pin_mut();
        future
            .expect("a future is there until it is dropped")
            .poll(cx)
    }
}
