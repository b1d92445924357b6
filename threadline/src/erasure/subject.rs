use std::io::Write;
use std::marker::PhantomData;
use std::ops::ControlFlow;

use chrono::{SecondsFormat, Utc};
use diesel::deserialize::FromSqlRow;
use diesel::expression::QueryMetadata;
use diesel::pg::Pg;
use diesel::result::{Error as DieselError, QueryResult};
use diesel::row::Row;
use diesel::sql_types::Jsonb;
use serde::Serialize;
use serde_json::json;

use crate::action::{ActionSql, AuditAction};
use crate::connection::{EachRow, StreamConnection};
use crate::context::ActorRef;
use crate::error::{Error, ErrorKind};
use crate::export::write_failed;
use crate::forms::FormatVersion;
use crate::posting::post_before_reading;
use crate::queries::known_table;
use crate::record::portable::Portable;
use crate::record::{AnyJson, AuditChange, AuditTransaction, ChangeSql, TransactionSql};
use crate::run::installed_version;
use crate::statement::{Bind, Typed};
use crate::version::SCHEMA_VERSION;

/// Writes all that is on record about a person (GDPR, article 15): the changes of their
/// record and of the rows that belonged to them then, and what holds and erasures are about
/// them. What in a change belongs to somebody else is left out: of a row that was given
/// away, what it became.
///
/// One JSON object a line, each with its `kind`: `change`, `transaction` and `action` in the form
/// of the [`AuditChange`], [`AuditTransaction`] or [`AuditAction`] that it is, `hold`, `erasure`. The last line is
/// `end`: without it, the export is not complete.
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
///     .actor(ActorRef::user(42)?) // how they act
///     .write(conn, &mut out)?;
/// # Ok::<(), threadline::Error>(())
/// ```
#[derive(Debug, Clone)]
#[must_use = "nothing is written before `write`"]
pub struct SubjectExport {
    table: String,
    record_key: String,
    actor: Option<ActorRef>,
}

/// A line: a record, and what it is.
#[derive(Serialize)]
struct Line<'a, T> {
    kind: &'static str,
    #[serde(flatten)]
    record: &'a T,
}

impl SubjectExport {
    /// About the person whose record has this key, written as in a
    /// [`Filter`](crate::Filter).
    pub fn of(table: impl Into<String>, record_key: impl Into<String>) -> Self {
        Self {
            table: table.into(),
            record_key: record_key.into(),
            actor: None,
        }
    }

    /// With the transactions and actions of this actor. What they changed of others is not
    /// in it.
    pub fn actor(mut self, actor: ActorRef) -> Self {
        self.actor = Some(actor);
        self
    }

    /// Writes it, and returns how many lines that were, without the last.
    ///
    /// # Errors
    ///
    /// There is no such table, or it was never audited; its key was that of other records,
    /// too; the query failed, or writing did.
    pub fn write<'c, C, W>(self, conn: &'c mut C, mut out: W) -> C::Answer<'c, Result<u64, Error>>
    where
        C: StreamConnection,
        W: Write + Send + 'c,
    {
        C::answer(async move { self.write_to(conn, &mut out).await })
    }

    async fn write_to<C, W>(&self, conn: &mut C, out: &mut W) -> Result<u64, Error>
    where
        C: StreamConnection,
        W: Write + Send,
    {
        let installed = installed_version(conn).await?;
        if installed < Some(SCHEMA_VERSION) {
            return Err(Error::new(ErrorKind::SchemaMissing { installed }));
        }
        known_table(conn, &self.table).await?;
        post_before_reading(conn).await;
        let person = || {
            [
                Bind::Text(self.table.clone()),
                Bind::Text(self.record_key.clone()),
            ]
        };
        let query = Typed::<ChangeSql>::new(include_str!("subject_changes.sql"), person());
        let mut lines = records::<AuditChange, _, _, _>(conn, "change", query, out).await?;
        lines += documents(conn, include_str!("subject_holds.sql"), person(), out).await?;
        if let Some(actor) = &self.actor {
            let actor = || {
                [
                    Bind::Text(actor.actor_type().as_str().to_owned()),
                    Bind::IsText(actor.id().map(str::to_owned)),
                ]
            };
            let query =
                Typed::<TransactionSql>::new(include_str!("actor_transactions.sql"), actor());
            lines += records::<AuditTransaction, _, _, _>(conn, "transaction", query, out).await?;
            let query = Typed::<ActionSql>::new(include_str!("actor_actions.sql"), actor());
            lines += records::<AuditAction, _, _, _>(conn, "action", query, out).await?;
        }
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        write(
            out,
            &json!({
                "kind": "end", "format_version": FormatVersion::NUMBER, "generated_at": now,
                "table": self.table, "record_key": self.record_key, "count": lines,
            }),
        )?;
        out.flush().map_err(write_failed)?;
        Ok(lines)
    }
}

/// The records that a query gives, one a line.
async fn records<T, ST, C, W>(
    conn: &mut C,
    kind: &'static str,
    query: Typed<ST>,
    out: &mut W,
) -> Result<u64, Error>
where
    T: FromSqlRow<ST, Pg> + Serialize + Send,
    Pg: QueryMetadata<ST>,
    C: StreamConnection,
    W: Write + Send,
{
    let line = |record: T| {
        write(
            out,
            &Line {
                kind,
                record: &record,
            },
        )
    };
    each_line(conn, query, line).await
}

/// What a query gives as JSON, an object a line.
async fn documents<C, W>(
    conn: &mut C,
    sql: &'static str,
    binds: [Bind; 2],
    out: &mut W,
) -> Result<u64, Error>
where
    C: StreamConnection,
    W: Write + Send,
{
    let line = |document: AnyJson| write(out, &Portable(&document.into_inner()));
    each_line(conn, Typed::<Jsonb>::new(sql, binds), line).await
}

/// Writes a line for each row, and says how many.
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
    /// Why it was broken off.
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

fn write(out: &mut impl Write, value: &impl Serialize) -> Result<(), Error> {
    serde_json::to_writer(&mut *out, value).map_err(|error| write_failed(error.into()))?;
    out.write_all(b"\n").map_err(write_failed)
}
