#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod access;
mod app;
mod assets;
mod explorer;
mod failure;
mod fragment;
mod pages;
mod pool;
mod query;
mod security;
mod texts;
mod view;
mod visit;

pub use access::Access;
pub use explorer::{Authorized, Explorer, Unauthorized};
pub use fragment::{FragmentError, Fragments};
pub use pool::{Pool, PoolError};

/// Items that the tests of this repository need beside the public API.
#[doc(hidden)]
pub mod __tests {
    pub use crate::pages::{ROUTES, Route};
}
