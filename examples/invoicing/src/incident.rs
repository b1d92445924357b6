//! "My invoice 2026-12-1144 was 1,200.00. Now it says 12.00 and written off.
//! What have you done?"

use std::error::Error;

use bigdecimal::BigDecimal;
use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use threadline::{
    Action, ActorRef, AuditContext, AuditExt, Audited, ErrorKind, Export, ExportFormat, Filter,
    TransactionReport, actor_history, correlated, record_action, revert_transaction, timeline,
    transaction,
};

use crate::models::{Invoice, Role};
use crate::schema::invoices;

/// Leads from the complaint to the person, and back to the former state.
pub fn answer(conn: &mut PgConnection) -> Result<(), Box<dyn Error>> {
    let invoice: Invoice = invoices::table
        .filter(invoices::number.eq("2026-12-1144"))
        .select(Invoice::as_select())
        .first(conn)?;
    look_at(conn, &invoice)?;
    let blame = invoice.blame(conn)?;
    let amount = blame
        .iter()
        .find(|blame| blame.column == "amount")
        .ok_or("nobody has changed the amount")?;
    let culprit = amount.change.transaction.id;
    let report = see_all_of(conn, culprit)?;
    who_let_them(conn, &report)?;
    let before = amount.change.captured_at - TimeDelta::microseconds(1);
    how_much(conn, before)?;
    for_the_auditor(conn)?;
    put_right(conn, &report, before)
}

/// Prints the history of the invoice.
fn look_at(conn: &mut PgConnection, invoice: &Invoice) -> Result<(), Box<dyn Error>> {
    println!("# Changes of invoice {}\n", invoice.number);
    for change in invoice.history(conn)?.iter().take(3) {
        println!("{change}\n");
    }
    println!("# Who set each column, and why\n");
    for blame in invoice.blame(conn)? {
        if let Some(action) = blame.actions.first() {
            println!("{}  {}\n    {action}", blame.column, blame.value);
        }
    }
    Ok(())
}

/// Prints the changes of the same transaction.
fn see_all_of(conn: &mut PgConnection, id: i64) -> Result<TransactionReport, Box<dyn Error>> {
    let report = transaction(conn, id)?.ok_or("there is no such transaction")?;
    println!("\n# Other changes of the transaction\n");
    println!(
        "{} changes by {}, request {}",
        report.changes.len(),
        report.transaction.actor.as_ref().ok_or("nobody")?,
        report
            .transaction
            .request_id
            .as_deref()
            .unwrap_or("unknown"),
    );
    for change in report.changes.iter().take(3) {
        let diff = change.diff();
        let field = &diff.fields[0];
        println!(
            "    invoice {}: {} -> {}",
            change
                .key
                .as_ref()
                .map(|key| key["id"].clone())
                .unwrap_or_default(),
            field
                .before
                .as_ref()
                .and_then(|value| value.as_str())
                .unwrap_or_default(),
            field
                .after
                .as_ref()
                .and_then(|value| value.as_str())
                .unwrap_or_default(),
        );
    }
    println!("    ...");
    Ok(report)
}

/// Since when could they do that, and by whose leave?
fn who_let_them(conn: &mut PgConnection, report: &TransactionReport) -> Result<(), Box<dyn Error>> {
    println!("\n# Was it theirs to do?\n");
    let granted = timeline(
        Filter::new()
            .model::<Role>()
            .record(threadline::RecordKey::of(["57", "accountant"])),
    );
    for entry in granted.page(conn)?.entries {
        println!("{}", entry.change);
        for action in entry.actions {
            println!("    why        {action}");
        }
    }
    let matter = report
        .transaction
        .correlation_id
        .as_deref()
        .unwrap_or_default();
    println!("\n# What belongs to {matter}?\n");
    for report in correlated(conn, matter)?.transactions {
        for action in report.actions {
            let changes = report.changes.len();
            println!(
                "{action} ({changes} change{})",
                if changes == 1 { "" } else { "s" }
            );
        }
    }
    println!("\n# And what did they do besides?\n");
    let actor = ActorRef::user(57)?;
    for entry in actor_history(&actor).limit(3).page(conn)?.entries {
        println!(
            "request {} {:?}",
            entry.transaction.request_id.unwrap_or_default(),
            entry.changes
        );
    }
    Ok(())
}

/// Prints the sum that is missing.
fn how_much(conn: &mut PgConnection, before: DateTime<Utc>) -> Result<(), Box<dyn Error>> {
    println!("\n# How much is it about?\n");
    let mut then = BigDecimal::from(0);
    for past in Invoice::all_as_of(conn, before)? {
        let invoice = past?.record?;
        if invoice.status == "open" {
            then += invoice.amount;
        }
    }
    let now: Option<BigDecimal> = invoices::table
        .filter(invoices::status.eq("open"))
        .select(diesel::dsl::sum(invoices::amount))
        .first(conn)?;
    println!("open before  {then}");
    println!("open now     {}", now.unwrap_or_default());
    Ok(())
}

/// Exports the changes for the auditor.
fn for_the_auditor(conn: &mut PgConnection) -> Result<(), Box<dyn Error>> {
    println!("\n# What does the auditor get?\n");
    let mut csv = vec![];
    let exported = Export::new(Filter::new().correlation_id("ticket-4471"))
        .with_actions()
        .write(conn, ExportFormat::Csv, &mut csv)?;
    println!(
        "{} changes, {} lines of CSV",
        exported.changes,
        String::from_utf8(csv)?.lines().count()
    );
    Ok(())
}

/// How does it become what it was?
fn put_right(
    conn: &mut PgConnection,
    report: &TransactionReport,
    before: DateTime<Utc>,
) -> Result<(), Box<dyn Error>> {
    println!("\n# Can it be undone?\n");
    let context = AuditContext::builder(ActorRef::admin(2)?)
        .correlation_id("incident-17")
        .build()?;
    let why = || Action::new("incident.put_right").reason("amounts were divided by 100");
    let undone = conn.audited_transaction::<_, threadline::Error, _>(&context, |conn| {
        record_action(conn, why())?;
        revert_transaction(conn, report.transaction.id)
    });
    let Err(error) = undone else {
        return Err("somebody has set an invoice right, and yet it was undone".into());
    };
    println!("{error}");
    let ErrorKind::RevertConflicts(conflicts) = error.kind() else {
        return Err(error.into());
    };

    // Invoices that were corrected by hand stay as they are. The others get their former
    // values, including the status that the nightly job changed.
    let kept: Vec<_> = conflicts
        .iter()
        .map(|conflict| conflict.change_id)
        .collect();
    let restored = conn.audited_transaction::<_, threadline::Error, _>(&context, |conn| {
        record_action(conn, why())?;
        let mut restored = 0;
        for change in &report.changes {
            let id = change.key.as_ref().and_then(|key| key["id"].as_i64());
            if let (Some(id), false) = (id, kept.contains(&Some(change.id))) {
                Invoice::revert_to(conn, id, before)?;
                restored += 1;
            }
        }
        Ok(restored)
    })?;
    println!(
        "\n{restored} invoices reverted, {} kept because it was already corrected",
        kept.len()
    );
    let invoice: Invoice = invoices::table
        .filter(invoices::number.eq("2026-12-1144"))
        .select(Invoice::as_select())
        .first(conn)?;
    println!("{}: {} {}", invoice.number, invoice.amount, invoice.status);
    Ok(())
}
