//! Serves the explorer on this machine, for the user who starts it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{COOKIE, HOST, SET_COOKIE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use diesel::r2d2::{ConnectionManager, Pool};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use threadline::{ActorRef, Models};
use threadline_web::{Access, Explorer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::database::Database;
use crate::error::Error;
use crate::read::print::say;

const COOKIE_NAME: &str = "threadline-explorer";

/// Options of `audit serve`.
#[derive(Debug, clap::Args)]
pub(crate) struct Serve {
    /// Port on 127.0.0.1; 0 chooses a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The viewer: admin:grace; exports and reverts are recorded with this actor
    #[arg(long)]
    actor: ActorRef,
    /// Permit reverts
    #[arg(long)]
    allow_revert: bool,
    #[command(flatten)]
    database: Database,
}

impl Serve {
    pub(crate) fn run(self, models: &Models) -> Result<(), Error> {
        let pool = Pool::builder()
            .max_size(8)
            .build(ConnectionManager::new(self.database.url()?))
            .map_err(|error| Error::Message(error.to_string()))?;
        let failed = |error: std::io::Error| Error::Message(format!("cannot serve: {error}"));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        runtime.block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port))
                .await
                .map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            let entrance = Entrance::new()?;
            say(&format!("http://{address}/enter/{}", entrance.key()));
            eprintln!(
                "Open the link in a browser on this machine. It works once. Press Ctrl-C to stop."
            );
            let explorer = Explorer::new(pool).models(models.clone());
            let router = self.router(explorer, &entrance, address);
            serve(listener, router).await;
            Ok(())
        })
    }

    fn router<P: threadline_web::Pool>(
        &self,
        explorer: Explorer<P>,
        entrance: &Entrance,
        address: SocketAddr,
    ) -> Router {
        let (entrance, actor, allow_revert) =
            (entrance.clone(), self.actor.clone(), self.allow_revert);
        let admits = entrance.clone();
        let explorer = explorer.authorize(move |parts| {
            let access = if admits.knows(&parts, address) {
                let access = Access::to_everything(actor.clone())
                    .allow_export()
                    .allow_unmask();
                if allow_revert {
                    access.allow_revert()
                } else {
                    access
                }
            } else {
                Access::denied()
            };
            async { access }
        });
        Router::new()
            .route("/enter/{key}", get(enter))
            .with_state(entrance)
            .fallback_service(explorer.into_router::<()>())
    }
}

/// The number of connections, more than the tabs of a browser open.
const CONNECTIONS: usize = 256;

/// The time that a client has to send the head of a request.
const HEAD: Duration = Duration::from_secs(10);

/// Accepts connections, and closes those that do not send a request. `axum::serve` would wait
/// for them without a limit.
async fn serve(listener: TcpListener, router: Router) {
    let free = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let Ok(turn) = free.clone().acquire_owned().await else {
            return;
        };
        let Ok((stream, _)) = listener.accept().await else {
            // There is no file descriptor, for example. The next moment there may be one.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let router = router.clone();
        tokio::spawn(async move {
            let connection = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
            // An error is of the client, which is gone.
            let _ = connection.await;
            drop(turn);
        });
    }
}

/// A link that works once, and the cookie that it sets in the browser.
#[derive(Debug, Clone)]
struct Entrance {
    link: Arc<Mutex<Option<String>>>,
    cookie: Arc<String>,
}

impl Entrance {
    fn new() -> Result<Self, Error> {
        Ok(Self {
            link: Arc::new(Mutex::new(Some(secret()?))),
            cookie: Arc::new(secret()?),
        })
    }

    fn key(&self) -> String {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        link.clone().unwrap_or_default()
    }

    /// Returns whether the key is valid, and invalidates it.
    fn opens(&self, key: &str) -> bool {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        let opens = link.as_deref().is_some_and(|link| same(link, key));
        if opens {
            *link = None;
        }
        opens
    }

    /// Returns whether a request has the cookie and is for this address. A site that resolves
    /// its own name to this address (DNS rebinding) sends another `Host`.
    fn knows(&self, parts: &Parts, address: SocketAddr) -> bool {
        let header = |name| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
        };
        let port = address.port();
        let hosts = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
        let mut cookies = header(COOKIE).unwrap_or_default().split(';');
        header(HOST).is_some_and(|host| hosts.iter().any(|own| own == host))
            && cookies.any(|cookie| {
                let value = cookie.trim().strip_prefix(COOKIE_NAME);
                value
                    .and_then(|value| value.strip_prefix('='))
                    .is_some_and(|value| same(&self.cookie, value))
            })
    }
}

async fn enter(State(entrance): State<Entrance>, Path(key): Path<String>) -> Response {
    if !entrance.opens(&key) {
        let text = "This link has been used or is not valid. Start `audit serve` again.";
        return (axum::http::StatusCode::FORBIDDEN, text).into_response();
    }
    let cookie = format!(
        "{COOKIE_NAME}={}; HttpOnly; SameSite=Strict; Path=/",
        entrance.cookie
    );
    ([(SET_COOKIE, cookie)], Redirect::to("/home")).into_response()
}

/// Returns 256 random bits of the operating system, as text.
fn secret() -> Result<String, Error> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::Message(format!("no random numbers: {error}")))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Compares in constant time.
fn same(one: &str, other: &str) -> bool {
    one.len() == other.len()
        && one
            .bytes()
            .zip(other.bytes())
            .fold(0, |sum, (a, b)| sum | (a ^ b))
            == 0
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn parts(host: &str, cookie: &str) -> Parts {
        let request = Request::builder().header(HOST, host).header(COOKIE, cookie);
        request.body(()).unwrap().into_parts().0
    }

    #[tokio::test]
    async fn a_client_that_does_not_send_a_request_is_disconnected() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(
            listener,
            Router::new().route("/", get(async || "here")),
        ));
        // The clock jumps to the next timeout while all tasks wait.
        tokio::time::pause();
        let mut waiting = vec![];
        for _ in 0..2 * CONNECTIONS {
            let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
            client.write_all(b"GET / HTTP/1.1\r\nHo").await.unwrap();
            waiting.push(client);
        }
        // All of them are let go, so a client that asks is answered.
        let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
        let request = b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n";
        client.write_all(request).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert!(answer.ends_with("here"), "{answer}");
        drop(waiting);
    }

    #[test]
    fn a_link_works_once_and_the_cookie_for_this_address_alone() {
        let entrance = Entrance::new().unwrap();
        let key = entrance.key();
        assert_eq!(key.len(), 64);
        assert!(!entrance.opens("") && !entrance.opens(&"0".repeat(64)));
        assert!(entrance.opens(&key) && !entrance.opens(&key));

        let address = SocketAddr::from(([127, 0, 0, 1], 4000));
        let cookie = format!("a=b; {COOKIE_NAME}={}", entrance.cookie);
        assert!(entrance.knows(&parts("127.0.0.1:4000", &cookie), address));
        assert!(entrance.knows(&parts("localhost:4000", &cookie), address));
        for (host, cookie) in [
            ("evil.example:4000", cookie.as_str()),
            ("127.0.0.1:4001", &cookie),
            ("127.0.0.1:4000", "threadline-explorer="),
            ("127.0.0.1:4000", ""),
        ] {
            assert!(
                !entrance.knows(&parts(host, cookie), address),
                "{host} {cookie}"
            );
        }
    }
}
