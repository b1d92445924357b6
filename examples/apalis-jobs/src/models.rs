//! What is captured.

use diesel::prelude::*;
use threadline::{Audited, Models};

/// Money moves under a name or not at all.
#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = crate::schema::accounts)]
#[audited(require_actor)]
pub struct Account {
    pub id: i64,
    pub owner: String,
    pub cents: i64,
}

/// Everything that is audited.
pub fn audited() -> Models {
    threadline::models![Account]
}
