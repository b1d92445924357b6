//! A client that speaks just enough HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

/// The most of a body that is kept for a look at its references.
const KEPT: usize = 1_000_000;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Milliseconds from the begin of the connection.
    pub(crate) first_byte: f64,
    /// The bytes of the body.
    pub(crate) size: usize,
    body: Vec<u8>,
}

impl Answer {
    /// Counts the style sheets, scripts, images and frames that another host would send.
    pub(crate) fn links_elsewhere(&self) -> usize {
        let text = String::from_utf8_lossy(&self.body);
        [
            "src=\"http",
            "src=\"//",
            "href=\"http",
            "href=\"//",
            "@import",
            "url(http",
        ]
        .iter()
        .map(|reference| text.matches(reference).count())
        .sum()
    }
}

/// Sends a request on a connection of its own, and reads the answer to its end.
pub(crate) fn ask(address: SocketAddr, request: &str) -> Answer {
    let start = Instant::now();
    let mut stream = TcpStream::connect(address).expect("the explorer takes connections");
    stream
        .write_all(request.as_bytes())
        .expect("the explorer reads the request");
    let mut piece = vec![0; 64 * 1024];
    let mut head = vec![];
    let mut first_byte = None;
    let mut end_of_head = None;
    let mut size = 0;
    loop {
        let read = stream.read(&mut piece).expect("the explorer answers");
        if read == 0 {
            break;
        }
        first_byte.get_or_insert_with(|| start.elapsed().as_secs_f64() * 1000.0);
        size += read;
        if head.len() < KEPT {
            head.extend_from_slice(&piece[..read]);
            end_of_head = end_of_head.or_else(|| head.windows(4).position(|w| w == b"\r\n\r\n"));
        }
    }
    let end_of_head = end_of_head.expect("an answer has a head") + 4;
    let status = String::from_utf8_lossy(&head[..end_of_head])
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .expect("an answer has a status");
    Answer {
        status,
        first_byte: first_byte.unwrap_or_default(),
        size: size - end_of_head,
        body: head.split_off(end_of_head),
    }
}
