use std::future;

/// Everything but a future, whose work would be done outside of the closure that returned it.
///
/// A future has two implementations, and the compiler refuses to choose. About an `async`
/// block its message has nothing but the name of the caller's type parameter, which says
/// therefore what to do.
pub trait NotFuture<Kind> {}

/// The `Kind` of a value that is no future.
#[derive(Debug)]
pub enum Value {}

/// The `Kind` of a future.
#[derive(Debug)]
pub enum Future {}

impl<T> NotFuture<Value> for T {}
impl<F: future::Future> NotFuture<Future> for F {}
