//! Serves the explorer of the database in `DATABASE_URL` on 127.0.0.1, to whoever is at this
//! machine. `audit serve` does so with a link that works once.

use std::env;
use std::error::Error;

use diesel::r2d2::{ConnectionManager, Pool};
use threadline::ActorRef;
use threadline_web::{Access, Explorer};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::var("DATABASE_URL").map_err(|_| "DATABASE_URL is not set")?;
    let pool = Pool::builder()
        .max_size(8)
        .build(ConnectionManager::new(url))?;
    let me = ActorRef::admin(env::var("USER").unwrap_or("me".to_owned()))?;
    let explorer = Explorer::new(pool).authorize(move |_| {
        let access = Access::to_everything(me.clone());
        async { access.allow_export().allow_revert().allow_unmask() }
    });
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}/", listener.local_addr()?);
    Ok(axum::serve(listener, explorer.into_router()).await?)
}
