//! Exports that are sent as fast as the reader accepts them.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use diesel::pg::Pg;
use diesel::result::QueryResult;
use diesel::row::Row;
use futures_core::Stream;
use tokio::io::AsyncWrite;

use super::buffer::Buffer;
use super::rows::{ExportRow, export_row};
use super::{Export, ExportFormat, Exported, PROGRESS_EVERY, report, write_failed};
use crate::connection::{Asynchronous, EachRow};
use crate::error::Error;

/// The number of bytes that are collected before they are sent.
const CHUNK: usize = 1 << 15;

impl<P: FnMut(u64) + Send> Export<P> {
    /// Writes to a socket or another `AsyncWrite` of tokio, on a connection of
    /// diesel-async. Rows are read only as fast as they can be written, so a slow reader
    /// costs no memory.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # let connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let database_url = connection.database_url();
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use diesel_async::{AsyncConnection, AsyncPgConnection};
    /// use threadline::{Export, ExportFormat, Filter};
    ///
    /// let mut conn = AsyncPgConnection::establish(&database_url).await?;
    /// let export = Export::new(Filter::new().model::<User>());
    /// let mut out = Vec::new();
    /// export.write_async(&mut conn, ExportFormat::Ndjson, &mut out).await?;
    /// assert!(out.ends_with(b"\"truncated\":false}\n"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Same as [`write`](Self::write).
    pub async fn write_async<C, W>(
        self,
        conn: &mut C,
        format: ExportFormat,
        out: W,
    ) -> Result<Exported, Error>
    where
        C: Asynchronous,
        W: AsyncWrite + Send,
    {
        let out = pin!(out);
        self.send(conn, format, Writer(out)).await
    }

    /// Returns the bytes of an export as a stream, for instance as the body of an HTTP
    /// response. The stream owns the connection until it is dropped, and reads rows when it
    /// is polled.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # let connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let database_url = connection.database_url();
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use diesel_async::{AsyncConnection, AsyncPgConnection};
    /// use threadline::{Export, ExportFormat, Filter};
    ///
    /// let conn = AsyncPgConnection::establish(&database_url).await?;
    /// let export = Export::new(Filter::new().model::<User>());
    /// let mut bytes = export.stream(conn, ExportFormat::Csv).await?;
    /// while let Some(chunk) = bytes.next().await {
    ///     println!("{} bytes", chunk?.len());
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns an error if the filter cannot be evaluated or the query fails before the
    /// first byte, in time for another HTTP status. A later failure is the last item of the
    /// stream.
    pub async fn stream<C>(self, conn: C, format: ExportFormat) -> Result<ExportStream, Error>
    where
        C: Asynchronous + 'static,
        P: 'static,
    {
        let slot = Slot::default();
        let out = slot.clone();
        let mut stream = ExportStream {
            slot,
            first: None,
            work: Some(Box::pin(async move {
                let mut conn = conn;
                self.send(&mut conn, format, out).await
            })),
        };
        stream.first = stream.next().await.transpose()?;
        Ok(stream)
    }

    async fn send<C, O>(
        mut self,
        conn: &mut C,
        format: ExportFormat,
        mut out: O,
    ) -> Result<Exported, Error>
    where
        C: Asynchronous,
        O: Out,
    {
        let filter = self.filter.clone();
        let (plan, query) = self.query(conn, &filter).await?;
        let buffer = Buffer::default();
        let mut sink = format.sink(buffer.clone(), self.actions);
        let each = Rows {
            actions: self.actions,
        };
        let mut exported = Exported {
            changes: 0,
            truncated: false,
        };
        let mut rows = C::boxed(conn.row_by_row(query, each).await?);
        while let Some(row) = poll_fn(|context| rows.as_mut().poll_next(context)).await {
            if self
                .limit
                .is_some_and(|limit| exported.changes >= limit as u64)
            {
                exported.truncated = true;
                break;
            }
            let mut row = row?;
            plan.narrow_row(&mut row.change, &mut row.actions);
            sink.change(&row)?;
            exported.changes += 1;
            if exported.changes % PROGRESS_EVERY == 0 {
                report(&mut self.progress, exported.changes);
            }
            if buffer.len() >= CHUNK {
                out.put(buffer.take().into()).await?;
            }
        }
        sink.end(exported)?;
        if buffer.len() > 0 {
            out.put(buffer.take().into()).await?;
        }
        out.end().await?;
        report(&mut self.progress, exported.changes);
        Ok(exported)
    }
}

/// Builds the export row of each row.
struct Rows {
    actions: bool,
}

impl EachRow for Rows {
    type Item = Result<ExportRow, Error>;

    fn item<'r, R: Row<'r, Pg>>(&mut self, row: QueryResult<R>) -> Self::Item {
        export_row(row, self.actions)
    }
}

/// The asynchronous destination of the bytes.
trait Out: Send {
    fn put(&mut self, bytes: Bytes) -> impl Future<Output = Result<(), Error>> + Send;

    fn end(&mut self) -> impl Future<Output = Result<(), Error>> + Send {
        async { Ok(()) }
    }
}

struct Writer<'w, W>(Pin<&'w mut W>);

impl<W: AsyncWrite + Send> Out for Writer<'_, W> {
    async fn put(&mut self, bytes: Bytes) -> Result<(), Error> {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let written = poll_fn(|context| self.0.as_mut().poll_write(context, rest)).await;
            rest = match written {
                Ok(0) => return Err(write_failed(std::io::ErrorKind::WriteZero.into())),
                Ok(written) => &rest[written..],
                Err(error) => return Err(write_failed(error)),
            };
        }
        Ok(())
    }

    async fn end(&mut self) -> Result<(), Error> {
        poll_fn(|context| self.0.as_mut().poll_flush(context))
            .await
            .map_err(write_failed)
    }
}

/// The bytes that wait to be taken.
#[derive(Clone, Default)]
struct Slot(Arc<Mutex<Option<Bytes>>>);

impl Slot {
    fn bytes(&self) -> MutexGuard<'_, Option<Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Out for Slot {
    /// Waits until they are taken. The code that polls the stream takes them, and then
    /// polls this again.
    async fn put(&mut self, bytes: Bytes) -> Result<(), Error> {
        *self.bytes() = Some(bytes);
        poll_fn(|_| match *self.bytes() {
            Some(_) => Poll::Pending,
            None => Poll::Ready(Ok(())),
        })
        .await
    }
}

type Work = Pin<Box<dyn Future<Output = Result<Exported, Error>> + Send>>;

/// The bytes of an export. [`Export::stream`] returns it.
#[must_use = "an export is made when its stream is polled"]
pub struct ExportStream {
    slot: Slot,
    first: Option<Bytes>,
    work: Option<Work>,
}

impl ExportStream {
    /// Returns the next bytes, or `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl Stream for ExportStream {
    type Item = Result<Bytes, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let Some(work) = &mut self.work else {
            return Poll::Ready(None);
        };
        let done = work.as_mut().poll(context);
        let bytes = self.slot.bytes().take();
        if done.is_ready() {
            self.work = None;
        }
        match (done, bytes) {
            (Poll::Ready(Err(error)), _) => Poll::Ready(Some(Err(error))),
            (_, Some(bytes)) => Poll::Ready(Some(Ok(bytes))),
            (Poll::Ready(Ok(_)), None) => Poll::Ready(None),
            (Poll::Pending, None) => Poll::Pending,
        }
    }
}

impl fmt::Debug for ExportStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExportStream").finish_non_exhaustive()
    }
}
