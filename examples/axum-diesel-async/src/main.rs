//! Serves on port 3000, or on `PORT`.

use std::collections::HashMap;
use std::env;
use std::error::Error;

use axum_diesel_async::app::App;
use axum_diesel_async::{routes, service};
use threadline::ActorRef;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let url = env::var("DATABASE_URL").map_err(
        |_| "DATABASE_URL is not set; run `cargo xtask demo axum-diesel-async`, which has a server of its own",
    )?;
    let tokens = HashMap::from([
        ("token-of-ada".to_owned(), ActorRef::user(1)?),
        ("token-of-grace".to_owned(), ActorRef::admin("grace")?),
    ]);
    let service = service(routes::routes(), App::open(url, tokens, 4).await?);
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, service).await?)
}
