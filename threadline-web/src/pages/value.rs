//! The full value of a column in a change, as text.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use serde_json::Value;
use threadline::Filter;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::change;
use crate::failure::Failure;
use crate::pool::Pool;
use crate::texts;
use crate::visit::Visit;

/// The size in bytes up to which a value is sent at once.
const AT_ONCE: usize = 128 * 1024;

/// The size in bytes of a piece of a larger value.
const PIECE: usize = 64 * 1024;

/// Bounds the number of larger values in memory that wait for their readers.
static SENT: Semaphore = Semaphore::const_new(16);

/// The time that a reader has for a piece, and for the whole value.
const PATIENCE: Duration = Duration::from_secs(30);
const LONGEST: Duration = Duration::from_secs(300);

pub(crate) async fn show<P: Pool>(visit: Visit<P>) -> Result<Response, Failure> {
    let transaction = visit.number("transaction")?;
    let number = visit.number("change")?;
    let column = visit.parameters.need("column")?.to_owned();
    let before = visit.parameters.get("side") == Some("before");
    let place = change::before(transaction, number)?;
    let found = visit
        .read(move |audit| {
            let filter = Filter::new().transaction(transaction);
            let page = audit.timeline(filter, 1, Some(place))?;
            let entry = page.entries.into_iter().find(|e| e.change.id == number);
            let fields = entry.map(|entry| entry.change.diff().fields);
            let field = fields.into_iter().flatten().find(|f| f.column == column);
            Ok(field.and_then(|f| if before { f.before } else { f.after }))
        })
        .await?;
    let text = match found {
        None => return Err(Failure::NotFound(texts::NO_VALUE.to_owned())),
        Some(Value::String(text)) => text,
        Some(value) => serde_json::to_string_pretty(&value).unwrap_or_default(),
    };
    let body = match text.len() {
        ..=AT_ONCE => Body::from(text),
        _ => {
            let turn = SENT.try_acquire().map_err(|_| Failure::Busy)?;
            in_pieces(text.into(), turn)
        }
    };
    // Always plain text, so that a browser never renders it as HTML.
    Ok((
        [
            (CONTENT_TYPE, "text/plain; charset=utf-8"),
            (CONTENT_DISPOSITION, "inline; filename=\"value.txt\""),
        ],
        body,
    )
        .into_response())
}

/// Sends a large value in pieces. A client that does not read it does not keep it in memory.
fn in_pieces(text: Bytes, turn: SemaphorePermit<'static>) -> Body {
    let (sender, receiver) = channel(1);
    tokio::spawn(async move {
        let send = async {
            for at in (0..text.len()).step_by(PIECE) {
                let piece = text.slice(at..text.len().min(at + PIECE));
                // Copied, because a slice keeps the whole text in memory.
                let piece = Piece::Next(Bytes::copy_from_slice(&piece));
                if !matches!(timeout(PATIENCE, sender.send(piece)).await, Ok(Ok(()))) {
                    return;
                }
            }
            let _ = sender.send(Piece::End).await;
        };
        let _ = timeout(LONGEST, send).await;
        drop(turn);
    });
    Body::from_stream(Pieces(Some(receiver)))
}

enum Piece {
    Next(Bytes),
    End,
}

/// The body of the response. It ends with an error if it is incomplete, so that it is not
/// mistaken for the whole value.
struct Pieces(Option<Receiver<Piece>>);

impl Stream for Pieces {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(pieces) = &mut self.0 else {
            return Poll::Ready(None);
        };
        let next = match ready!(pieces.poll_recv(context)) {
            Some(Piece::Next(piece)) => return Poll::Ready(Some(Ok(piece))),
            Some(Piece::End) => None,
            None => Some(Err(io::ErrorKind::TimedOut.into())),
        };
        self.0 = None;
        Poll::Ready(next)
    }
}
