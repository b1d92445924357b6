//! Serves on port 3000, or on `PORT`.

use std::env;
use std::error::Error;
use std::net::SocketAddr;

use axum_r2d2::app::App;
use axum_r2d2::{routes, service};
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::var("DATABASE_URL").map_err(
        |_| "DATABASE_URL is not set; run `cargo xtask demo axum-r2d2`, which has a server of its own",
    )?;
    let service = service(routes::routes(), App::open(&url, 4)?);
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port))).await?;
    println!("listening on http://{}", listener.local_addr()?);
    let service = service.into_make_service_with_connect_info::<SocketAddr>();
    Ok(axum::serve(listener, service).await?)
}
