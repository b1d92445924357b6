//! Counts of changes by time, table, operation, actor and source, for the page of a timeline.

use chrono::{DateTime, Utc};
use diesel::sql_types::{Array, BigInt, Integer, Nullable, Text, Timestamptz};

use super::page::{Cursor, Page};
use super::summary::{ActorCount, Group, GroupSql, OperationCount, TableCount};
use super::timeline::{Plan, Timeline, TimelineEntry};
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::filter::Filter;
use crate::posting::post_before_reading;
use crate::record::AnyTime;
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

/// The columns of [`Row`].
pub(super) type OverviewSql = (
    Integer,
    BigInt,
    Nullable<Timestamptz>,
    GroupSql,
    Nullable<Text>,
    BigInt,
    BigInt,
    (Nullable<Array<BigInt>>, Nullable<Array<BigInt>>),
);
type Row = (
    i32,
    i64,
    Option<AnyTime>,
    Group,
    Option<String>,
    i64,
    i64,
    (Option<Vec<i64>>, Option<Vec<i64>>),
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
    Ok(counted(conn, &plan, cap, 0).await?.0)
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
    let mut plan = Plan::look_up(conn, filter).await?;
    Ok(within_reach(conn, &mut plan, cap, 0).await?.0)
}

/// Same as [`overview_within_reach`] and [`page_within_reach`] together, which look for the same
/// changes: those of the first page are found once. The overview is of the newest changes, also
/// beside a later page. Must run in a transaction that reads one snapshot: the page reads what the
/// overview has found to be in the scope.
///
/// # Errors
///
/// Same as those of [`Timeline::page`].
///
/// [`page_within_reach`]: super::page_within_reach
pub async fn overview_and_page<C: AuditConnection>(
    conn: &mut C,
    timeline: Timeline,
    cap: usize,
) -> Result<(Overview, (Page<TimelineEntry>, Option<DateTime<Utc>>)), Error> {
    let (filter, section) = timeline.parts();
    let after = Cursor::change(section.after)?;
    post_before_reading(conn).await;
    let mut plan = Plan::look_up(conn, filter).await?;
    let of_page = match after {
        None => section.limit.saturating_add(1),
        Some(_) => 0,
    };
    let (overview, first) = within_reach(conn, &mut plan, cap.max(of_page), of_page).await?;
    let changes = if after.is_some() {
        plan.reach_from(conn, after).await?;
        plan.changes(after, Some(section.limit.saturating_add(1)))
    } else {
        Plan::these(first)
    };
    let (page, reach) = section.page_of(conn, &plan, changes).await?;
    Ok((overview, (page, reach.map(|reach| reach.at))))
}

async fn within_reach<C: AuditConnection>(
    conn: &mut C,
    plan: &mut Plan<'_>,
    cap: usize,
    first: usize,
) -> Result<(Overview, Vec<(i64, i64)>), Error> {
    if plan.limit_to_near(conn).await? {
        let found = counted(conn, plan, cap, first).await?;
        if found.0.more {
            return Ok(found);
        }
    }
    plan.reach_from(conn, None).await?;
    let (mut overview, first) = counted(conn, plan, cap, first).await?;
    if let (false, Some(reach)) = (overview.more, plan.reach()) {
        overview.more = true;
        overview.searched_to = Some(reach.at);
    }
    Ok((overview, first))
}

/// Returns the counts, and the transaction and the id of the first changes.
async fn counted<C: AuditConnection>(
    conn: &mut C,
    plan: &Plan<'_>,
    cap: usize,
    first: usize,
) -> Result<(Overview, Vec<(i64, i64)>), Error> {
    let rows: Vec<Row> = run::read(conn, plan.overview(cap, first)).await?;
    let mut overview = Overview::default();
    let mut places = vec![];
    for row in rows {
        if let Some(first) = overview.add(row) {
            places = first;
        }
    }
    overview.more = overview.changes >= cap as u64;
    Ok((overview, places))
}

impl Overview {
    /// Adds what the row counts, and returns the first changes if it has them.
    fn add(&mut self, row: Row) -> Option<Vec<(i64, i64)>> {
        // A row counts by the columns whose bit is not set (SQL's GROUPING).
        const TIME: i32 = 0b01111;
        const TABLE: i32 = 0b10111;
        const OPERATION: i32 = 0b11011;
        const ACTOR: i32 = 0b11101;
        const SOURCE: i32 = 0b11110;
        let (by, step, bin, group, source, count, transactions, first) = row;
        let changes = count.unsigned_abs();
        match by {
            TIME => self
                .times
                .extend(bin.map(|bin| (bin.into_inner(), changes))),
            TABLE => self.tables.push(TableCount::of(group, changes)),
            OPERATION => self.operations.push(OperationCount::of(group, changes)),
            ACTOR => self.actors.push(ActorCount::of(group, changes)),
            SOURCE => self.sources.push((source, changes)),
            _ => {
                self.changes = changes;
                self.transactions = transactions.unsigned_abs();
                self.step = step.unsigned_abs();
            }
        }
        let (transactions, ids) = first;
        Some(transactions?.into_iter().zip(ids?).collect())
    }
}
