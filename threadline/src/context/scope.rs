use std::cell::{Cell, RefCell};
use std::marker::PhantomData;
use std::rc::Rc;

use super::{AuditContext, Origin};

thread_local! {
    static ENTERED: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
    static NEXT: Cell<u64> = const { Cell::new(0) };
}

struct Entry {
    number: u64,
    context: Rc<AuditContext>,
    origin: Origin,
}

/// Keeps a context current on its thread until it is dropped, also by a panic.
///
/// Guards nest. Each takes back its own context and no other, in whichever
/// order they are dropped. A guard stays on its thread:
///
/// ```compile_fail,E0277
/// # use threadline::{ActorRef, AuditContext};
/// let guard = AuditContext::new(ActorRef::anonymous()).enter();
/// std::thread::spawn(move || drop(guard));
/// ```
#[derive(Debug)]
#[must_use = "the context is left as soon as the guard is dropped; bind it to a name: `let _guard = context.enter();`"]
pub struct ContextGuard {
    number: u64,
    not_send: PhantomData<*const ()>,
}

impl AuditContext {
    /// Makes this the context of [`audited`](crate::AuditExt::audited) on this
    /// thread, until the guard is dropped.
    ///
    /// ```
    /// use threadline::{ActorRef, AuditContext};
    ///
    /// let context = AuditContext::new(ActorRef::user(42)?);
    /// {
    ///     let _guard = context.enter();
    ///     assert_eq!(AuditContext::current(), Some(context));
    /// }
    /// assert_eq!(AuditContext::current(), None);
    /// # Ok::<(), threadline::ContextError>(())
    /// ```
    ///
    /// Other threads do not see it, nor do tasks: take it along with
    /// [`AuditContext::current`] and enter it there.
    pub fn enter(&self) -> ContextGuard {
        self.enter_as(Origin::ThreadLocal)
    }

    /// The context that is current on this thread.
    pub fn current() -> Option<AuditContext> {
        ENTERED.with_borrow(|entered| entered.last().map(|entry| (*entry.context).clone()))
    }

    pub(crate) fn enter_as(&self, origin: Origin) -> ContextGuard {
        let number = NEXT.replace(NEXT.get() + 1);
        ENTERED.with_borrow_mut(|entered| {
            entered.push(Entry {
                number,
                context: Rc::new(self.clone()),
                origin,
            });
        });
        ContextGuard {
            number,
            not_send: PhantomData,
        }
    }

    pub(crate) fn current_setting() -> Option<String> {
        ENTERED.with_borrow(|entered| {
            entered
                .last()
                .map(|entry| entry.context.to_setting(entry.origin))
        })
    }
}

impl Drop for ContextGuard {
    fn drop(&mut self) {
        // While the thread itself ends, its stack is gone already.
        let _ = ENTERED.try_with(|entered| {
            entered
                .borrow_mut()
                .retain(|entry| entry.number != self.number);
        });
    }
}
