//! Twelve months: 2,000 members, 20,000 invoices, more than 50,000 changes. The last
//! month has an incident.

use std::error::Error;

use bigdecimal::BigDecimal;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use threadline::{ActorRef, AuditContext, AuditExt};

use crate::billing;
use crate::models::Invoice;
use crate::schema::invoices;

/// Simulates the year.
pub fn pass(conn: &mut PgConnection) -> Result<(), Box<dyn Error>> {
    move_in(conn)?;
    for month in 1..=12 {
        bill(conn, month)?;
        work(conn, month)?;
        receive_payments(conn, month)?;
        billing::remind(conn, &job("reminders", month)?)?;
        billing::write_off_small_amounts(conn, &job("small-amounts", month)?)?;
    }
    go_wrong(conn)
}

/// A script with an actor of its own imports customers from the old system.
fn move_in(conn: &mut PgConnection) -> Result<(), Box<dyn Error>> {
    let script = AuditContext::builder(ActorRef::system("move-in")?)
        .source("script")
        .build()?;
    conn.audited_transaction(&script, |conn| {
        conn.batch_execute(
            "INSERT INTO members (name, email, password_hash)
             SELECT 'Member ' || n, 'member' || n || '@example.com', md5('password ' || n)
             FROM generate_series(1, 2000) AS n;
             UPDATE members SET name = 'Rhea Lindqvist' WHERE id = 2;
             UPDATE members SET name = 'Milo Brandt' WHERE id = 57;
             UPDATE members SET name = 'Ines Okafor' WHERE id = 1207;
             INSERT INTO roles SELECT n, 'clerk' FROM generate_series(2, 60) AS n;
             INSERT INTO roles VALUES (2, 'administrator'), (7, 'accountant')",
        )
    })?;
    Ok(())
}

fn bill(conn: &mut PgConnection, month: i64) -> Result<(), Box<dyn Error>> {
    conn.audited_transaction(&job("billing", month)?, |conn| {
        diesel::sql_query(format!(
            "INSERT INTO invoices (member_id, number, amount)
             SELECT 61 + n * 7 % 1940, format('2026-%s-%s', lpad('{month}', 2, '0'), lpad(n::text, 4, '0')),
                    CASE WHEN n = 1144 THEN 1200 WHEN n % 50 = 0 THEN 5 + n % 17 ELSE 20 + n * {month} % 2300 END
             FROM generate_series(1, 1700) AS n"
        ))
        .execute(conn)
    })?;
    Ok(())
}

/// Requests of the staff and the customers.
fn work(conn: &mut PgConnection, month: i64) -> Result<(), Box<dyn Error>> {
    for n in 0..250 {
        let clerk = web(ActorRef::user(2 + (n + month) % 55)?, month, n)?;
        let member = 61 + n * 31 % 1900;
        billing::rename(
            conn,
            &clerk,
            member,
            &format!("Member {member}, address {month}"),
        )?;
    }
    for n in 0..25 {
        let accountant = web(ActorRef::user(7)?, month, 1000 + n)?;
        let invoice = (month - 1) * 1700 + 3 + n * 41;
        let amount = BigDecimal::from(40 + n);
        billing::correct(
            conn,
            &accountant,
            &[(invoice, amount)],
            "agreed on the telephone",
        )?;
    }
    Ok(())
}

fn receive_payments(conn: &mut PgConnection, month: i64) -> Result<(), Box<dyn Error>> {
    let mut open: Vec<i64> = invoices::table
        .filter(invoices::status.eq("open"))
        .order(invoices::id)
        .select(invoices::id)
        .load(conn)?;
    // Some never pay.
    open.retain(|id| id % 17 != 5);
    for (n, paid) in open.chunks(40).enumerate() {
        let bank = AuditContext::builder(ActorRef::service_account("bank-import")?)
            .job_id(format!("import-{month:02}-{n}"))
            .source("worker")
            .build()?;
        billing::pay(conn, &bank, paid)?;
    }
    Ok(())
}

/// An accountant's bulk form takes amounts in cents for amounts in euros. Its user became
/// an accountant an hour before. The nightly job then writes off what looks like small
/// change.
fn go_wrong(conn: &mut PgConnection) -> Result<(), Box<dyn Error>> {
    let rhea = context(ActorRef::admin(2)?, "req-9021", Some("ticket-4471"))?;
    billing::grant(
        conn,
        &rhea,
        57,
        "accountant",
        "covers for member 7, on holiday",
    )?;

    let milo = context(ActorRef::user(57)?, "req-9044", Some("ticket-4471"))?;
    let large: Vec<Invoice> = invoices::table
        .filter(invoices::status.eq("open"))
        .filter(invoices::amount.ge(BigDecimal::from(1000)))
        .filter(invoices::reminders.eq(1))
        .order(invoices::id)
        .select(Invoice::as_select())
        .load(conn)?;
    let hundredth = |invoice: &Invoice| (invoice.id, &invoice.amount / BigDecimal::from(100));
    let amounts: Vec<_> = large.iter().map(hundredth).collect();
    billing::correct(conn, &milo, &amounts, "reminder fees taken off")?;

    // One customer's complaint reached the accountant first.
    let accountant = context(ActorRef::user(7)?, "req-9102", None)?;
    let noticed = [(large[0].id, large[0].amount.clone())];
    billing::correct(conn, &accountant, &noticed, "amount was wrong, set right")?;
    billing::write_off_small_amounts(conn, &job("small-amounts", 13)?)?;
    Ok(())
}

fn web(actor: ActorRef, month: i64, n: i64) -> Result<AuditContext, threadline::ContextError> {
    context(actor, &format!("req-{}", month * 10_000 + n), None)
}

fn context(
    actor: ActorRef,
    request: &str,
    correlation: Option<&str>,
) -> Result<AuditContext, threadline::ContextError> {
    let mut context = AuditContext::builder(actor)
        .request_id(request)
        .source("web")
        .remote_ip([203, 0, 113, 9].into());
    if let Some(correlation) = correlation {
        context = context.correlation_id(correlation);
    }
    context.build()
}

fn job(name: &str, month: i64) -> Result<AuditContext, threadline::ContextError> {
    AuditContext::builder(ActorRef::job(name)?)
        .job_id(format!("{name}-{month:02}"))
        .source("worker")
        .build()
}
