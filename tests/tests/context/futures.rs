//! Futures, polled by hand.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Poll, Waker};
use std::thread;

use threadline::{AuditContext, InContextExt};

use super::user;

type Seen = Vec<Option<AuditContext>>;

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Lets the executor run everything else once.
pub async fn pause() {
    let mut paused = false;
    poll_fn(|context| match std::mem::replace(&mut paused, true) {
        true => Poll::Ready(()),
        false => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await
}

/// Returns the current context in a future before and after it pauses.
async fn watch() -> Seen {
    let before = AuditContext::current();
    pause().await;
    vec![before, AuditContext::current()]
}

fn ready<T>(poll: Poll<T>) -> T {
    match poll {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the future is not ready"),
    }
}

#[test]
fn the_context_is_current_in_each_poll_and_not_between() {
    let mut first = pin!(watch().in_context(user(1)));
    let mut second = pin!(watch().in_context(user(2)));
    let mut nobody = pin!(watch());
    assert!(poll(first.as_mut()).is_pending());
    assert_eq!(AuditContext::current(), None);
    assert!(poll(second.as_mut()).is_pending());
    assert!(poll(nobody.as_mut()).is_pending());
    assert_eq!(ready(poll(first)), vec![Some(user(1)); 2]);
    assert_eq!(ready(poll(nobody)), vec![None; 2]);
    assert_eq!(ready(poll(second)), vec![Some(user(2)); 2]);
    assert_eq!(AuditContext::current(), None);
}

#[test]
fn contexts_nest_in_futures_and_scopes() {
    let inner = async {
        let mut seen = watch().in_context(user(2)).await;
        seen.push(AuditContext::current());
        user(3).scope(|| seen.push(AuditContext::current()));
        pause().await;
        seen.push(AuditContext::current());
        seen
    };
    let mut future = pin!(inner.in_context(user(1)));
    let around = user(4);
    let seen = loop {
        let done = around.scope(|| {
            let done = poll(future.as_mut());
            assert_eq!(AuditContext::current().as_ref(), Some(&around));
            done
        });
        if let Poll::Ready(seen) = done {
            break seen;
        }
        assert_eq!(AuditContext::current(), None);
    };
    assert_eq!(seen, [2, 2, 1, 3, 1].map(|id| Some(user(id))));
    let mut twice = pin!(watch().in_context(user(1)).in_context(user(2)));
    assert!(poll(twice.as_mut()).is_pending());
    assert_eq!(ready(poll(twice)), vec![Some(user(1)); 2]);
}

#[test]
fn a_future_takes_its_context_to_other_threads() {
    let mut future = Box::pin(watch().in_context(user(1)));
    assert!(poll(future.as_mut()).is_pending());
    let seen = thread::spawn(move || {
        let seen = user(2).scope(|| ready(poll(future.as_mut())));
        assert_eq!(AuditContext::current(), None);
        seen
    });
    assert_eq!(seen.join().unwrap(), vec![Some(user(1)); 2]);
}

#[test]
fn a_panic_in_a_poll_leaves_no_context_behind() {
    let mut future = pin!(
        async {
            pause().await;
            panic!("on purpose")
        }
        .in_context(user(1))
    );
    user(2).scope(|| {
        assert!(poll(future.as_mut()).is_pending());
        let result = catch_unwind(AssertUnwindSafe(|| poll(future)));
        assert!(result.is_err());
        assert_eq!(AuditContext::current(), Some(user(2)));
    });
    assert_eq!(AuditContext::current(), None);
}

/// Sends the context that is current where it is dropped.
pub struct Witness(pub Sender<Option<AuditContext>>);

impl Drop for Witness {
    fn drop(&mut self) {
        let _ = self.0.send(AuditContext::current());
    }
}

async fn hold(witness: Witness) {
    pause().await;
    drop(witness);
}

#[test]
fn a_future_that_is_dropped_unfinished_is_dropped_in_its_context() {
    let (sender, dropped) = channel();
    let mut polled = Box::pin(hold(Witness(sender.clone())).in_context(user(1)));
    assert!(poll(polled.as_mut()).is_pending());
    let unpolled = hold(Witness(sender)).in_context(user(1));
    user(2).scope(|| {
        drop(polled);
        drop(unpolled);
        assert_eq!(AuditContext::current(), Some(user(2)));
    });
    assert_eq!(dropped.iter().collect::<Seen>(), vec![Some(user(1)); 2]);
}

#[test]
fn a_future_may_outlive_the_contexts_of_its_thread() {
    thread_local! {
        static KEPT: RefCell<Vec<Pin<Box<dyn Future<Output = ()>>>>> = const { RefCell::new(Vec::new()) };
    }
    let keep = |future| KEPT.with_borrow_mut(|kept| kept.push(future));
    let (sender, dropped) = channel();
    for contexts_first in [true, false] {
        let sender = sender.clone();
        thread::spawn(move || {
            let future = Box::pin(hold(Witness(sender)).in_context(user(1)));
            if contexts_first {
                assert_eq!(AuditContext::current(), None);
            }
            keep(future);
            assert_eq!(AuditContext::current(), None);
        })
        .join()
        .unwrap();
    }
    drop(sender);
    let seen: Seen = dropped.iter().collect();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().flatten().all(|context| *context == user(1)));
}

#[test]
fn a_carried_future_has_the_context_of_where_it_was_made() {
    let mut made = Vec::new();
    user(1).scope(|| made.push(Box::pin(AuditContext::carry_future(watch()))));
    let mut carried = made.remove(0);
    let mut nobodys = Box::pin(AuditContext::carry_future(watch()));
    user(2).scope(|| {
        assert!(poll(carried.as_mut()).is_pending());
        assert!(poll(nobodys.as_mut()).is_pending());
        assert_eq!(ready(poll(carried.as_mut())), vec![Some(user(1)); 2]);
        assert_eq!(ready(poll(nobodys.as_mut())), vec![None; 2]);
    });
}

#[test]
fn a_future_in_a_context_is_send_if_it_was() {
    fn send<T: Send>(future: T) -> T {
        future
    }
    drop(send(watch().in_context(user(1))));
    drop(send(AuditContext::carry_future(watch())));
}
