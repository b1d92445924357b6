use std::io::Write;
use std::marker::PhantomData;
use std::ops::ControlFlow;

use chrono::Utc;
use diesel::deserialize::FromSqlRow;
use diesel::expression::QueryMetadata;
use diesel::pg::Pg;
use diesel::result::{Error as DieselError, QueryResult};
use diesel::row::Row;
use diesel::sql_types::{Text, Untyped};

#[cfg(doc)]
use super::Erased;
use super::subject_form::Form;
use super::subject_line::{SubjectEnd, SubjectLine};
use crate::action::{ActionSql, AuditAction};
use crate::connection::{EachRow, StreamConnection};
use crate::context::ActorRef;
use crate::error::Error;
use crate::forms::FormatVersion;
use crate::posting::post_before_reading;
use crate::queries::known_table;
use crate::record::{AuditChange, AuditTransaction, ChangeSql, TransactionSql};
use crate::run;
use crate::statement::{Bind, Typed};

/// Exports all recorded data of a person (GDPR, article 15): the changes of their record
/// and of the rows that belonged to them at the time, and the holds and erasures that
/// concern them. Data of other persons within a change is omitted: for a row that was
/// transferred to another person, its new values.
///
/// Each line is one JSON object with a `kind`: `change`, `transaction`, `action` and
/// `erasure` in the form of [`AuditChange`], [`AuditTransaction`], [`AuditAction`] and
/// [`Erased`], and `hold`. The last line is `end`. Without it, the export is incomplete.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::{ActorRef, SubjectExport};
///
/// let mut out = vec![];
/// SubjectExport::of("users", "42")
///     .actor(ActorRef::user(42)?) // their actor
///     .write(conn, &mut out)?;
/// # Ok::<(), threadline::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is written before `write`"]
pub struct SubjectExport {
    table: String,
    record_key: String,
    actor: Option<ActorRef>,
    csv: bool,
}

impl SubjectExport {
    /// Creates an export for the person whose record has this key, written as in a
    /// [`Filter`](crate::Filter).
    pub fn of(table: impl Into<String>, record_key: impl Into<String>) -> Self {
        Self {
            table: table.into(),
            record_key: record_key.into(),
            actor: None,
            csv: false,
        }
    }

    /// Includes the transactions and actions of this actor. Their changes of other persons'
    /// data are not included.
    pub fn actor(mut self, actor: ActorRef) -> Self {
        self.actor = Some(actor);
        self
    }

    /// Writes CSV (RFC 4180) instead of lines of JSON: a column `kind`, the columns of an
    /// [`Export`](crate::Export) with actions, and `record`, which has holds, erasures and the
    /// `end` as JSON. As in an `Export`, text that a spreadsheet would run as a formula begins
    /// with `'`.
    pub fn csv(mut self) -> Self {
        self.csv = true;
        self
    }

