//! The full value of a column in a change, as text.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::change;
use crate::failure::Failure;
use crate::pieces::pieces;
use crate::pool::Pool;
use crate::texts;
use crate::visit::Visit;

/// The size in bytes up to which a value is sent at once.
const AT_ONCE: usize = 128 * 1024;

/// The size in bytes of a piece of a larger value.
const PIECE: usize = 64 * 1024;

/// Bounds the number of larger values in memory that wait for their readers.
static SENT: Semaphore = Semaphore::const_new(16);

/// The time that a reader has for the whole value.
const LONGEST: Duration = Duration::from_secs(300);

pub(crate) async fn show<P: Pool>(visit: Visit<P>) -> Result<Response, Failure> {
    let transaction = visit.number("transaction")?;
    let number = visit.number("change")?;
    let column = visit.parameters.need("column")?.to_owned();
    let before = visit.parameters.get("side") == Some("before");
    let found = visit
        .read(move |audit| {
            let entry = change::find(audit, transaction, number)?;
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
    let (sender, pieces) = pieces(1);
    tokio::spawn(async move {
        let send = async {
            for at in (0..text.len()).step_by(PIECE) {
                // Copied, because a slice keeps the whole text in memory.
                let piece = Bytes::copy_from_slice(&text[at..text.len().min(at + PIECE)]);
                if !sender.send(piece).await {
                    return;
                }
            }
            sender.end(Ok(())).await;
        };
        let _ = timeout(LONGEST, send).await;
        drop(turn);
    });
    pieces.into()
}
