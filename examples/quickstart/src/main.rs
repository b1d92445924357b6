//! A day at the club, and then the history with its actors.

use std::env;
use std::error::Error;

use diesel::{Connection, PgConnection};
use quickstart::models::{Member, Payment};
use quickstart::{club, open};
use threadline::{ActorRef, AuditContext, Audited, Worker, is_actor_required};

fn main() -> Result<(), Box<dyn Error>> {
    let database_url = env::var("DATABASE_URL").map_err(
        |_| "DATABASE_URL is not set; run `cargo xtask demo`, which has a server of its own",
    )?;
    let pool = open(&database_url)?;
    if env::args().nth(1).as_deref() == Some("migrate") {
        return Ok(());
    }
    let conn = &mut pool.get()?;
    // Posts journal entries into indexed tables, in the background.
    let worker = Worker::new().spawn(move || PgConnection::establish(&database_url))?;

    // A visitor signs up.
    let ada = web(ActorRef::anonymous(), "r-1")?
        .scope(|| club::join(conn, "Ada Byron", "ada@example.com", "argon2$s3cr3t-1"))?;
    // She changes her name.
    web(ActorRef::user(ada.id)?, "r-2")?.scope(|| club::rename(conn, ada.id, "Ada Lovelace"))?;
    // An administrator helps her after a lost phone, and makes her treasurer.
    let appointed = web(ActorRef::admin("grace")?, "r-3")?.scope(|| {
        club::recover(conn, ada.id, "countess@example.com", "argon2$s3cr3t-2")?;
        club::appoint(conn, ada.id, "treasurer", "elected on 1 November")
    })?;
    // The bank's import books her fee. Without an actor, no money moves.
    let import = AuditContext::builder(ActorRef::service_account("bank-import")?)
        .job_id("import-2026-11")
        .source("worker")
        .build()?;
    let payment = import.scope(|| club::pay(conn, ada.id, 2500, "fee 2026"))?;
    match club::pay(conn, ada.id, 1, "nobody's money") {
        Err(error) if is_actor_required(&error) => println!("Refused: {error}\n"),
        other => return Err(format!("a payment without an actor went through: {other:?}").into()),
    }
    // She leaves; her payments are deleted with her.
    web(ActorRef::user(ada.id)?, "r-4")?.scope(|| club::leave(conn, ada.id))?;

    println!("The changes of member {}, newest first:\n", ada.id);
    for change in ada.history(conn)? {
        println!("{change}\n");
    }
    println!("Why she became treasurer:\n\n    {appointed}\n");
    println!("And to payment {}, which went with her:\n", payment.id);
    for change in Payment::history_of(conn, payment.id)? {
        println!("{change}\n");
    }
    println!("The member after each change, oldest first:\n");
    for version in Member::versions_of(conn, ada.id)?.iter().rev() {
        let member = version.record.as_ref().map_err(Clone::clone)?;
        println!(
            "    after {:8} {} ({})",
            version.change.operation.as_str(),
            member.name,
            member.role
        );
    }
    worker.stop();
    Ok(())
}

/// Returns the context of a request, as a web framework's middleware would create it.
fn web(actor: ActorRef, request_id: &str) -> Result<AuditContext, threadline::ContextError> {
    AuditContext::builder(actor)
        .request_id(request_id)
        .source("web")
        .remote_ip([203, 0, 113, 9].into())
        .build()
}
