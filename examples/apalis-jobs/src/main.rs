//! An administrator starts the crediting of interest, and the history of the accounts
//! names them.

use std::env;

use apalis::prelude::{BoxDynError, MemoryStorage};
use apalis_jobs::app::App;
use apalis_jobs::jobs::{self, CreditInterest};
use apalis_jobs::models::Account;
use threadline::{ActorRef, AuditContext, Audited, InContextExt};

#[tokio::main]
async fn main() -> Result<(), BoxDynError> {
    let url = env::var("DATABASE_URL").map_err(
        |_| "DATABASE_URL is not set; run `cargo xtask demo apalis-jobs`, which has a server of its own",
    )?;
    let app = App::open(&url)?;
    let mut queue = MemoryStorage::new();

    // In the request of an administrator, with the context that a middleware sets.
    let request = AuditContext::builder(ActorRef::admin("grace")?)
        .request_id("r-1")
        .source("web")
        .build()?;
    async {
        for account in 1..=2 {
            let job = CreditInterest {
                account,
                percent: 3,
            };
            jobs::start(&mut queue, job).await?;
        }
        Ok::<_, BoxDynError>(())
    }
    .in_context(request)
    .await?;

    // On a worker.
    jobs::run(app.clone(), queue, 2).await?;
    let history = app.db(|conn| Ok(Account::history_of(conn, 1)?)).await?;
    for change in history {
        println!("{change}");
    }
    Ok(())
}
