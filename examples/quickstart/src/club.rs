//! The operations of the club. Nothing here mentions the audit: writes are recorded under
//! the current context.

use diesel::prelude::*;
use threadline::{Action, AuditAction, AuditExt, record_action};

use crate::DbConnection;
use crate::models::{Member, Payment};
use crate::schema::{members, payments};

pub fn join(
    conn: &mut DbConnection,
    name: &str,
    email: &str,
    password_hash: &str,
) -> QueryResult<Member> {
    conn.audited(|conn| {
        diesel::insert_into(members::table)
            .values((
                members::name.eq(name),
                members::email.eq(email),
                members::password_hash.eq(password_hash),
            ))
            .returning(Member::as_returning())
            .get_result(conn)
    })
}

pub fn rename(conn: &mut DbConnection, id: i64, name: &str) -> QueryResult<usize> {
    conn.audited(|conn| {
        diesel::update(members::table.find(id))
            .set(members::name.eq(name))
            .execute(conn)
    })
}

/// Sets a new address and password in one step, as after a lost phone.
pub fn recover(
    conn: &mut DbConnection,
    id: i64,
    email: &str,
    password_hash: &str,
) -> QueryResult<usize> {
    conn.audited(|conn| {
        diesel::update(members::table.find(id))
            .set((
                members::email.eq(email),
                members::password_hash.eq(password_hash),
            ))
            .execute(conn)
    })
}

/// Changes a role, with the reason: it is recorded with the change.
pub fn appoint(
    conn: &mut DbConnection,
    id: i64,
    role: &str,
    reason: &str,
) -> QueryResult<AuditAction> {
    conn.audited(|conn| {
        diesel::update(members::table.find(id))
            .set(members::role.eq(role))
            .execute(conn)?;
        let action = Action::new("member.role_changed").reason(reason);
        Ok(record_action(conn, action)?)
    })
}

pub fn pay(
    conn: &mut DbConnection,
    member_id: i64,
    cents: i64,
    purpose: &str,
) -> QueryResult<Payment> {
    // Works without a context too: the table refuses a payment without an actor.
    conn.audited_or_plain(|conn| {
        diesel::insert_into(payments::table)
            .values((
                payments::member_id.eq(member_id),
                payments::cents.eq(cents),
                payments::purpose.eq(purpose),
            ))
            .returning(Payment::as_returning())
            .get_result(conn)
    })
}

pub fn leave(conn: &mut DbConnection, id: i64) -> QueryResult<usize> {
    conn.audited(|conn| diesel::delete(members::table.find(id)).execute(conn))
}
