use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use threadline::AuditContext;

use super::user;

#[test]
fn guards_nest_and_restore() {
    assert_eq!(AuditContext::current(), None);
    {
        let _outer = user(1).enter();
        {
            let _inner = user(2).enter();
            assert_eq!(AuditContext::current(), Some(user(2)));
        }
        assert_eq!(AuditContext::current(), Some(user(1)));
    }
    assert_eq!(AuditContext::current(), None);
}

#[test]
fn a_panic_leaves_no_context_behind() {
    let result = catch_unwind(AssertUnwindSafe(|| {
        let _guard = user(1).enter();
        panic!("on purpose");
    }));
    assert!(result.is_err());
    assert_eq!(AuditContext::current(), None);
}

#[test]
fn guards_dropped_out_of_order_take_back_their_own_context_only() {
    let first = user(1).enter();
    let second = user(2).enter();
    drop(first);
    assert_eq!(AuditContext::current(), Some(user(2)));
    drop(second);
    assert_eq!(AuditContext::current(), None);
}

#[test]
fn another_thread_does_not_see_the_context_and_may_be_given_it() {
    let _guard = user(1).enter();
    let current = AuditContext::current();
    thread::spawn(move || {
        assert_eq!(AuditContext::current(), None);
        let _guard = current.as_ref().map(AuditContext::enter);
        assert_eq!(AuditContext::current(), Some(user(1)));
    })
    .join()
    .unwrap();
}
