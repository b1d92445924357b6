//! The audited models.

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

/// The audit shows that a phone number changed, and not the number.
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

/// Returns all audited models.
pub fn audited() -> Models {
    threadline::models![Contact]
}
