//! What is on record, for other programs: CSV, JSON, NDJSON.

#[cfg(feature = "export-async")]
mod awaited;
mod csv;
mod file;
mod json;
mod rows;

#[cfg(feature = "export-async")]
pub use self::awaited::ExportStream;
pub(crate) use self::csv::write_failed;
#[cfg(feature = "schemars")]
pub(crate) use self::json::{End as ExportEnd, Entry as ExportEntry};

use std::cell::RefCell;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::rc::Rc;

use serde::{Deserialize, Serialize};

use self::rows::{EachChange, ExportRow};
use crate::connection::{BlockingConnection, StreamConnection};
use crate::error::{Error, ErrorKind};
use crate::filter::Filter;
use crate::posting::post_before_reading;
use crate::queries::{ExportSql, Plan, timeline};
use crate::run::installed_version;
use crate::statement::Typed;
use crate::version::SCHEMA_VERSION;

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExportFormat {
    /// A header and a line for each change, as RFC 4180 has it, in UTF-8.
    Csv,
    /// One document.
    Json,
    /// One JSON object a line, the last one of which says that it is the end.
    Ndjson,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Exported {
    /// How many changes.
    pub changes: u64,
    /// Whether the limit left some out.
    pub truncated: bool,
}

/// The changes that a filter asks for, to be written out: in the order of the
/// [`timeline`](crate::timeline), from one snapshot, row by row, so that memory
/// does not grow with their number. Actions whose transaction changed nothing are not in
/// it; [`actions`](crate::actions) reads them.
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

/// Changes between two calls of the progress callback.
const PROGRESS_EVERY: u64 = 1_000;

impl Export {
    /// Everything that the filter asks for.
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
    /// No more than so many changes, the newest. That some were left out is said
    /// in [`Exported::truncated`], and in the JSON itself.
    pub fn limit(mut self, changes: usize) -> Self {
        self.limit = Some(changes);
        self
    }

    /// With the actions of each change's transaction.
    pub fn with_actions(mut self) -> Self {
        self.actions = true;
        self
    }

    /// Calls back with the number of changes so far, after every thousand and at
    /// the end. The export can be sent to another thread if the callback can.
    pub fn progress<F: FnMut(u64) + Send>(self, callback: F) -> Export<F> {
        Export {
            filter: self.filter,
            limit: self.limit,
            actions: self.actions,
            progress: Some(callback),
        }
    }

    /// Writes to anything.
    ///
    /// # Errors
    ///
    /// The filter cannot be answered, the query failed, or writing did. What was
    /// written by then is not complete: CSV ends somewhere, JSON does not parse,
    /// NDJSON lacks its last line.
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
        let actions = self.actions;
        match format {
            ExportFormat::Csv => self.write_to(conn, csv::Sheet::new(out, actions)).await,
            ExportFormat::Json => self.write_to(conn, json::Document::new(out)).await,
            ExportFormat::Ndjson => self.write_to(conn, json::Lines::new(out)).await,
        }
    }

    /// Writes a file. It appears under its name when it is complete and not
    /// before; until then it is beside it, with `.partial` at the end.
    ///
    /// # Errors
    ///
    /// As of [`write`](Self::write). Nothing is left, and a file that was there
    /// before is as it was.
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

    /// What is asked, when the audit can be.
    async fn query<'f, C: StreamConnection>(
        &mut self,
        conn: &mut C,
        filter: &'f Filter,
    ) -> Result<(Plan<'f>, Typed<ExportSql>), Error> {
        post_before_reading(conn).await;
        // Asked for first: when the rows come, the connection is taken.
        let installed = installed_version(conn).await?;
        if installed < Some(SCHEMA_VERSION) {
            return Err(Error::new(ErrorKind::SchemaMissing { installed }));
        }
        // One more is asked for than is written: that it is there says enough.
        let asked = self.limit.map(|limit| limit.saturating_add(1));
        let plan = Plan::new(conn, filter).await?;
        let query = plan.export(asked, self.actions);
        Ok((plan, query))
    }

    async fn write_to<C, S>(&mut self, conn: &mut C, mut sink: S) -> Result<Exported, Error>
    where
        C: StreamConnection,
        S: Sink + Send,
    {
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
}

