//! The queries of the pages. Pages have no other access to the database, and each query is
//! limited to the scope here.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use diesel::connection::TransactionManager;
use diesel::dsl::sql;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel::sql_types::{Integer, Text};
use diesel::{RunQueryDsl, sql_query};
use serde_json::Value;
use threadline::__cli::ready;
use threadline::__cli::{TextKey, as_of_json};
use threadline::__web::{
    ForeignKey, Gaps, HoldInForce, Overview, TableInfo, action_by_id, count_within_reach, ends_of,
    export_pages, foreign_keys, holds, image_within, known_table, last_changes, overview,
    overview_and_page, overview_within_reach, page_within_reach, record_now, tables, terms,
    with_tables,
};
use threadline::{
    ActionFilter, AuditAction, AuditContext, BlockingConnection, Cursor, Error, ErrorKind,
    ExportFormat, Exported, Filter, FilterError, Health, KeyExpression, Models, Page, Scope,
    TimelineEntry, Unavailable, Verification, actions, timeline, unmasked,
};

use super::{Access, narrowed};

/// Retention and legal holds.
#[derive(Debug, Default)]
pub(crate) struct Keeping {
    /// The retention of each table, by its number.
    pub(crate) terms: BTreeMap<i32, String>,
    pub(crate) holds: Vec<HoldInForce>,
}

/// An overview and a page, with the time at which its search ended if it did not read all.
pub(crate) type Explored = (Overview, (Page<TimelineEntry>, Option<DateTime<Utc>>));

/// A connection with the access of a viewer.
#[derive(Debug)]
pub(crate) struct Scoped<'c, C> {
    conn: &'c mut C,
    access: &'c Access,
    /// The scope of the access, with its tables looked up once for all queries.
    scope: Option<Scope>,
}

impl<'c, C: BlockingConnection> Scoped<'c, C> {
    fn new(conn: &'c mut C, access: &'c Access) -> Result<Self, Error> {
        let scope = match access.scope() {
            Some(scope) => Some(ready(with_tables(conn, scope))?),
            None => None,
        };
        Ok(Self {
            conn,
            access,
            scope,
        })
    }

    /// Limits a filter to the scope, as [`Access::narrow`] does.
    fn narrow(&self, filter: Filter) -> Filter {
        narrowed(filter, self.scope.as_ref())
    }

    /// Returns whether the scope compares values of rows, which a change may not contain.
    pub(crate) fn compares_rows(&self) -> bool {
        self.scope.as_ref().is_some_and(Scope::compares_rows)
    }

