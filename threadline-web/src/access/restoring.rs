//! Reverts of changes that the viewer can see completely.

use chrono::{DateTime, Utc};
use diesel::result::Error as DieselError;
use threadline::__cli::{TextKey, ready, revert_record};
use threadline::__web::{TableInfo, overview, tables};
use threadline::{
    Action, AuditContext, AuditExt, BlockingConnection, Error, ErrorKind, Filter, KeyExpression,
    RevertConflict, TimelineEntry, record_action, revert_transaction, timeline,
};

use super::Access;

/// The number of changes that a preview shows.
const SHOWN: usize = 200;

/// The target of a revert.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Transaction(i64),
    Record {
        table: String,
        key: Vec<String>,
        at: DateTime<Utc>,
    },
}

/// The outcome of a revert.
#[derive(Debug)]
pub(crate) enum Restored {
    Done,
    /// The first changes that the revert would make, and how many it would make.
    Preview(Vec<TimelineEntry>, u64, Vec<TableInfo>),
    /// The conflicts that prevent the revert.
    Conflicts(Vec<RevertConflict>),
    /// A part of the revert is outside of the scope.
    Outside,
}

/// The reason why the transaction is rolled back.
enum Ended {
    Seen(Vec<TimelineEntry>, u64, Vec<TableInfo>),
    Outside,
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<DieselError> for Ended {
    fn from(error: DieselError) -> Self {
        Self::Failed(error.into())
    }
}

/// Reverts the target, or returns a preview if `apply` is false.
pub(crate) fn put_back<C: BlockingConnection>(
    conn: &mut C,
    access: &Access,
    context: &AuditContext,
    target: &Target,
    reason: &str,
    apply: bool,
    timeout: u128,
) -> Result<Restored, Error> {
    let ended = conn.audited_transaction::<_, Ended, _>(context, |conn| {
        conn.batch_execute(&format!("SET LOCAL statement_timeout = {timeout}"))?;
        if !is_inside(conn, access, target)? {
            return Err(Ended::Outside);
        }
        let action = match target {
            Target::Transaction(id) => Action::new("audit.reverted").metadata("transaction", *id),
            Target::Record { table, key, at } => Action::new("audit.reverted")
                .metadata("table", table.as_str())
                .metadata("key", key.clone())
                .metadata("at", at.to_rfc3339()),
        };
        record_action(conn, action.reason(reason))?;
        match target {
            Target::Transaction(id) => {
                revert_transaction(conn, *id)?;
            }
            Target::Record { table, key, at } => {
                let key = KeyExpression::<TextKey>::from(key.clone());
                ready(revert_record(conn, table.clone(), key, *at))?;
            }
        }
        if apply {
            return Ok(());
        }
        let own = Filter::new().correlation_id(context.correlation_id().unwrap_or_default());
        let page = timeline(own.clone()).limit(SHOWN).page(conn)?;
        let total = match page.has_more {
            true => timeline(own).count(conn)?,
            false => page.entries.len() as u64,
        };
        Err(Ended::Seen(
            page.entries,
            total,
            ready(tables(conn, access.scope()))?,
        ))
    });
    match ended {
        Ok(()) => Ok(Restored::Done),
        Err(Ended::Seen(entries, total, tables)) => Ok(Restored::Preview(entries, total, tables)),
        Err(Ended::Outside) => Ok(Restored::Outside),
        Err(Ended::Failed(error)) => match error.kind() {
            ErrorKind::RevertConflicts(conflicts) => Ok(Restored::Conflicts(conflicts.clone())),
            _ => Err(error),
        },
    }
}

/// Returns whether every change of the revert is in the scope, with all columns.
fn is_inside<C: BlockingConnection>(
    conn: &mut C,
    access: &Access,
    target: &Target,
) -> Result<bool, Error> {
    if access.scope().is_none() {
        return Ok(true);
    }
    let filter = match target {
        Target::Transaction(id) => Filter::new().transaction(*id),
        Target::Record { table, key, at } => Filter::new()
            .table(table)
            .record(threadline::RecordKey::of(key))
            .from(*at),
    };
    let seen = access.narrow(filter.clone());
    let all = timeline(filter).count(conn)?;
    if all == 0 || timeline(seen.clone()).count(conn)? != all {
        return Ok(false);
    }
    let whole = ready(tables(conn, None))?;
    let shown = ready(tables(conn, access.scope()))?;
    let columns = |tables: &[TableInfo], schema: &Option<String>, name: &Option<String>| {
        tables
            .iter()
            .find(|info| Some(&info.schema) == schema.as_ref() && Some(&info.name) == name.as_ref())
            .map(|info| info.columns.len())
    };
    let counted = ready(overview(
        conn,
        &seen,
        usize::try_from(all).unwrap_or(usize::MAX),
    ))?;
    Ok(counted.tables.iter().all(|table| {
        let of = |tables: &[TableInfo]| columns(tables, &table.schema, &table.table);
        of(&shown).is_some() && of(&shown) == of(&whole)
    }))
}