/// Writes the changes of a filter page by page, with the actions of their transactions: on
/// connections that give no row before the last one has come. `write` says of each page what
/// was written by then, and may break off.
#[doc(hidden)]
pub fn export_pages<C: BlockingConnection>(
    conn: &mut C,
    filter: &Filter,
    format: ExportFormat,
    limit: usize,
    mut write: impl FnMut(Vec<u8>) -> std::io::Result<()>,
) -> Result<Exported, Error> {
    let buffer = Shared::default();
    let mut sink: Box<dyn Sink> = match format {
        ExportFormat::Csv => Box::new(csv::Sheet::new(buffer.clone(), true)),
        ExportFormat::Json => Box::new(json::Document::new(buffer.clone())),
        ExportFormat::Ndjson => Box::new(json::Lines::new(buffer.clone())),
    };
    let mut written = |buffer: &Shared| {
        let chunk = buffer.take();
        write(chunk).map_err(|source| Error::new(ErrorKind::Export { source }))
    };
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
        written(&buffer)?;
        after = page.next;
        if after.is_none() || exported.changes >= limit as u64 {
            exported.truncated = page.has_more;
            break;
        }
    }
    sink.end(exported)?;
    written(&buffer)?;
    Ok(exported)
}

/// Changes of a page. Each may have values of megabytes.
const AT_A_TIME: usize = 200;

/// What was written since it was last taken.
#[derive(Debug, Clone, Default)]
struct Shared(Rc<RefCell<Vec<u8>>>);

impl Shared {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.borrow_mut())
    }
}

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

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

/// Where changes are written, one after another.
trait Sink {
    fn change(&mut self, row: &ExportRow) -> Result<(), Error>;

    /// Says that this was all.
    fn end(&mut self, exported: Exported) -> Result<(), Error>;
}

/// Writes the changes that a filter asks for as CSV: [`Export`] without options.
///
/// A change a line; the columns are `change_id`, `captured_at`, `operation`,
/// `schema`, `table`, `key`, `previous_key`, `changed_from`, `changed_to`, `row_data`,
/// `transaction_id`, `occurred_at`, `actor_type`, `actor_id`, `actor_origin`,
/// `request_id`, `correlation_id`, `job_id`, `source`, `remote_ip`, `metadata`,
/// `session_user`, `context_error`, and with actions `action_names` and `actions`.
/// They keep their order; new ones come at the end. JSON is in the cells of
/// `key`, `previous_key`, `changed_from`, `changed_to`, `row_data` and `metadata`;
/// an empty cell is SQL's NULL, or an empty text. Text that a spreadsheet would run
/// as a formula, because it begins with `=`, `+`, `-`, `@`, a tab or a carriage
/// return, has a `'` before it, as OWASP advises against [CSV injection].
///
/// [CSV injection]: https://owasp.org/www-community/attacks/CSV_Injection
///
/// # Errors
///
/// As of [`Export::write`].
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

/// Writes the changes that a filter asks for as one JSON document: [`Export`]
/// without options.
///
/// ```json
/// {"format_version": 1, "generated_at": "2026-11-23T09:14:03.000000Z",
///  "changes": [{"id": 7, "operation": "update", "changed_from": {"role": "member"}, …}],
///  "count": 1, "truncated": false}
/// ```
///
/// An entry has the form of a serialized [`AuditChange`](crate::AuditChange), and
/// its `actions` where they are asked for. Values of `numeric` columns, integers
/// beyond 2^53, and other numbers that a binary float does not hold, are strings.
///
/// # Errors
///
/// As of [`Export::write`].
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