    /// Runs queries in one read-only snapshot, each for at most `timeout`.
    pub(crate) fn read<T>(
        conn: &'c mut C,
        access: &'c Access,
        timeout: Duration,
        questions: impl FnOnce(&mut Scoped<'_, C>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        conn.begin_transaction_sql(&format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {}; {NOT_COMPILED}",
            timeout.as_millis()
        ))?;
        let answer = in_time(timeout, || {
            Scoped::new(&mut *conn, access).and_then(|mut scoped| questions(&mut scoped))
        });
        // Nothing was written. The rollback frees the connection.
        let ended = C::TransactionManager::rollback_transaction(conn);
        answer.and_then(|answer| Ok(ended.map(|()| answer)?))
    }

    /// Same as [`read`](Self::read), with values that were recorded before their column was
    /// masked or excluded. The reason is recorded first.
    pub(crate) fn read_unmasked<T>(
        conn: &mut C,
        access: &Access,
        timeout: Duration,
        context: AuditContext,
        reason: String,
        questions: impl FnOnce(&mut Scoped<'_, C>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        context.scope(|| {
            unmasked(conn, reason, |conn| {
                conn.batch_execute(&format!(
                    "SET TRANSACTION READ ONLY; SET LOCAL statement_timeout = {}; {NOT_COMPILED}",
                    timeout.as_millis()
                ))?;
                in_time(timeout, || questions(&mut Scoped::new(conn, access)?))
            })
        })
    }

    /// Returns a page of changes, newest first.
    pub(crate) fn timeline(
        &mut self,
        filter: Filter,
        limit: usize,
        after: Option<Cursor>,
    ) -> Result<Page<TimelineEntry>, Error> {
        let query = timeline(self.narrow(filter));
        query.limit(limit).after(after).page(self.conn)
    }

    /// Same as [`timeline`](Self::timeline), within reach: a search that no index answers ends
    /// after so many changes. Returns the time at which it ended; the next page continues there.
    pub(crate) fn search(
        &mut self,
        filter: Filter,
        limit: usize,
        after: Option<Cursor>,
    ) -> Result<(Page<TimelineEntry>, Option<DateTime<Utc>>), Error> {
        let query = timeline(self.narrow(filter)).limit(limit).after(after);
        ready(page_within_reach(self.conn, query))
    }

    /// Same as [`glance`](Self::glance) and [`search`](Self::search) of the same filter.
    pub(crate) fn explore(
        &mut self,
        filter: Filter,
        cap: usize,
        limit: usize,
        after: Option<Cursor>,
    ) -> Result<Explored, Error> {
        let query = timeline(self.narrow(filter)).limit(limit).after(after);
        ready(overview_and_page(self.conn, query, cap))
    }

    /// Returns the tables that the viewer can see.
    pub(crate) fn tables(&mut self) -> Result<Vec<TableInfo>, Error> {
        ready(tables(self.conn, self.scope.as_ref()))
    }

    /// Returns the current row of a record.
    pub(crate) fn record_now(
        &mut self,
        table: &str,
        key: &[String],
    ) -> Result<Option<Value>, Error> {
        let image = ready(record_now(self.conn, table, key)).map_err(|e| of_key(e, key))?;
        self.image(table, image)
    }

    /// Returns for each column the change that gave it its value now, or at an instant.
    pub(crate) fn blame(
        &mut self,
        mut entries: Vec<TimelineEntry>,
        at: Option<DateTime<Utc>>,
    ) -> Result<BTreeMap<String, TimelineEntry>, Error> {
        entries.retain(|entry| at.is_none_or(|at| entry.change.captured_at <= at));
        let changes: Vec<_> = entries.iter().map(|entry| &entry.change).collect();
        let last = ready(last_changes(self.conn, &changes))?;
        let entry = |(column, (place, _)): (String, (usize, Value))| {
            entries.get(place).map(|entry| (column, entry.clone()))
        };
        Ok(last.into_iter().filter_map(entry).collect())
    }

    /// Returns for each change the instant from which its whole transaction is visible.
    pub(crate) fn points(
        &mut self,
        entries: &[TimelineEntry],
    ) -> Result<Vec<DateTime<Utc>>, Error> {
        let transactions = entries.iter().map(|e| e.change.transaction.id).collect();
        let ends = ready(ends_of(self.conn, transactions))?;
        let point = |entry: &TimelineEntry| {
            let end = ends.get(&entry.change.transaction.id);
            end.copied().unwrap_or(entry.change.captured_at)
        };
        Ok(entries.iter().map(point).collect())
    }

    /// Returns the row of a record at an instant, or the reason why there is none.
    pub(crate) fn record_then(
        &mut self,
        table: &str,
        key: &[String],
        then: DateTime<Utc>,
    ) -> Result<Result<Value, Unavailable>, Error> {
        let values = KeyExpression::<TextKey>::from(key.to_vec());
        let answer = ready(as_of_json(self.conn, table.to_owned(), values, then));
        match answer.map_err(|e| of_key(e, key))? {
            Ok(image) => Ok(self
                .image(table, Some(image))?
                .ok_or(Unavailable::NeverExisted)),
            // The deletion may be outside of the scope.
            Err(Unavailable::Deleted { .. } | Unavailable::KeyChanged { .. })
                if self.scope.as_ref().is_some() =>
            {
                Ok(Err(Unavailable::NeverExisted))
            }
            Err(reason) => Ok(Err(reason)),
        }
    }

    fn image(&mut self, table: &str, image: Option<Value>) -> Result<Option<Value>, Error> {
        match (image, self.scope.as_ref()) {
            (Some(image), Some(scope)) => ready(image_within(self.conn, scope, table, image)),
            (image, _) => Ok(image),
        }
    }

    /// Returns what a page of a record's history does not show. A scope has no changes of
    /// unknown rows, and none of a key that no record has now.
    pub(crate) fn gaps(
        &mut self,
        table: &str,
        entries: &[TimelineEntry],
        ends: (bool, bool),
    ) -> Result<Gaps, Error> {
        if self.scope.is_some() {
            return Ok(Gaps::default());
        }
        let known = ready(known_table(self.conn, table))?;
        let changes: Vec<_> = entries.iter().map(|entry| &entry.change).collect();
        ready(Gaps::find(self.conn, table, &known, &changes, ends))
    }

    /// Returns the foreign keys between a table and others, except those of hidden tables
    /// and columns.
    pub(crate) fn foreign_keys(
        &mut self,
        table: &str,
        seen: &[TableInfo],
    ) -> Result<Vec<ForeignKey>, Error> {
        let shows = |info: Option<&TableInfo>, column: &str| {
            info.is_some_and(|info| info.columns.iter().any(|(name, _)| name == column))
        };
        let this = seen.iter().find(|info| info.is_called(table));
        let keys = ready(foreign_keys(self.conn, table))?;
        Ok(keys
            .into_iter()
            .filter(|key| {
                let other = seen
                    .iter()
                    .find(|info| info.schema == key.schema && info.name == key.table);
                let (from, to) = if key.comes {
                    (other, this)
                } else {
                    (this, other)
                };
                shows(from, &key.column) && shows(to, &key.referred)
            })
            .collect())
    }

    /// Returns actions without changes. A scope contains none.
    pub(crate) fn other_actions(
        &mut self,
        filter: ActionFilter,
        limit: usize,
    ) -> Result<Vec<AuditAction>, Error> {
        if self.scope.as_ref().is_some() {
            return Ok(vec![]);
        }
        let page = actions(filter.without_changes())
            .limit(limit)
            .page(self.conn)?;
        Ok(page.entries)
    }

    /// Returns a page of actions. A scope has no such page.
    pub(crate) fn actions(
        &mut self,
        filter: ActionFilter,
        limit: usize,
        after: Option<Cursor>,
    ) -> Result<Option<Page<AuditAction>>, Error> {
        if self.scope.as_ref().is_some() {
            return Ok(None);
        }
        let page = actions(filter).limit(limit).after(after).page(self.conn)?;
        Ok(Some(page))
    }

    /// Returns an action if the viewer can see it or a change of its transaction.
    pub(crate) fn action(&mut self, id: i64) -> Result<Option<AuditAction>, Error> {
        let action = ready(action_by_id(self.conn, id))?;
        if self.scope.as_ref().is_none() {
            return Ok(action);
        }
        let Some(transaction) = action.and_then(|action| action.transaction_id) else {
            return Ok(None);
        };
        let filter = Filter::new().transaction(transaction);
        let page = self.timeline(filter, 1, None)?;
        let actions = page.entries.into_iter().flat_map(|entry| entry.actions);
        Ok(actions.into_iter().find(|action| action.id == id))
    }

    /// Returns the health of the audit, for operators only.
    pub(crate) fn health(&mut self, models: &Models) -> Result<Option<Health>, Error> {
        match self.access.may_operate() {
            true => models.health(self.conn).map(Some),
            false => Ok(None),
        }
    }

    /// Returns retention and legal holds, for operators only.
    pub(crate) fn keeping(&mut self) -> Result<Keeping, Error> {
        match self.access.may_operate() {
            true => Ok(Keeping {
                terms: ready(terms(self.conn))?,
                holds: ready(holds(self.conn))?,
            }),
            false => Ok(Keeping::default()),
        }
    }

    /// Verifies the audit, for operators only.
    pub(crate) fn verify(&mut self, models: &Models) -> Result<Option<Verification>, Error> {
        match self.access.may_operate() {
            true => models.verify().run(self.conn).map(Some),
            false => Ok(None),
        }
    }

    /// Counts changes, at most `cap` of them. Returns `None` if that takes longer than `limit`.
    pub(crate) fn count(
        &mut self,
        filter: Filter,
        cap: Option<usize>,
        limit: Duration,
    ) -> Result<Option<u64>, Error> {
        let changes = timeline(self.narrow(filter));
        self.within(limit, |conn| match cap {
            Some(cap) => changes.count_up_to(conn, cap),
            None => changes.count(conn),
        })
    }

    /// Counts the changes within reach, at most `cap` of them, and returns whether there may be
    /// more. Returns `None` if that takes longer than `limit`.
    pub(crate) fn count_at_a_glance(
        &mut self,
        filter: Filter,
        cap: usize,
        limit: Duration,
    ) -> Result<Option<(u64, bool)>, Error> {
        let filter = self.narrow(filter);
        self.within(limit, |conn| ready(count_within_reach(conn, &filter, cap)))
    }

    /// Runs a query that is given up after a time.
    fn within<T>(
        &mut self,
        limit: Duration,
        query: impl FnOnce(&mut C) -> Result<T, Error>,
    ) -> Result<Option<T>, Error> {
        // A savepoint, after whose rollback the transaction goes on with its own timeout.
        let counted = self.conn.transaction(|conn| {
            let before = diesel::select(sql::<Text>("current_setting('statement_timeout')"));
            let before: String = before.get_result(conn)?;
            let set = |to: &str| format!("SET LOCAL statement_timeout = '{to}'");
            conn.batch_execute(&set(&limit.as_millis().to_string()))?;
            let counted = in_time(limit, || query(conn))?;
            conn.batch_execute(&set(&before))?;
            Ok(counted)
        });
        match counted {
            Err(error) if took_too_long(&error) => Ok(None),
            counted => counted.map(Some),
        }
    }

    /// Returns the number of the database session.
    pub(crate) fn session(&mut self) -> Result<i32, Error> {
        Ok(diesel::select(sql::<Integer>("pg_backend_pid()")).get_result(self.conn)?)
    }

    /// Cancels the query that runs in another session.
    pub(crate) fn cancel(conn: &mut C, session: i32) -> Result<(), Error> {
        let cancel = sql_query("SELECT pg_cancel_backend($1)").bind::<Integer, _>(session);
        cancel.execute(conn)?;
        Ok(())
    }

    /// Exports changes piece by piece. `write` gets each piece and the number of changes so
    /// far.
    pub(crate) fn export(
        &mut self,
        filter: Filter,
        format: ExportFormat,
        limit: usize,
        write: impl FnMut(Vec<u8>, u64) -> std::io::Result<()>,
    ) -> Result<Exported, Error> {
        let filter = self.narrow(filter);
        export_pages(self.conn, &filter, format, limit, write)
    }

    /// Counts the newest `cap` changes.
    pub(crate) fn overview(&mut self, filter: Filter, cap: usize) -> Result<Overview, Error> {
        let filter = self.narrow(filter);
        ready(overview(self.conn, &filter, cap))
    }

    /// Same as [`overview`](Self::overview), within reach.
    pub(crate) fn glance(&mut self, filter: Filter, cap: usize) -> Result<Overview, Error> {
        let filter = self.narrow(filter);
        ready(overview_within_reach(self.conn, &filter, cap))
    }
}

