//! The full value of a column in a change, as text.

use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use threadline::Filter;

use super::change;
use crate::failure::Failure;
use crate::pool::Pool;
use crate::texts;
use crate::visit::Visit;

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
    // Always plain text, so that a browser never renders it as HTML.
    Ok((
        [
            (CONTENT_TYPE, "text/plain; charset=utf-8"),
            (CONTENT_DISPOSITION, "inline; filename=\"value.txt\""),
        ],
        text,
    )
        .into_response())
}
