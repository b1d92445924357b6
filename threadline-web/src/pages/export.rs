//! The export of a search as a file, streamed or in the background.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderName};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use threadline::{Action, ExportFormat, Filter};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use crate::exports::{self, ExportFile};
use crate::failure::Failure;
use crate::pieces::pieces;
use crate::pool::Pool;
use crate::query::Query;
use crate::texts;
use crate::view::value::count;
use crate::view::{chips, job, layout, links};
use crate::visit::{FormVisit, Visit};

/// The number of changes that the page of an export counts, and the time for that. A search that
/// no index answers is counted as far as the timeline shows it at once.
const COUNTED: usize = 5_000;
const COUNTING: Duration = Duration::from_millis(100);

/// The number of pieces that wait for a reader, and the bytes of one from a file.
const PIECES: usize = 4;
const PIECE: usize = 256 * 1024;

/// A format as the form, the media type and the file name have it.
pub(super) struct Format {
    format: ExportFormat,
    pub(super) name: &'static str,
    pub(super) media_type: &'static str,
}

const FORMATS: [Format; 3] = [
    Format {
        format: ExportFormat::Csv,
        name: "csv",
        media_type: "text/csv; charset=utf-8",
    },
    Format {
        format: ExportFormat::Json,
        name: "json",
        media_type: "application/json",
    },
    Format {
        format: ExportFormat::Ndjson,
        name: "ndjson",
        media_type: "application/x-ndjson",
    },
];

impl Format {
    pub(super) fn of(format: ExportFormat) -> &'static Self {
        let found = FORMATS.iter().find(|one| one.format == format);
        found.unwrap_or(&FORMATS[0])
    }
}

/// Counts the changes of an export, up to one more than are streamed. Returns `None` if that
/// takes too long.
async fn counted<P: Pool>(
    visit: &Visit<P>,
    filter: Filter,
    time: Duration,
) -> Result<Option<u64>, Failure> {
    let cap = visit.app.options.exports.streamed.saturating_add(1);
    visit
        .read(move |audit| audit.count(filter, Some(cap), time))
        .await
}