    /// Writes the export. Returns the number of lines, without the header and the last one.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no such table or it was never audited, if other records
    /// had the same key too, if the query fails, or if writing fails.
    pub fn write<'c, C, W>(self, conn: &'c mut C, mut out: W) -> C::Answer<'c, Result<u64, Error>>
    where
        C: StreamConnection,
        W: Write + Send + 'c,
    {
        C::answer(async move {
            let mut form = if self.csv {
                Form::csv(&mut out)?
            } else {
                Form::ndjson(&mut out)
            };
            self.write_to(conn, &mut form).await
        })
    }

    async fn write_to<C, W>(&self, conn: &mut C, out: &mut Form<W>) -> Result<u64, Error>
    where
        C: StreamConnection,
        W: Write + Send,
    {
        run::require_schema(conn).await?;
        known_table(conn, &self.table).await?;
        post_before_reading(conn).await;
        let person = || {
            [
                Bind::Text(self.table.clone()),
                Bind::Text(self.record_key.clone()),
            ]
        };
        let query = Typed::<ChangeSql>::new(include_str!("subject_changes.sql"), person());
        let change = |change: AuditChange| SubjectLine::Change(Box::new(change));
        let mut lines = records(conn, change, query, out).await?;
        let holds = include_str!("subject_holds.sql");
        lines += self.documents(conn, SubjectLine::Hold, holds, out).await?;
        let erasures = include_str!("subject_erasures.sql");
        lines += self
            .documents(conn, SubjectLine::Erasure, erasures, out)
            .await?;
        if let Some(actor) = &self.actor {
            let sql = include_str!("actor_transactions.sql");
            let query = Typed::<TransactionSql>::new(sql, Bind::of_actor(actor));
            let transaction =
                |transaction: AuditTransaction| SubjectLine::Transaction(Box::new(transaction));
            lines += records(conn, transaction, query, out).await?;
            let sql = include_str!("actor_actions.sql");
            let query = Typed::<ActionSql>::new(sql, Bind::of_actor(actor));
            let action = |action: AuditAction| SubjectLine::Action(Box::new(action));
            lines += records(conn, action, query, out).await?;
        }
        out.write(&SubjectLine::End(SubjectEnd {
            format_version: FormatVersion::default(),
            generated_at: Utc::now(),
            table: self.table.clone(),
            record_key: self.record_key.clone(),
            count: lines,
        }))?;
        out.flush()?;
        Ok(lines)
    }

    /// Writes the records of a kind that are few, one per line.
    async fn documents<T, C, W>(
        &self,
        conn: &mut C,
        line: fn(T) -> SubjectLine,
        sql: &'static str,
        out: &mut Form<W>,
    ) -> Result<u64, Error>
    where
        T: FromSqlRow<Untyped, Pg> + Send,
        C: StreamConnection,
        W: Write + Send,
    {
        let query = diesel::sql_query(sql)
            .bind::<Text, _>(&self.table)
            .bind::<Text, _>(&self.record_key);
        let found: Vec<T> = run::read(conn, query).await?;
        let lines = found.len() as u64;
        for record in found {
            out.write(&line(record))?;
        }
        Ok(lines)
    }
}

/// Writes the records that a query returns, one per line.
async fn records<T, ST, C, W>(
    conn: &mut C,
    line: fn(T) -> SubjectLine,
    query: Typed<ST>,
    out: &mut Form<W>,
) -> Result<u64, Error>
where
    T: FromSqlRow<ST, Pg> + Send,
    Pg: QueryMetadata<ST>,
    C: StreamConnection,
    W: Write + Send,
{
    each_line(conn, query, |record| out.write(&line(record))).await
}

/// Writes a line for each row, and returns their number.
async fn each_line<ST, T, C>(
    conn: &mut C,
    query: Typed<ST>,
    write: impl FnMut(T) -> Result<(), Error> + Send,
) -> Result<u64, Error>
where
    C: StreamConnection,
    T: FromSqlRow<ST, Pg> + Send,
    Pg: QueryMetadata<ST>,
{
    let mut each = EachLine {
        write,
        lines: 0,
        failed: None,
        read: PhantomData::<fn() -> (ST, T)>,
    };
    conn.each_row(query, &mut each).await?;
    match each.failed {
        Some(error) => Err(error),
        None => Ok(each.lines),
    }
}

struct EachLine<F, ST, T> {
    write: F,
    lines: u64,
    /// The error that ended it.
    failed: Option<Error>,
    read: PhantomData<fn() -> (ST, T)>,
}

impl<F, ST, T> EachRow for EachLine<F, ST, T>
where
    F: FnMut(T) -> Result<(), Error> + Send,
    T: FromSqlRow<ST, Pg> + Send,
{
    type Item = ControlFlow<()>;

    fn item<'r, R: Row<'r, Pg>>(&mut self, row: QueryResult<R>) -> ControlFlow<()> {
        let value =
            row.and_then(|row| T::build_from_row(&row).map_err(DieselError::DeserializationError));
        match value.map_err(Error::from).and_then(&mut self.write) {
            Ok(()) => {
                self.lines += 1;
                ControlFlow::Continue(())
            }
            Err(error) => {
                self.failed = Some(error);
                ControlFlow::Break(())
            }
        }
    }
}
