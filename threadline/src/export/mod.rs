//! Exports for other programs: CSV, JSON, NDJSON.

#[cfg(feature = "export-async")]
mod awaited;
mod buffer;
pub(crate) mod cells;
mod csv;
mod file;
mod json;
mod rows;

#[cfg(feature = "export-async")]
pub use self::awaited::ExportStream;
pub(crate) use self::cells::write_failed;
#[cfg(feature = "schemars")]
pub(crate) use self::json::{End as ExportEnd, Entry as ExportEntry};

use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;

use serde::{Deserialize, Serialize};

use self::buffer::Buffer;
use self::rows::{EachChange, ExportRow};
use crate::connection::{BlockingConnection, StreamConnection};
use crate::error::Error;
use crate::filter::Filter;
use crate::posting::post_before_reading;
use crate::queries::{ExportSql, Plan, timeline};
use crate::run::require_schema;
use crate::statement::Typed;

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExportFormat {
    /// A header and one line per change, as in RFC 4180, in UTF-8.
    Csv,
    /// One JSON document.
    Json,
    /// One JSON object per line. The last line marks the end.
    Ndjson,
}

impl ExportFormat {
    /// Returns what writes changes in this format.
    fn sink<'w>(self, out: impl Write + Send + 'w, actions: bool) -> Box<dyn Sink + Send + 'w> {
        match self {
            Self::Csv => Box::new(csv::Sheet::new(out, actions)),
            Self::Json => Box::new(json::Document::new(out)),
            Self::Ndjson => Box::new(json::Lines::new(out)),
        }
    }
}

/// The size of a finished export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Exported {
    /// The number of changes.
    pub changes: u64,
    /// Whether the limit left some changes out.
    pub truncated: bool,
}

/// An export of the changes that match a filter, in the order of the
/// [`timeline`](crate::timeline), from one snapshot. Rows are written one by one, so memory
/// does not grow with their number. Actions whose transaction changed nothing are not
/// included; [`actions`](crate::actions) reads them.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::{Export, ExportFormat, Filter};
///
/// let mut out = Vec::new();
/// let exported = Export::new(Filter::new().model::<User>())
///     .with_actions()
///     .limit(10_000)
///     .progress(|changes| eprintln!("{changes}"))
///     .write(conn, ExportFormat::Csv, &mut out)?;
/// assert!(!exported.truncated);
/// # Ok::<(), threadline::Error>(())
/// ```
#[must_use = "an export is made by `write` or `write_file`"]
pub struct Export<P = fn(u64)> {
    filter: Filter,
    limit: Option<usize>,
    actions: bool,
    progress: Option<P>,
}

/// The number of changes between two calls of the progress callback.
const PROGRESS_EVERY: u64 = 1_000;

impl Export {
    /// Creates an export of all changes that match the filter.
    pub fn new(filter: Filter) -> Self {
        Self {
            filter,
            limit: None,
            actions: false,
            progress: None,
        }
    }
}

impl<P: FnMut(u64) + Send> Export<P> {
    /// Sets the maximum number of changes, the newest ones. [`Exported::truncated`] and the
    /// JSON itself show whether some were left out.
    pub fn limit(mut self, changes: usize) -> Self {
        self.limit = Some(changes);
        self
    }

    /// Includes the actions of each change's transaction.
    pub fn with_actions(mut self) -> Self {
        self.actions = true;
        self
    }

    /// Calls back with the number of changes so far, after every 1,000 changes and at the
    /// end. The export can be sent to another thread if the callback can.
    pub fn progress<F: FnMut(u64) + Send>(self, callback: F) -> Export<F> {
        Export {
            filter: self.filter,
            limit: self.limit,
            actions: self.actions,
            progress: Some(callback),
        }
    }

