//! A response body that is sent piece by piece, as fast as its reader reads.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_core::Stream;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::failure::Failure;

/// The time that a reader has for a piece.
const PATIENCE: Duration = Duration::from_secs(30);

enum Piece {
    Next(Bytes),
    End,
    Failed(Failure),
}

/// Returns both ends of a body of which so many pieces wait for the reader.
pub(crate) fn pieces(waiting: usize) -> (Sender, Pieces) {
    let (sender, receiver) = mpsc::channel(waiting);
    let pieces = Pieces {
        first: None,
        receiver: Some(receiver),
    };
    (Sender(sender), pieces)
}

#[derive(Clone)]
pub(crate) struct Sender(mpsc::Sender<Piece>);

impl Sender {
    /// Sends a piece. Returns false if the reader is gone, or has stalled for too long.
    pub(crate) async fn send(&self, piece: impl Into<Bytes>) -> bool {
        self.put(Piece::Next(piece.into())).await
    }

    /// Ends the body.
    pub(crate) async fn end(&self, result: Result<(), Failure>) {
        self.put(match result {
            Ok(()) => Piece::End,
            Err(failure) => Piece::Failed(failure),
        })
        .await;
    }

    async fn put(&self, piece: Piece) -> bool {
        matches!(timeout(PATIENCE, self.0.send(piece)).await, Ok(Ok(())))
    }
}

/// The body. It ends with an error if it is incomplete, so that it is not mistaken for the
/// whole.
pub(crate) struct Pieces {
    first: Option<Bytes>,
    receiver: Option<mpsc::Receiver<Piece>>,
}

impl Pieces {
    /// Waits for the first piece. A failure before it is returned, and can become an error page.
    pub(crate) async fn begun(mut self) -> Result<Body, Failure> {
        if let Some(receiver) = &mut self.receiver {
            match receiver.recv().await {
                Some(Piece::Next(first)) => self.first = Some(first),
                Some(Piece::End) => self.receiver = None,
                Some(Piece::Failed(failure)) => return Err(failure),
                None => {}
            }
        }
        Ok(self.into())
    }
}

impl From<Pieces> for Body {
    fn from(pieces: Pieces) -> Self {
        Self::from_stream(pieces)
    }
}

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let Some(receiver) = &mut self.receiver else {
            return Poll::Ready(None);
        };
        let next = match ready!(receiver.poll_recv(context)) {
            Some(Piece::Next(piece)) => return Poll::Ready(Some(Ok(piece))),
            Some(Piece::End) => None,
            Some(Piece::Failed(_)) | None => Some(Err(io::Error::other("the body is incomplete"))),
        };
        self.receiver = None;
        Poll::Ready(next)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// Reads until the end, and returns the text and whether it is complete.
    async fn read(mut pieces: Pieces) -> (String, bool) {
        let mut text = String::new();
        loop {
            match poll_fn(|context| Pin::new(&mut pieces).poll_next(context)).await {
                Some(Ok(piece)) => text.push_str(str::from_utf8(&piece).unwrap()),
                Some(Err(_)) => return (text, false),
                None => return (text, true),
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_whose_reader_stalled_is_incomplete() {
        let (sender, pieces) = pieces(1);
        assert!(sender.send("one").await);
        assert!(!sender.send("two").await);
        drop(sender);
        assert_eq!(read(pieces).await, ("one".to_owned(), false));
    }

    #[tokio::test]
    async fn a_body_is_complete_if_it_was_ended_without_a_failure() {
        for (result, complete) in [(Ok(()), true), (Err(Failure::Database), false)] {
            let (sender, pieces) = pieces(2);
            assert!(sender.send("one").await);
            sender.end(result).await;
            assert_eq!(read(pieces).await, ("one".to_owned(), complete));
        }
    }
}
