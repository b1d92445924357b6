//! What is captured.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use threadline::{Audited, Models};

diesel::table! {
    contacts (id) {
        id -> Int8,
        name -> Text,
        email -> Text,
        phone -> Nullable<Text>,
    }
}

/// Of a phone number the audit knows that it changed, and not what it is.
#[derive(Debug, Queryable, Selectable, Identifiable, Serialize, Audited)]
#[diesel(table_name = contacts)]
#[audited(require_actor, mask(phone))]
pub struct Contact {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub phone: Option<String>,
}

#[derive(Debug, Deserialize, Insertable, AsChangeset)]
#[diesel(table_name = contacts)]
pub struct ContactText {
    pub name: String,
    pub email: String,
    pub phone: Option<String>,
}

/// Everything that is audited.
pub fn audited() -> Models {
    threadline::models![Contact]
}
