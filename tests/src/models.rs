//! The models of the program `tests-audit`, for the tests that run it.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use threadline::{Audited, Models};

pub use self::schema::members;

mod schema {
    diesel::table! {
        members (id) {
            id -> BigInt,
            name -> Text,
            email -> Nullable<Text>,
        }
    }
}

/// A member of a club.
#[derive(
    Debug, Clone, PartialEq, Queryable, Selectable, Identifiable, Audited, Serialize, Deserialize,
)]
#[diesel(table_name = members)]
#[audited(mask(email), keep = "1 year", personal(name))]
pub struct Member {
    /// In the tests, beyond the precision of a binary float.
    pub id: i64,
    /// Recorded.
    pub name: String,
    /// Masked.
    pub email: Option<String>,
}

/// The table of [`Member`].
pub const MEMBERS: &str =
    "CREATE TABLE members (id bigint PRIMARY KEY, name text NOT NULL, email text);";

/// Returns the audited models of the program.
pub fn audited() -> Models {
    threadline::models![Member]
}
