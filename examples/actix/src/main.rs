//! Serves on port 3000, or on `PORT`.

use std::env;
use std::error::Error;

use actix::app::App;
use actix::{audit, routes};
use actix_web::middleware::from_fn;
use actix_web::{HttpServer, web};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = env::var("DATABASE_URL").map_err(
        |_| "DATABASE_URL is not set; run `cargo xtask demo actix`, which has a server of its own",
    )?;
    let app = web::Data::new(App::open(&url, 4)?);
    let port = env::var("PORT").map_or(Ok(3000), |port| port.parse())?;
    let server = HttpServer::new(move || {
        actix_web::App::new()
            .app_data(app.clone())
            .wrap(from_fn(audit::audit))
            .configure(routes::routes)
    });
    let server = server.workers(2).bind(("127.0.0.1", port))?;
    println!("listening on http://{}", server.addrs()[0]);
    Ok(server.run().await?)
}
