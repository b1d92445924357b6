//! The explorer, served by this process.

use std::net::SocketAddr;

use axum::Router;
use diesel::PgConnection;
use diesel::r2d2::{ConnectionManager, Pool};
use threadline_web::{Access, Explorer, Exports};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use super::client::{Answer, ask};
use super::cpu::NAME;

/// An explorer that serves until it is dropped.
pub(crate) struct Serving {
    address: SocketAddr,
    _runtime: Runtime,
}

impl Serving {
    pub(crate) fn new(url: &str, connections: u32, access: Access, exports: Exports) -> Self {
        let mark = if url.contains('?') { '&' } else { '?' };
        let url = format!("{url}{mark}application_name={NAME}");
        let pool = Pool::builder()
            .max_size(connections)
            .build(ConnectionManager::<PgConnection>::new(url))
            .expect("the server takes connections");
        let explorer = Explorer::new(pool).exports(exports).authorize(move |_| {
            let access = access.clone();
            async move { access }
        });
        let app: Router = Router::new().nest("/audit", explorer.into_router());
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime
            .block_on(TcpListener::bind("127.0.0.1:0"))
            .expect("a free port");
        let address = listener.local_addr().expect("a bound port");
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self {
            address,
            _runtime: runtime,
        }
    }

    /// Asks for a page, by its path below the explorer.
    pub(crate) fn get(&self, path: &str) -> Answer {
        let address = self.address;
        ask(
            address,
            &format!("GET /audit{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
        )
    }

    /// Sends a form, as the browser does from a page of the explorer.
    pub(crate) fn post(&self, path: &str, form: &str) -> Answer {
        let address = self.address;
        ask(
            address,
            &format!(
                "POST /audit{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
                 Origin: http://{address}\r\nSec-Fetch-Site: same-origin\r\n\
                 Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
                form.len()
            ),
        )
    }
}
