//! The export of a search as a file.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use maud::html;
use threadline::{Action, ExportFormat};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::time::timeout;

use crate::failure::Failure;
use crate::pool::Pool;
use crate::query::Query;
use crate::texts;
use crate::view::value::count;
use crate::view::{chips, layout};
use crate::visit::{FormVisit, Visit};

/// The maximum number of changes in an export.
const LIMIT: usize = 1_000_000;

/// The maximum number of changes counted before the export.
const COUNTED: usize = 10_000;

/// The number of pieces that wait for a reader, and the time that they wait.
const PIECES: usize = 4;
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn choose<P: Pool>(visit: Visit<P>) -> Result<Response, Failure> {
    if !visit.access.may_export() {
        return Err(Failure::Denied);
    }
    let query = Query::parse(visit.parameters.get("q").unwrap_or_default());
    let filter = query.filter(visit.now)?;
    let overview = visit
        .read(move |audit| audit.glance(filter, COUNTED))
        .await?;
    let body = html! {
        div.stack {
            h1 { (texts::EXPORT_TITLE) }
            (chips::chips(&query))
            p { (count(overview.changes)) @if overview.more { " " (texts::OR_MORE) } " " (texts::CHANGES) ". " span.quiet { (texts::EXPORT_RECORDED) } }
            div.ways {
                section.card {
                    h2 { (texts::AS_FILE) }
                    form.form action="export" method="post" {
                        input type="hidden" name="q" value=(query.line());
                        label { (texts::FORMAT)
                            select name="format" {
                                option value="csv" { "CSV" }
                                option value="json" { "JSON" }
                                option value="ndjson" { "NDJSON" }
                            }
                        }
                        button.primary type="submit" { (texts::DOWNLOAD) }
                    }
                    p.quiet { code { "audit export" } }
                }
                section.card {
                    h2 { (texts::REPORT) }
                    p { (texts::REPORT_HELP) }
                    form.form action="report" method="post" {
                        input type="hidden" name="q" value=(query.line());
                        label { (texts::REPORT_TITLE) input name="title" maxlength="200" dir="auto"; }
                        button.primary type="submit" { (texts::MAKE_REPORT) }
                    }
                }
            }
        }
    };
    Ok(layout::Page::new(texts::EXPORT_TITLE)
        .viewer(&visit.access)
        .line(query.line())
        .body(body)
        .into_response())
}

pub(crate) async fn send<P: Pool>(FormVisit(visit): FormVisit<P>) -> Result<Response, Failure> {
    if !visit.access.may_export() {
        return Err(Failure::Denied);
    }
    let (format, kind, name) = match visit.parameters.need("format")? {
        "csv" => (ExportFormat::Csv, "text/csv; charset=utf-8", "changes.csv"),
        "json" => (ExportFormat::Json, "application/json", "changes.json"),
        "ndjson" => (
            ExportFormat::Ndjson,
            "application/x-ndjson",
            "changes.ndjson",
        ),
        _ => return Err(Failure::Question(texts::NO_FORMAT.to_owned())),
    };
    let query = Query::parse(visit.parameters.get("q").unwrap_or_default());
    let filter = query.filter(visit.now)?;
    // Recorded first: an export that cannot be recorded does not start.
    let action = Action::new("audit.exported")
        .metadata("query", query.line())
        .metadata("format", name.trim_start_matches("changes."));
    visit.record(action).await?;

    let (sender, mut pieces) = channel(PIECES);
    let runtime = Handle::current();
    tokio::spawn(async move {
        let failed = sender.clone();
        let export = visit.read(move |audit| {
            audit.export(filter, format, LIMIT, |piece| {
                // A reader that stalls must not hold the connection.
                let sent = runtime.block_on(timeout(PATIENCE, sender.send(Ok(piece))));
                match sent {
                    Ok(Ok(())) => Ok(()),
                    _ => Err(io::ErrorKind::BrokenPipe.into()),
                }
            })
        });
        if let Err(failure) = export.await {
            let _ = failed.send(Err(failure)).await;
        }
    });
    // A failure before the first piece still gets an error page.
    let first = match poll_fn(|context| pieces.poll_recv(context)).await {
        Some(Err(failure)) => return Err(failure),
        Some(Ok(piece)) => Some(piece),
        None => None,
    };
    let disposition = format!("attachment; filename=\"{name}\"");
    Ok((
        [
            (CONTENT_TYPE, kind.to_owned()),
            (CONTENT_DISPOSITION, disposition),
        ],
        Body::from_stream(Pieces { first, pieces }),
    )
        .into_response())
}

/// The body of the response. It ends with an error if the export fails, so that an incomplete
/// file is not mistaken for a complete one.
struct Pieces {
    first: Option<Vec<u8>>,
    pieces: Receiver<Result<Vec<u8>, Failure>>,
}

impl Stream for Pieces {
    type Item = io::Result<Vec<u8>>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        self.pieces.poll_recv(context).map(|piece| {
            piece.map(|piece| piece.map_err(|_| io::Error::other("the export failed")))
        })
    }
}