    /// Writes the export to any writer.
    ///
    /// # Errors
    ///
    /// Returns an error if the filter cannot be evaluated, the query fails, or writing
    /// fails. The output is then incomplete: CSV ends early, JSON does not parse, NDJSON
    /// lacks its last line.
    pub fn write<'c, C, W>(
        self,
        conn: &'c mut C,
        format: ExportFormat,
        out: W,
    ) -> C::Answer<'c, Result<Exported, Error>>
    where
        C: StreamConnection,
        W: Write + Send + 'c,
        P: 'c,
    {
        C::answer(self.write_as(conn, format, out))
    }

    async fn write_as<C, W>(
        mut self,
        conn: &mut C,
        format: ExportFormat,
        out: W,
    ) -> Result<Exported, Error>
    where
        C: StreamConnection,
        W: Write + Send,
    {
        let mut sink = format.sink(out, self.actions);
        let filter = self.filter.clone();
        let (plan, query) = self.query(conn, &filter).await?;
        let mut changes = 0;
        let mut truncated = false;
        let mut each = EachChange {
            actions: self.actions,
            write: |mut row: ExportRow| {
                if self.limit.is_some_and(|limit| changes >= limit as u64) {
                    truncated = true;
                    return Ok(ControlFlow::Break(()));
                }
                plan.narrow_row(&mut row.change, &mut row.actions);
                sink.change(&row)?;
                changes += 1;
                if changes % PROGRESS_EVERY == 0 {
                    report(&mut self.progress, changes);
                }
                Ok(ControlFlow::Continue(()))
            },
            failed: None,
        };
        conn.each_row(query, &mut each).await?;
        if let Some(error) = each.failed {
            return Err(error);
        }
        let exported = Exported { changes, truncated };
        sink.end(exported)?;
        report(&mut self.progress, changes);
        Ok(exported)
    }

    /// Writes the export to a file. The file gets its name only when it is complete; until
    /// then, it is a file of its own next to it, whose name ends in `.partial`. On Unix, only
    /// its owner may read it (mode 0600).
    ///
    /// # Errors
    ///
    /// Same as [`write`](Self::write). The partial file is removed, and an existing file
    /// stays unchanged.
    pub fn write_file<'c, C>(
        self,
        conn: &'c mut C,
        format: ExportFormat,
        path: impl AsRef<Path>,
    ) -> C::Answer<'c, Result<Exported, Error>>
    where
        C: StreamConnection,
        P: 'c,
    {
        let path = path.as_ref().to_owned();
        C::answer(async move {
            let file = file::Partial::create(&path)?;
            let exported = self.write_as(conn, format, file.writer()).await?;
            file.complete()?;
            Ok(exported)
        })
    }

    /// Builds the query, after checking that the audit can be read.
    async fn query<'f, C: StreamConnection>(
        &mut self,
        conn: &mut C,
        filter: &'f Filter,
    ) -> Result<(Plan<'f>, Typed<ExportSql>), Error> {
        post_before_reading(conn).await;
        // Read first: once the rows are streamed, the connection is busy.
        require_schema(conn).await?;
        // One row more than the limit shows whether changes are left out.
        let asked = self.limit.map(|limit| limit.saturating_add(1));
        let plan = Plan::new(conn, filter).await?;
        let query = plan.export(asked, self.actions);
        Ok((plan, query))
    }
}

/// Writes the changes of a filter page by page, with the actions of their transactions: on
/// connections that give no row before the last one has come. `write` gets the bytes of each
/// page and the number of changes so far, and may end the export.
#[doc(hidden)]
pub fn export_pages<C: BlockingConnection>(
    conn: &mut C,
    filter: &Filter,
    format: ExportFormat,
    limit: usize,
    mut write: impl FnMut(Vec<u8>, u64) -> std::io::Result<()>,
) -> Result<Exported, Error> {
    let buffer = Buffer::default();
    let mut sink = format.sink(buffer.clone(), true);
    let mut written = |changes| write(buffer.take(), changes).map_err(write_failed);
    let mut exported = Exported {
        changes: 0,
        truncated: false,
    };
    let mut after = None;
    loop {
        let left = limit - usize::try_from(exported.changes).unwrap_or(limit);
        let size = left.min(AT_A_TIME);
        let page = timeline(filter.clone())
            .limit(size)
            .after(after)
            .page(conn)?;
        for entry in page.entries {
            sink.change(&ExportRow {
                change: entry.change,
                actions: Some(entry.actions),
            })?;
            exported.changes += 1;
        }
        written(exported.changes)?;
        after = page.next;
        if after.is_none() || exported.changes >= limit as u64 {
            exported.truncated = page.has_more;
            break;
        }
    }
    sink.end(exported)?;
    written(exported.changes)?;
    Ok(exported)
}

