//! Counts of changes by time, table, operation, actor and source, for the page of a timeline.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Integer, Nullable, Text, Timestamptz};

use super::summary::{ActorCount, OperationCount, TableCount};
use super::timeline::Plan;
use crate::connection::AuditConnection;
use crate::context::ActorRef;
use crate::error::Error;
use crate::filter::Filter;
use crate::record::{AnyTime, Operation};
use crate::run;

/// Counts of the newest changes that a filter matches, returned by [`overview`].
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Overview {
    /// The number of changes counted.
    pub changes: u64,
    /// Whether there are older changes that were not counted.
    pub more: bool,
    /// The time at which the search ended, if it ended before the first change and before the
    /// maximum was counted. Older changes were not searched.
    pub searched_to: Option<DateTime<Utc>>,
    /// The number of transactions of these changes.
    pub transactions: u64,
    /// The length of a step of [`times`](Self::times), in seconds.
    pub step: u64,
    /// Counts by time, oldest first, without empty steps.
    pub times: Vec<(DateTime<Utc>, u64)>,
    /// Counts by table, highest first.
    pub tables: Vec<TableCount>,
    /// Counts by operation, highest first.
    pub operations: Vec<OperationCount>,
    /// Counts by actor, highest first.
    pub actors: Vec<ActorCount>,
    /// Counts by source, highest first; `None`: changes without a source.
    pub sources: Vec<(Option<String>, u64)>,
}

type NText = Nullable<Text>;
/// The columns of [`Row`].
pub(super) type OverviewSql = (
    Integer,
    BigInt,
    Nullable<Timestamptz>,
    NText,
    NText,
    NText,
    NText,
    NText,
    NText,
    BigInt,
    BigInt,
);
type Row = (
    i32,
    i64,
    Option<AnyTime>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    i64,
    i64,
);

/// Counts the newest changes that a filter matches, at most `cap` of them.
///
/// # Errors
///
/// Same as those of [`summary`](crate::summary).
pub async fn overview<C: AuditConnection>(
    conn: &mut C,
    filter: &Filter,
    cap: usize,
) -> Result<Overview, Error> {
    let plan = Plan::new(conn, filter).await?;
    counted(conn, &plan, cap).await
}

/// Same as [`overview`], for a page for which nobody waits long: a search that no index answers
/// ends after so many changes.
///
/// # Errors
///
/// Same as those of [`summary`](crate::summary).
pub async fn overview_within_reach<C: AuditConnection>(
    conn: &mut C,
    filter: &Filter,
    cap: usize,
) -> Result<Overview, Error> {
    let plan = Plan::within_reach(conn, filter, None).await?;
    let mut overview = counted(conn, &plan, cap).await?;
    if let (false, Some(reach)) = (overview.more, plan.reach()) {
        overview.more = true;
        overview.searched_to = Some(reach.at);
    }
    Ok(overview)
}

async fn counted<C: AuditConnection>(
    conn: &mut C,
    plan: &Plan<'_>,
    cap: usize,
) -> Result<Overview, Error> {
    let rows: Vec<Row> = run::read(conn, plan.overview(cap)).await?;
    let mut overview = Overview::default();
    for row in rows {
        overview.add(row);
    }
    overview.more = overview.changes >= cap as u64;
    Ok(overview)
}

impl Overview {
    fn add(&mut self, row: Row) {
        // A row counts by the columns whose bit is not set (SQL's GROUPING).
        const TIME: i32 = 0b01111;
        const TABLE: i32 = 0b10111;
        const OPERATION: i32 = 0b11011;
        const ACTOR: i32 = 0b11101;
        const SOURCE: i32 = 0b11110;
        let (by, step, bin, schema, table, op, kind, id, source, count, transactions) = row;
        let changes = count.unsigned_abs();
        match by {
            TIME => self
                .times
                .extend(bin.map(|bin| (bin.into_inner(), changes))),
            TABLE => self.tables.push(TableCount {
                schema,
                table,
                changes,
            }),
            OPERATION => self.operations.push(OperationCount {
                operation: Operation::recorded(op.unwrap_or_default()),
                changes,
            }),
            ACTOR => self.actors.push(ActorCount {
                actor: kind.map(|kind| ActorRef::recorded(kind, id)),
                changes,
            }),
            SOURCE => self.sources.push((source, changes)),
            _ => {
                self.changes = changes;
                self.transactions = transactions.unsigned_abs();
                self.step = step.unsigned_abs();
            }
        }
    }
}
