use diesel::prelude::*;
use threadline::{Audited, Models};

/// Addresses are recorded as changed, without their values; password hashes leave no
/// trace at all.
#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = crate::schema::members)]
#[audited(mask(email), exclude(password_hash))]
pub struct Member {
    pub id: i64,
    pub name: String,
    pub email: String,
    pub role: String,
}

/// No money moves without an actor.
#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = crate::schema::payments)]
#[audited(require_actor)]
pub struct Payment {
    pub id: i64,
    pub member_id: i64,
    pub cents: i64,
    pub purpose: String,
}

/// Returns all audited models, for the `audit` program.
pub fn audited() -> Models {
    threadline::models![Member, Payment]
}
