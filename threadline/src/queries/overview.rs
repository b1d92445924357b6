//! What a page shows beside a timeline: how many changes there are, by time, table,
//! operation, actor and source.

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

/// The newest changes that a filter asks for, counted; made by [`overview`].
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Overview {
    /// How many changes were counted.
    pub changes: u64,
    /// Whether there are more, older ones.
    pub more: bool,
    /// How many transactions they belong to.
    pub transactions: u64,
    /// The length of a step of [`times`](Self::times), in seconds.
    pub step: u64,
    /// By time, oldest first. Steps without changes are not there.
    pub times: Vec<(DateTime<Utc>, u64)>,
    /// By table, the most first.
    pub tables: Vec<TableCount>,
    /// By operation, the most first.
    pub operations: Vec<OperationCount>,
    /// By actor, the most first.
    pub actors: Vec<ActorCount>,
    /// By source, the most first; `None`: no source was given.
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

/// Counts the newest changes that a filter asks for, `cap` of them at most.
///
/// # Errors
///
/// Same as those of [`summary`](crate::summary).
pub async fn overview<C: AuditConnection>(
    conn: &mut C,
    filter: &Filter,
    cap: usize,
) -> Result<Overview, Error> {
    let query = Plan::new(conn, filter).await?.overview(cap);
    let rows: Vec<Row> = run::read(conn, query).await?;
    let mut overview = Overview::default();
    for row in rows {
        overview.add(row);
    }
    overview.more = overview.changes >= cap as u64;
    Ok(overview)
}

impl Overview {
    fn add(&mut self, row: Row) {
        // Which of its columns a row is a count by: those whose bit is not set.
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
