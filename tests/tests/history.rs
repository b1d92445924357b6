//! Reading a record's history and versions.

#[path = "history/associated.rs"]
mod associated;
#[path = "history/associated_random.rs"]
mod associated_random;
#[path = "history/cost.rs"]
mod cost;
#[path = "history/display.rs"]
mod display;
#[path = "history/keys.rs"]
mod keys;
#[path = "history/missing.rs"]
mod missing;
#[path = "history/own_connection.rs"]
mod own_connection;
#[path = "history/pages.rs"]
mod pages;
#[path = "history/poison.rs"]
mod poison;
#[path = "history/records.rs"]
mod records;
#[path = "history/rekeyed.rs"]
mod rekeyed;
#[path = "history/types.rs"]
mod types;

use diesel::prelude::*;
use threadline::Audited;

diesel::table! {
    users (id) { id -> BigInt, name -> Text, }
}

/// A record to which other rows refer.
#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = users)]
struct User {
    id: i64,
    #[allow(dead_code)]
    name: String,
}
