//! Components of pages. They render what they are given, and do not query the database.

pub(crate) mod actions;
pub(crate) mod actor;
pub(crate) mod changes;
pub(crate) mod chips;
pub(crate) mod detail;
pub(crate) mod diff;
pub(crate) mod facets;
mod failure;
pub(crate) mod findings;
pub(crate) mod histogram;
pub(crate) mod job;
pub(crate) mod layout;
pub(crate) mod links;
pub(crate) mod pager;
pub(crate) mod searched;
pub(crate) mod time;
pub(crate) mod value;
