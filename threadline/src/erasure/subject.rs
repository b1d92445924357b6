use std::io::Write;

use chrono::{SecondsFormat, Utc};
use diesel::connection::LoadConnection;
use diesel::deserialize::FromSqlRow;
use diesel::expression::QueryMetadata;
use diesel::pg::{Pg, PgRowByRowLoadingMode};
use diesel::result::Error as DieselError;
use diesel::sql_types::Jsonb;
use serde::Serialize;
use serde_json::json;

use crate::action::{ActionSql, AuditAction};
use crate::context::{ActorRef, AuditConnection, plainly};
use crate::error::{Error, ErrorKind};
use crate::explore::{Bind, Typed, known_table};
use crate::export::write_failed;
use crate::forms::FormatVersion;
use crate::install::{SCHEMA_VERSION, installed_version};
use crate::posting::post_before_reading;
use crate::record::portable::Portable;
use crate::record::{AnyJson, AuditChange, AuditTransaction, ChangeSql, TransactionSql};

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
    pub fn write<C, W>(self, conn: &mut C, mut out: W) -> Result<u64, Error>
    where
        C: AuditConnection + LoadConnection<PgRowByRowLoadingMode>,
        W: Write,
    {
        let installed = installed_version(conn)?;
        if installed < Some(SCHEMA_VERSION) {
            return Err(Error::new(ErrorKind::SchemaMissing { installed }));
        }
        known_table(conn, &self.table)?;
        post_before_reading(conn);
        let mut lines = 0;
        let person = || {
            [
                Bind::Text(self.table.clone()),
                Bind::Text(self.record_key.clone()),
            ]
        };
        let query = Typed::<ChangeSql>::new(include_str!("subject_changes.sql"), person());
        lines += records::<AuditChange, _, _, _>(conn, "change", query, &mut out)?;
        lines += documents(conn, include_str!("subject_holds.sql"), person(), &mut out)?;
        if let Some(actor) = &self.actor {
            let actor = || {
                [
                    Bind::Text(actor.actor_type().as_str().to_owned()),
                    Bind::IsText(actor.id().map(str::to_owned)),
                ]
            };
            let query =
                Typed::<TransactionSql>::new(include_str!("actor_transactions.sql"), actor());
            lines += records::<AuditTransaction, _, _, _>(conn, "transaction", query, &mut out)?;
            let query = Typed::<ActionSql>::new(include_str!("actor_actions.sql"), actor());
            lines += records::<AuditAction, _, _, _>(conn, "action", query, &mut out)?;
        }
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        write(
            &mut out,
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
fn records<T, ST, C, W>(
    conn: &mut C,
    kind: &'static str,
    query: Typed<ST>,
    out: &mut W,
) -> Result<u64, Error>
where
    T: FromSqlRow<ST, Pg> + Serialize,
    Pg: QueryMetadata<ST>,
    C: AuditConnection + LoadConnection<PgRowByRowLoadingMode>,
    W: Write,
{
    let mut lines = 0;
    for row in plainly(|| LoadConnection::<PgRowByRowLoadingMode>::load(conn, query))? {
        let record = &T::build_from_row(&row?).map_err(DieselError::DeserializationError)?;
        write(out, &Line { kind, record })?;
        lines += 1;
    }
    Ok(lines)
}

/// What a query gives as JSON, an object a line.
fn documents<C, W>(
    conn: &mut C,
    sql: &'static str,
    binds: [Bind; 2],
    out: &mut W,
) -> Result<u64, Error>
where
    C: AuditConnection + LoadConnection<PgRowByRowLoadingMode>,
    W: Write,
{
    let mut lines = 0;
    let query = Typed::<Jsonb>::new(sql, binds);
    for row in plainly(|| LoadConnection::<PgRowByRowLoadingMode>::load(conn, query))? {
        let document = <AnyJson as FromSqlRow<Jsonb, Pg>>::build_from_row(&row?)
            .map_err(DieselError::DeserializationError)?;
        write(out, &Portable(&document.into_inner()))?;
        lines += 1;
    }
    Ok(lines)
}

fn write(out: &mut impl Write, value: &impl Serialize) -> Result<(), Error> {
    serde_json::to_writer(&mut *out, value).map_err(|error| write_failed(error.into()))?;
    out.write_all(b"\n").map_err(write_failed)
}
