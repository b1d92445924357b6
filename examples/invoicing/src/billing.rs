//! The operations of the service. Each function is one transaction under the context of
//! its caller, with an action where the data does not show the reason.

use bigdecimal::BigDecimal;
use diesel::prelude::*;
use threadline::{Action, AuditContext, AuditExt, Error, record_action};

use crate::schema::{invoices, members, roles};

pub fn rename(
    conn: &mut PgConnection,
    context: &AuditContext,
    member: i64,
    name: &str,
) -> QueryResult<usize> {
    conn.audited_transaction(context, |conn| {
        diesel::update(members::table.find(member))
            .set(members::name.eq(name))
            .execute(conn)
    })
}

pub fn grant(
    conn: &mut PgConnection,
    context: &AuditContext,
    member: i64,
    role: &str,
    reason: &str,
) -> Result<(), Error> {
    conn.audited_transaction(context, |conn| {
        record_action(conn, Action::new("role.granted").reason(reason))?;
        diesel::insert_into(roles::table)
            .values((roles::member_id.eq(member), roles::role.eq(role)))
            .execute(conn)?;
        Ok(())
    })
}

/// Sets new amounts for some invoices, as an accountant's bulk form does.
pub fn correct(
    conn: &mut PgConnection,
    context: &AuditContext,
    amounts: &[(i64, BigDecimal)],
    reason: &str,
) -> Result<(), Error> {
    conn.audited_transaction(context, |conn| {
        record_action(conn, Action::new("invoice.corrected").reason(reason))?;
        for (invoice, amount) in amounts {
            diesel::update(invoices::table.find(invoice))
                .set(invoices::amount.eq(amount))
                .execute(conn)?;
        }
        Ok(())
    })
}

pub fn pay(conn: &mut PgConnection, context: &AuditContext, paid: &[i64]) -> QueryResult<usize> {
    conn.audited_transaction(context, |conn| {
        diesel::update(invoices::table.filter(invoices::id.eq_any(paid)))
            .set(invoices::status.eq("paid"))
            .execute(conn)
    })
}

/// Sends a reminder for each unpaid invoice.
pub fn remind(conn: &mut PgConnection, context: &AuditContext) -> QueryResult<usize> {
    conn.audited_transaction(context, |conn| {
        diesel::update(invoices::table.filter(invoices::status.eq("open")))
            .set(invoices::reminders.eq(invoices::reminders + 1))
            .execute(conn)
    })
}

/// Writes off amounts that are not worth a letter.
pub fn write_off_small_amounts(
    conn: &mut PgConnection,
    context: &AuditContext,
) -> Result<usize, Error> {
    conn.audited_transaction(context, |conn| {
        record_action(
            conn,
            Action::new("invoice.written_off").reason("below 20.00, not worth a letter"),
        )?;
        let small = invoices::table
            .filter(invoices::status.eq("open"))
            .filter(invoices::amount.lt(BigDecimal::from(20)));
        Ok(diesel::update(small)
            .set(invoices::status.eq("written off"))
            .execute(conn)?)
    })
}
