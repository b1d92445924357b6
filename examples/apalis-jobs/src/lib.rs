//! A bank that credits interest in jobs.
//!
//! The audit is in two files: `models.rs` (what is captured) and `audit.rs` (how a job keeps
//! the context in which it was started, and runs in it).

pub mod app;
pub mod audit;
pub mod jobs;
pub mod models;
pub mod schema;
