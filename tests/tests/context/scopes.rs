use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::channel;
use std::thread;

use threadline::{ActorRef, AuditContext};

use super::futures::Witness;
use super::user;

#[test]
fn scopes_nest_and_restore() {
    assert_eq!(AuditContext::current(), None);
    let answer = user(1).scope(|| {
        user(2).scope(|| assert_eq!(AuditContext::current(), Some(user(2))));
        assert_eq!(AuditContext::current(), Some(user(1)));
        42
    });
    assert_eq!(answer, 42);
    assert_eq!(AuditContext::current(), None);
}

fn generic<T>(work: impl FnOnce() -> T) -> T {
    user(1).scope(work)
}

#[test]
fn a_scope_returns_what_its_closure_returns() {
    assert_eq!(generic(|| "7").parse(), Ok(7));
    let parsed = user(1).scope(|| "7".parse().unwrap());
    assert_eq!(u64::max(parsed, 0), 7);
    let numbers = user(1).scope(|| (0..3).map(|n| n * 2));
    assert_eq!(numbers.collect::<Vec<_>>(), [0, 2, 4]);
}

#[test]
fn a_panic_leaves_the_context_around_its_scope() {
    user(1).scope(|| {
        let scope = || user(2).scope(|| panic!("on purpose"));
        let result: thread::Result<()> = catch_unwind(AssertUnwindSafe(scope));
        assert!(result.is_err());
        assert_eq!(AuditContext::current(), Some(user(1)));
    });
    assert_eq!(AuditContext::current(), None);
}

#[test]
fn another_thread_has_the_context_only_if_it_is_carried_there() {
    let bare = user(1).scope(|| thread::spawn(AuditContext::current));
    assert_eq!(bare.join().unwrap(), None);
    let carried = user(1).scope(|| thread::spawn(AuditContext::carry(AuditContext::current)));
    assert_eq!(carried.join().unwrap(), Some(user(1)));
}

#[test]
fn a_carried_closure_is_nobodys_where_nobody_was_current() {
    let carried = AuditContext::carry(AuditContext::current);
    assert_eq!(user(1).scope(carried), None);
    let carried = user(1).scope(|| AuditContext::carry(AuditContext::current));
    user(2).scope(|| {
        assert_eq!(carried(), Some(user(1)));
        assert_eq!(AuditContext::current(), Some(user(2)));
    });
}

#[test]
fn a_carried_closure_that_is_never_called_is_dropped_in_its_context() {
    let (sender, dropped) = channel();
    let witness = Witness(sender);
    let carried = user(1).scope(|| AuditContext::carry(move || drop(witness)));
    user(2).scope(|| drop(carried));
    assert_eq!(dropped.recv().unwrap(), Some(user(1)));
}

#[test]
fn a_context_is_changed_by_a_builder_of_it() {
    let context = AuditContext::builder(ActorRef::user(1).unwrap())
        .request_id("r-1")
        .correlation_id("c-1")
        .job_id("j-1")
        .source("web")
        .remote_ip([203, 0, 113, 9].into())
        .metadata("tenant", "acme")
        .build()
        .unwrap();
    assert_eq!(context.to_builder().build().unwrap(), context);

    let other = context.with_actor(ActorRef::user(2).unwrap());
    assert_eq!(other.actor(), user(2).actor());
    assert_eq!(other.with_actor(ActorRef::user(1).unwrap()), context);

    let job = context.for_job("interest", 7).unwrap();
    assert_eq!(job.actor(), Some(&ActorRef::job("interest").unwrap()));
    assert_eq!(job.job_id(), Some("7"));
    let back = job.to_builder().actor(ActorRef::user(1).unwrap());
    assert_eq!(back.job_id("j-1").build().unwrap(), context);
    assert!(context.for_job(" ", 7).is_err());
    assert!(context.for_job("interest", "\0").is_err());
}
