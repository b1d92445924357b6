use std::future;

/// Every type except a future, whose work would run outside the closure that returned it.
///
/// A future has two implementations, and the compiler refuses to choose. For an `async`
/// block, its message contains only the name of the caller's type parameter, so that name
/// says what to do.
pub trait NotFuture<Kind> {}

/// The `Kind` of a value that is not a future.
#[derive(Debug)]
pub enum Value {}

/// The `Kind` of a future.
#[derive(Debug)]
pub enum Future {}

impl<T> NotFuture<Value> for T {}
impl<F: future::Future> NotFuture<Future> for F {}
