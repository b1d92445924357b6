//! The audited models.

use diesel::prelude::*;
use serde::Serialize;
use threadline::{Audited, Models};

/// The database refuses a write without a known actor.
#[derive(Debug, Queryable, Selectable, Identifiable, Serialize, Audited)]
#[diesel(table_name = crate::schema::items)]
#[audited(require_actor)]
pub struct Item {
    pub id: i64,
    pub name: String,
    pub stock: i64,
}

/// Returns all audited models.
pub fn audited() -> Models {
    threadline::models![Item]
}
