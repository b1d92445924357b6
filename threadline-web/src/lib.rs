#![doc = include_str!("../README.md")]
#![warn(missing_docs)]

mod access;
mod app;
mod assets;
mod bundle;
mod explorer;
mod exports;
mod failure;
mod fragment;
mod pages;
mod pieces;
mod pool;
mod query;
mod security;
mod texts;
mod view;
mod visit;

pub use access::Access;
pub use explorer::{Authorized, Explorer, Unauthorized};
pub use exports::Exports;
pub use fragment::{FragmentError, Fragments};
pub use pool::{Pool, PoolError};

/// Items that the tests of this repository need in addition to the public API.
#[doc(hidden)]
pub mod __tests {
    pub use crate::pages::{ROUTES, Route};

    /// Returns the JSON Schema that the types of the incident report make.
    #[cfg(feature = "schemars")]
    pub fn incident_report_schema() -> serde_json::Value {
        crate::bundle::schema()
    }
}
