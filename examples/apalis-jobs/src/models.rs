//! The audited models.

use diesel::prelude::*;
use threadline::{Audited, Models};

/// No money moves without an actor.
#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = crate::schema::accounts)]
#[audited(require_actor)]
pub struct Account {
    pub id: i64,
    pub owner: String,
    pub cents: i64,
}

/// Returns all audited models.
pub fn audited() -> Models {
    threadline::models![Account]
}