/// Returns a timeout that PostgreSQL accepts: at least a millisecond, because 0 means none, and
/// at most 2^31 milliseconds.
pub(crate) fn limited(timeout: Duration) -> Duration {
    timeout.clamp(
        Duration::from_millis(1),
        Duration::from_millis(i32::MAX.unsigned_abs().into()),
    )
}

/// Turns an error of the database into one about the key. The usual cause is a key that does
/// not have the column's type.
fn of_key(error: Error, key: &[String]) -> Error {
    if took_too_long(&error) || !matches!(error.kind(), ErrorKind::Database(_)) {
        return error;
    }
    let refused = FilterError::Value {
        name: "record".to_owned(),
        value: key.join(", "),
        message: "the key is not valid for this table".to_owned(),
    };
    refused.into()
}

/// With 50 million changes, compiling the plan of a page took half a second, and its run 6 ms.
const NOT_COMPILED: &str = "SET LOCAL jit = off";

const TIMED_OUT: &str = "canceling statement due to statement timeout";

/// Runs queries that PostgreSQL cancels after a time. Its message can be in any language, and Diesel
/// does not give the code of the error, so an unknown error after this time counts as the timeout.
fn in_time<T>(timeout: Duration, queries: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    let begun = Instant::now();
    queries().map_err(|error| match error.kind() {
        ErrorKind::Database(DieselError::DatabaseError(DatabaseErrorKind::Unknown, _))
            if begun.elapsed() >= timeout =>
        {
            let timed_out = Box::new(TIMED_OUT.to_owned());
            DieselError::DatabaseError(DatabaseErrorKind::Unknown, timed_out).into()
        }
        _ => error,
    })
}

/// Returns whether the statement timeout cancelled the query.
pub(crate) fn took_too_long(error: &Error) -> bool {
    let ErrorKind::Database(DieselError::DatabaseError(_, information)) = error.kind() else {
        return false;
    };
    information.message() == TIMED_OUT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fails(message: &str, after: Duration) -> bool {
        let message = Box::new(message.to_owned());
        let failed = in_time::<()>(Duration::from_millis(20), || {
            std::thread::sleep(after);
            Err(DieselError::DatabaseError(DatabaseErrorKind::Unknown, message).into())
        });
        took_too_long(&failed.unwrap_err())
    }

    #[test]
    fn a_timeout_is_recognized_in_any_language() {
        let german = "storniere Anfrage wegen Zeit\u{fc}berschreitung der Anfrage";
        assert!(fails(german, Duration::from_millis(20)));
        assert!(fails(TIMED_OUT, Duration::from_millis(20)));
        assert!(!fails(
            "relation \"members\" does not exist",
            Duration::ZERO
        ));
    }
}
