//! Thousands of clients that send their request slowly, or do not read the answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Bytes;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use threadline_tests::assert_contains;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;

const CLIENTS: usize = 10_000;

/// Returns the number of clients for which this machine gives file descriptors: each needs one
/// at both ends.
fn clients() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, raised).unwrap();
    let most = limit.maximum.map_or(CLIENTS, |most| {
        usize::try_from(most.saturating_sub(600) / 2).unwrap_or(CLIENTS)
    });
    most.min(CLIENTS)
}

/// Returns the memory of this process, in bytes.
fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kilobytes = line.unwrap().split_whitespace().nth(1).unwrap();
    kilobytes.parse::<usize>().unwrap() * 1_000
}

/// Sends a request, and returns the whole answer.
async fn asked(address: SocketAddr, path: &str) -> String {
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = vec![];
    client.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// Asks until the answer is a page: clients that do not read compete for the queries.
async fn answered(address: SocketAddr) -> String {
    for _ in 0..100 {
        let answer = asked(address, "/timeline").await;
        if answer.starts_with("HTTP/1.1 200 ") {
            return answer;
        }
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
    panic!("an honest client gets no answer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_slow_clients_do_not_keep_an_honest_one_from_its_answer() {
    let database = with_invoices();
    written(
        &mut database.connect(),
        "user:9",
        "web",
        "UPDATE invoices SET status = repeat('x', 5000000) WHERE id = 2",
    );
    let explorer = Explorer::new(database.pool(2))
        .parallel(2)
        .authorize(async |_| operator().allow_revert());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, explorer.into_router()).await });

    let page = asked(address, "/timeline").await;
    let (_, value) = page.split_once("class=\"whole\" href=\"").unwrap();
    let value = value.split('"').next().unwrap().replace("&amp;", "&");
    let clients = clients();
    println!("{clients} clients");
    let requests = [
        // The beginning of a head.
        "GET /timeline HTT".to_owned(),
        format!("GET /timeline HTTP/1.1\r\nHost: {address}\r\nX-Long: "),
        // A form that does not end.
        format!(
            "POST /revert HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 60000\r\n\r\nreason="
        ),
        // Answers that nobody reads.
        format!("GET /timeline HTTP/1.1\r\nHost: {address}\r\n\r\n"),
        format!("GET /{value} HTTP/1.1\r\nHost: {address}\r\n\r\n"),
    ];
    let before = memory();
    let mut open = Vec::with_capacity(clients);
    for begun in (0..clients).collect::<Vec<_>>().chunks(2_000) {
        let begun: Vec<_> = begun
            .iter()
            .map(|number| {
                let request = requests[number % requests.len()].clone();
                tokio::spawn(async move {
                    let mut client = TcpStream::connect(address).await.unwrap();
                    client.write_all(request.as_bytes()).await.unwrap();
                    client
                })
            })
            .collect();
        for client in begun {
            open.push(client.await.unwrap());
        }
        answered(address).await;
    }
    assert_eq!(open.len(), clients);
    let page = answered(address).await;
    assert_contains(&page, "small-amounts");
    let more = memory().saturating_sub(before);
    println!("{} MB for {clients} clients", more / 1_000_000);
    // Without bounds, the values alone would need 10 GB. Other tests use memory meanwhile.
    assert!(more < 1_000_000_000, "{more} bytes");

    // One byte more from each does not help them.
    for client in &mut open {
        let _ = client.try_write(b"x");
    }
    answered(address).await;
    drop(open);
    for path in ["/home", "/timeline", "/tables"] {
        let answer = answered_at(address, path).await;
        assert!(answer.contains("</html>"), "{path}: {answer}");
    }
}

/// Same as [`answered`] for any page.
async fn answered_at(address: SocketAddr, path: &str) -> String {
    for _ in 0..100 {
        let answer = asked(address, path).await;
        if answer.starts_with("HTTP/1.1 200 ") {
            return answer;
        }
    }
    panic!("{path} is not answered");
}

/// A body that begins and never ends.
struct Endless(bool);

impl futures_core::Stream for Endless {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        match std::mem::replace(&mut self.0, true) {
            false => Poll::Ready(Some(Ok(Bytes::from_static(b"transaction=")))),
            true => Poll::Pending,
        }
    }
}

#[tokio::test]
async fn a_form_that_does_not_arrive_is_refused() {
    let database = with_invoices();
    let router = mounted(&database, operator().allow_revert());
    let request = Request::post("/audit/revert")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from_stream(Endless(false)))
        .unwrap();
    // The clock jumps to the end of the time.
    tokio::time::pause();
    let answer = send(&router, request).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert_contains(&answer.body, "did not arrive");
}

#[tokio::test]
async fn a_value_that_nobody_reads_is_let_go() {
    let database = with_invoices();
    written(
        &mut database.connect(),
        "user:9",
        "web",
        "UPDATE invoices SET status = repeat('x', 500000) WHERE id = 2",
    );
    let router = mounted(&database, operator());
    let page = shown(get(&router, "/audit/timeline").await);
    let (_, link) = page.split_once("class=\"whole\" href=\"").unwrap();
    let link = link.split('"').next().unwrap().replace("&amp;", "&");
    let link = format!("/audit/{link}");
    let response = router.clone().oneshot(request(Method::GET, &link)).await;
    let mut body = response.unwrap().into_body();
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(60)).await;
    tokio::time::resume();
    let mut read = 0;
    let ended = loop {
        match body.frame().await {
            Some(Ok(frame)) => read += frame.into_data().unwrap().len(),
            ended => break ended,
        }
    };
    // It does not look like the whole value.
    assert!(read < 500_000, "{read}");
    assert!(ended.is_some_and(|end| end.is_err()));
    assert_eq!(shown(get(&router, &link).await).len(), 500_000);
}
