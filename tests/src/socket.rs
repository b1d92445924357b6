//! A client that can disconnect during its request.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::Sender;
use std::thread::yield_now;

use diesel::prelude::*;

/// A request that was sent over a connection of its own. Dropping it closes the
/// connection.
#[derive(Debug)]
pub struct Sent(TcpStream);

impl Sent {
    /// Sends a request with a body of JSON.
    pub fn new(address: SocketAddr, method: &str, path: &str, token: &str, body: &str) -> Self {
        let mut socket = TcpStream::connect(address).expect("the service listens");
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        socket
            .write_all(request.as_bytes())
            .expect("the service reads");
        Self(socket)
    }

    /// Waits for the response, and returns its status.
    pub fn status(mut self) -> u16 {
        let mut answer = String::new();
        self.0
            .read_to_string(&mut answer)
            .expect("the service answers");
        let status = answer.split(' ').nth(1).expect("a line with the status");
        status.parse().expect("a number")
    }
}

/// Waits until a number of sessions of the database wait for a lock.
pub fn until_waiting(conn: &mut PgConnection, sessions: i64) {
    until(
        conn,
        "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'",
        sessions,
    );
}

/// Waits until a counting query returns a number.
pub fn until(conn: &mut PgConnection, sql: &str, count: i64) {
    while crate::value(conn, sql) != Some(count.to_string()) {
        yield_now();
    }
}

/// Sends a signal if a request is dropped before its response.
#[derive(Debug)]
pub struct Unanswered(Option<Sender<()>>);

impl Unanswered {
    /// Begins with a request.
    pub fn new(signal: &Sender<()>) -> Self {
        Self(Some(signal.clone()))
    }

    /// Ends with its response.
    pub fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        if let Some(signal) = self.0.take() {
            signal.send(()).expect("the test waits for the signal");
        }
    }
}
