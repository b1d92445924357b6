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

use crate::context::{ActorRef, EachRow, StreamConnection};
use crate::error::{Error, ErrorKind};
use crate::explore::{Bind, Typed, known_table};
use crate::export::{FORMAT_VERSION, write_failed};
use crate::install::{SCHEMA_VERSION, installed_version};
use crate::posting::post_before_reading;
use crate::record::{AnyJson, AuditChange, ChangeSql};

/// Writes all that is on record about a person (GDPR, article 15): the changes of their
/// record and of the rows that belonged to them then, and what holds and erasures are about
/// them. What in a change belongs to somebody else is left out: of a row that was given
/// away, what it became.
///
/// One JSON object a line, each with its `kind`: `change`, as in an
/// [`Export`](crate::Export), `transaction`, `action`, `hold`, `erasure`. The last line is
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

/// A line.
#[derive(Serialize)]
struct Line<'a> {
    kind: &'static str,
    #[serde(flatten)]
    change: &'a AuditChange,
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
        let changes = include_str!("subject_changes.sql");
        let mut lines =
            each_line::<ChangeSql, _, _>(conn, changes, person(), |change: AuditChange| {
                let line = Line {
                    kind: "change",
                    change: &change,
                };
                write(out, &line)
            })
            .await?;
        lines += documents(conn, include_str!("subject_holds.sql"), person(), out).await?;
        if let Some(actor) = &self.actor {
            let actor = || {
                [
                    Bind::Text(actor.actor_type().as_str().to_owned()),
                    Bind::IsText(actor.id().map(str::to_owned)),
                ]
            };
            let transactions = include_str!("actor_transactions.sql");
            lines += documents(conn, transactions, actor(), out).await?;
            let actions = include_str!("actor_actions.sql");
            lines += documents(conn, actions, actor(), out).await?;
        }
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        write(
            out,
            &json!({
                "kind": "end", "format_version": FORMAT_VERSION, "generated_at": now,
                "table": self.table, "record_key": self.record_key, "count": lines,
            }),
        )?;
        out.flush().map_err(write_failed)?;
        Ok(lines)
    }
}

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
    let line = |document: AnyJson| write(out, &document.into_inner());
    each_line::<Jsonb, _, _>(conn, sql, binds, line).await
}

/// Writes a line for each row, and says how many.
async fn each_line<ST, T, C>(
    conn: &mut C,
    sql: &'static str,
    binds: [Bind; 2],
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
    conn.each_row(Typed::<ST>::new(sql, binds), &mut each)
        .await?;
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
