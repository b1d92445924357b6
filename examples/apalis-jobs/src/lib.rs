//! A bank whose interest is credited by jobs.
//!
//! What makes it audited: `models.rs` (what is captured) and `audit.rs` (how a job keeps the
//! context in which it was started, and is run in it).

pub mod app;
pub mod audit;
pub mod jobs;
pub mod models;
pub mod schema;
