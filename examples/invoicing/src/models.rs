use bigdecimal::BigDecimal;
use diesel::prelude::*;
use threadline::{Audited, Models};

/// Customers and staff.
#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = crate::schema::members)]
#[audited(mask(email), exclude(password_hash))]
pub struct Member {
    pub id: i64,
    pub name: String,
}

/// The rights of a member of the staff.
#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = crate::schema::roles, primary_key(member_id, role))]
#[audited(require_actor)]
pub struct Role {
    pub member_id: i64,
    pub role: String,
}

#[derive(Debug, Queryable, Selectable, Identifiable, Audited)]
#[diesel(table_name = crate::schema::invoices)]
pub struct Invoice {
    pub id: i64,
    pub member_id: i64,
    pub number: String,
    pub amount: BigDecimal,
    pub status: String,
    pub reminders: i32,
}

/// Returns all audited models.
pub fn audited() -> Models {
    threadline::models![Member, Role, Invoice]
}
