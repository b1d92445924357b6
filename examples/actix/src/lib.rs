//! A warehouse, in plain Diesel code.
//!
//! The audit is in three files: `models.rs` (what is captured), `audit.rs` (who acts), and
//! `app.rs` (the type of the connection, and how the context reaches the thread that writes).

pub mod app;
pub mod audit;
pub mod error;
pub mod models;
pub mod routes;
pub mod schema;