/// Changes of a page. Each may have values of megabytes.
const AT_A_TIME: usize = 200;

fn report(progress: &mut Option<impl FnMut(u64)>, changes: u64) {
    if let Some(progress) = progress {
        progress(changes);
    }
}

impl<P> std::fmt::Debug for Export<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Export")
            .field("filter", &self.filter)
            .field("limit", &self.limit)
            .field("actions", &self.actions)
            .finish_non_exhaustive()
    }
}

/// The destination of changes, one after another.
trait Sink {
    fn change(&mut self, row: &ExportRow) -> Result<(), Error>;

    /// Marks the end.
    fn end(&mut self, exported: Exported) -> Result<(), Error>;
}

/// Writes the changes that match a filter as CSV. Same as [`Export`] without options.
///
/// Each line is a change. The columns are `change_id`, `captured_at`, `operation`,
/// `schema`, `table`, `key`, `previous_key`, `changed_from`, `changed_to`, `row_data`,
/// `transaction_id`, `occurred_at`, `actor_type`, `actor_id`, `actor_origin`, `request_id`,
/// `correlation_id`, `job_id`, `source`, `remote_ip`, `metadata`, `session_user`,
/// `context_error`, and with actions `action_names` and `actions`. Their order is stable;
/// new columns are added at the end. The cells of `key`, `previous_key`, `changed_from`,
/// `changed_to`, `row_data` and `metadata` contain JSON. An empty cell is SQL's NULL or an
/// empty text. Text that a spreadsheet would run as a formula gets a leading `'`, as OWASP
/// recommends against [CSV injection]: text that begins with a tab, a carriage return, or
/// one of `=`, `+`, `-`, `@` and their full-width forms, also after blanks and invisible
/// characters.
///
/// [CSV injection]: https://owasp.org/www-community/attacks/CSV_Injection
///
/// # Errors
///
/// Same as [`Export::write`].
pub fn export_csv<'c, C, W>(
    conn: &'c mut C,
    filter: &Filter,
    out: W,
) -> C::Answer<'c, Result<Exported, Error>>
where
    C: StreamConnection,
    W: Write + Send + 'c,
{
    Export::new(filter.clone()).write(conn, ExportFormat::Csv, out)
}

/// Writes the changes that match a filter as one JSON document. Same as [`Export`] without
/// options.
///
/// ```json
/// {"format_version": 1, "generated_at": "2026-11-23T09:14:03.000000Z",
///  "changes": [{"id": 7, "operation": "update", "changed_from": {"role": "member"}, …}],
///  "count": 1, "truncated": false}
/// ```
///
/// An entry has the form of a serialized [`AuditChange`](crate::AuditChange), with its
/// `actions` if requested. Values of `numeric` columns, integers beyond 2^53, and other
/// numbers that a binary float cannot represent, are strings.
///
/// # Errors
///
/// Same as [`Export::write`].
pub fn export_json<'c, C, W>(
    conn: &'c mut C,
    filter: &Filter,
    out: W,
) -> C::Answer<'c, Result<Exported, Error>>
where
    C: StreamConnection,
    W: Write + Send + 'c,
{
    Export::new(filter.clone()).write(conn, ExportFormat::Json, out)
}
