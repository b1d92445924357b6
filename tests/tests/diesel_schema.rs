//! The views of the audit as Diesel tables.

#[path = "diesel_schema/asking.rs"]
mod asking;
#[path = "diesel_schema/columns.rs"]
mod columns;