pub(crate) async fn choose<P: Pool>(visit: Visit<P>) -> Result<Response, Failure> {
    if !visit.access.may_export() {
        return Err(Failure::Denied);
    }
    let query = Query::parse(visit.parameters.get("q").unwrap_or_default());
    let streamed = visit.app.options.exports.streamed;
    let filter = query.filter(visit.now)?;
    let counted = visit
        .read(move |audit| audit.count_at_a_glance(filter, COUNTED + 1, COUNTING))
        .await?;
    let jobs = visit.app.jobs.of(&visit.access);
    let body = html! {
        div.stack {
            h1 { (texts::EXPORT_TITLE) }
            (chips::chips(&query))
            p {
                (amount(counted))
                (way(counted, streamed as u64))
                span.quiet { (texts::EXPORT_RECORDED) }
            }
            div.ways {
                section.card {
                    h2 { (texts::AS_FILE) }
                    form.form action="export" method="post" {
                        input type="hidden" name="q" value=(query.line());
                        label { (texts::FORMAT)
                            select name="format" {
                                @for format in &FORMATS { option value=(format.name) { (format.name.to_uppercase()) } }
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
                        div.bar-row {
                            button.primary type="submit" { (texts::MAKE_REPORT) }
                            button type="submit" formaction="report.json" { (texts::MAKE_BUNDLE) }
                        }
                    }
                }
            }
            @if !jobs.is_empty() { (job::list(&jobs, visit.now)) }
        }
    };
    Ok(layout::Page::new(texts::EXPORT_TITLE)
        .viewer(&visit.access)
        .line(query.line())
        .body(body)
        .into_response())
}

/// Says how many changes there are, as far as they were counted.
fn amount(counted: Option<(u64, bool)>) -> Markup {
    let changes = |n: u64| {
        let noun = if n == 1 {
            texts::ONE_CHANGE
        } else {
            texts::CHANGES
        };
        format!("{} {noun}. ", count(n))
    };
    html! {
        @match counted {
            Some((counted, false)) => { (changes(counted)) }
            // The search ended before it found one.
            None | Some((0, true)) => { (texts::NOT_COUNTED) " " }
            Some((counted, true)) if counted > COUNTED as u64 => { (texts::MORE_THAN) " " (changes(COUNTED as u64)) }
            Some((counted, true)) => { (texts::AT_LEAST) " " (changes(counted)) }
        }
    }
}

/// Says whether the export is streamed or runs in the background, as far as that is known.
fn way(counted: Option<(u64, bool)>, streamed: u64) -> Markup {
    html! {
        @match counted {
            _ if streamed == 0 => { (texts::IN_BACKGROUND) " " }
            _ if streamed == usize::MAX as u64 => {}
            Some((counted, false)) if counted <= streamed => {}
            Some((counted, _)) if counted > streamed => { (texts::IN_BACKGROUND) " " }
            _ => { (texts::IF_MORE_THAN) " " (count(streamed)) " " (texts::CHANGES) ", " (texts::THEN_IN_BACKGROUND) " " }
        }
    }
}

pub(crate) async fn send<P: Pool>(FormVisit(visit): FormVisit<P>) -> Result<Response, Failure> {
    if !visit.access.may_export() {
        return Err(Failure::Denied);
    }
    let asked = visit.parameters.need("format")?;
    let format = FORMATS
        .iter()
        .find(|format| format.name == asked)
        .ok_or_else(|| Failure::Question(texts::NO_FORMAT.to_owned()))?;
    let query = Query::parse(visit.parameters.get("q").unwrap_or_default());
    let filter = query.filter(visit.now)?;
    let action = Action::new("audit.exported")
        .metadata("query", query.line())
        .metadata("format", format.name);
    let streamed = match visit.app.options.exports.streamed {
        0 => false,
        usize::MAX => true,
        // A search that cannot be counted in the time of a page runs in the background.
        streamed => counted(&visit, filter.clone(), visit.app.options.timeout)
            .await?
            .is_some_and(|changes| changes <= streamed as u64),
    };
    if streamed {
        // Recorded first: an export that cannot be recorded does not start.
        visit.record(action).await?;
        stream(visit, filter, format).await
    } else {
        begin(&visit, query.line(), filter, format, action).await
    }
}

/// Begins an export in the background, and leads to its page.
async fn begin<P: Pool>(
    visit: &Visit<P>,
    line: String,
    filter: Filter,
    format: &Format,
    action: Action,
) -> Result<Response, Failure> {
    let (app, access) = (&visit.app, &visit.access);
    let exports = &app.options.exports;
    let file = ExportFile::create(&exports.directory, exports.bytes)?;
    let job = app.jobs.add(access, line, format.format, visit.now)?;
    if let Err(failure) = visit.record(action).await {
        app.jobs.remove(&job.id);
        return Err(failure);
    }
    let page = links::page("export-job", &[("id", &job.id)]);
    let (pool, jobs) = (app.export_pool.clone(), app.jobs.clone());
    exports::start(pool, jobs, job, file, filter, access.clone(), exports);
    Ok(Redirect::to(&page).into_response())
}

/// Sends an export while it is read.
async fn stream<P: Pool>(
    visit: Visit<P>,
    filter: Filter,
    format: &'static Format,
) -> Result<Response, Failure> {
    let (sender, pieces) = pieces(PIECES);
    let runtime = Handle::current();
    let written = format.format;
    tokio::spawn(async move {
        let end = sender.clone();
        let export = visit.read(move |audit| {
            audit.export(filter, written, usize::MAX, |piece, _| {
                // A reader that stalls must not hold the connection.
                match runtime.block_on(sender.send(piece)) {
                    true => Ok(()),
                    false => Err(io::ErrorKind::BrokenPipe.into()),
                }
            })
        });
        end.end(export.await.map(drop)).await;
    });
    Ok((attachment(format), pieces.begun().await?).into_response())
}

/// Returns the headers of a file.
pub(super) fn attachment(format: &Format) -> [(HeaderName, String); 2] {
    let disposition = format!("attachment; filename=\"changes.{}\"", format.name);
    [
        (CONTENT_TYPE, format.media_type.to_owned()),
        (CONTENT_DISPOSITION, disposition),
    ]
}

/// Sends a complete file. The reader of a stalled connection gives up.
pub(super) fn send_file(file: Arc<ExportFile>) -> Body {
    let (sender, pieces) = pieces(PIECES);
    tokio::spawn(async move {
        let mut place = 0;
        while place < file.bytes() {
            let reader = file.clone();
            let read = spawn_blocking(move || reader.read_at(place, PIECE)).await;
            let piece = match read {
                Ok(Ok(piece)) => piece,
                Ok(Err(error)) => {
                    let failure = Failure::Storage(error.kind().to_string());
                    return sender.end(Err(failure)).await;
                }
                Err(_) => return sender.end(Err(Failure::Database)).await,
            };
            place += piece.len() as u64;
            if !sender.send(piece).await {
                return;
            }
        }
        sender.end(Ok(())).await;
    });
    pieces.into()
}
