use chrono::NaiveDate;
use diesel::sql_types::{BigInt, Integer, Nullable, Text};
use serde::{Deserialize, Serialize};

use super::timeline::Plan;
use crate::connection::AuditConnection;
use crate::context::{ActorRef, recorded_actor};
use crate::error::Error;
use crate::filter::Filter;
use crate::forms::FormatVersion;
use crate::posting::post_before_reading;
use crate::record::Operation;
use crate::run;

/// The number of actors that are listed one by one.
const ACTORS: usize = 100;

/// The number of changes by day, table, operation and actor. [`summary`] returns it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Summary {
    /// The version of the JSON form.
    #[serde(default)]
    pub format_version: FormatVersion,
    /// The total number of changes.
    pub changes: u64,
    /// Changes by the day of capture in UTC, oldest first. Days without changes are
    /// omitted.
    pub days: Vec<DayCount>,
    /// Changes by table, largest number first.
    pub tables: Vec<TableCount>,
    /// Changes by operation, largest number first.
    pub operations: Vec<OperationCount>,
    /// Changes by actor, largest number first; at most 100 actors.
    pub actors: Vec<ActorCount>,
    /// The number of changes of all other actors.
    pub by_other_actors: u64,
}

/// The changes of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct DayCount {
    /// The day, in UTC.
    #[cfg_attr(feature = "schemars", schemars(with = "String"))]
    pub day: NaiveDate,
    /// The number of changes.
    pub changes: u64,
}

/// The changes of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TableCount {
    /// The schema of the table. `None` for a table that was never audited.
    pub schema: Option<String>,
    /// The table's name.
    pub table: Option<String>,
    /// The number of changes.
    pub changes: u64,
}

/// The changes by one operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct OperationCount {
    /// The operation.
    pub operation: Operation,
    /// The number of changes.
    pub changes: u64,
}

/// The changes of an actor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ActorCount {
    /// The actor; `None` for changes without an actor.
    #[serde(default, with = "recorded_actor")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<ActorRef>"))]
    pub actor: Option<ActorRef>,
    /// The number of changes.
    pub changes: u64,
}

type OText = Option<String>;
type NText = Nullable<Text>;
/// Schema and table, operation, type and id of the actor: those of one of them are set.
pub(super) type Group = (OText, OText, OText, OText, OText);
/// The columns of [`Group`].
pub(super) type GroupSql = (NText, NText, NText, NText, NText);
type Row = (i32, OText, Group, i64);
/// The columns of [`Row`].
pub(super) type SummarySql = (Integer, NText, GroupSql, BigInt);

impl TableCount {
    pub(super) fn of((schema, table, ..): Group, changes: u64) -> Self {
        Self {
            schema,
            table,
            changes,
        }
    }
}

impl OperationCount {
    pub(super) fn of((_, _, operation, ..): Group, changes: u64) -> Self {
        Self {
            operation: Operation::recorded(operation.unwrap_or_default()),
            changes,
        }
    }
}

impl ActorCount {
    pub(super) fn of((.., kind, id): Group, changes: u64) -> Self {
        Self {
            actor: kind.map(|kind| ActorRef::recorded(kind, id)),
            changes,
        }
    }
}

/// Counts the changes that match a filter, by day, table, operation and actor.
///
/// Reads each of them once. For a large audit, restrict the filter to a time span.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::{Filter, summary};
///
/// let users = summary(conn, &Filter::new().model::<User>())?;
/// for day in &users.days {
///     println!("{} {}", day.day, day.changes);
/// }
/// # assert_eq!(users.tables.len(), 1);
/// # Ok::<(), threadline::Error>(())
/// ```
///
/// # Errors
///
/// Returns an error if the filter cannot be evaluated, if the audit schema is missing or
/// too old, or if the query fails.
pub fn summary<'c, C: AuditConnection>(
    conn: &'c mut C,
    filter: &Filter,
) -> C::Answer<'c, Result<Summary, Error>> {
    let filter = filter.clone();
    C::answer(async move {
        post_before_reading(conn).await;
        let query = Plan::new(conn, &filter).await?.summary();
        let rows: Vec<Row> = run::read(conn, query).await?;
        let mut summary = Summary::default();
        for row in rows {
            summary.add(row);
        }
        Ok(summary)
    })
}

impl Summary {
    fn add(&mut self, row: Row) {
        // The grouping sets: a row counts by the column whose bit is not set.
        const DAY: i32 = 0b0111;
        const TABLE: i32 = 0b1011;
        const OPERATION: i32 = 0b1101;
        const ACTOR: i32 = 0b1110;
        let (by, day, group, count) = row;
        let changes = count.unsigned_abs();
        match by {
            DAY => self.days.extend(
                day.and_then(|day| day.parse().ok())
                    .map(|day| DayCount { day, changes }),
            ),
            TABLE => self.tables.push(TableCount::of(group, changes)),
            OPERATION => self.operations.push(OperationCount::of(group, changes)),
            ACTOR if self.actors.len() < ACTORS => {
                self.actors.push(ActorCount::of(group, changes));
            }
            ACTOR => self.by_other_actors += changes,
            _ => self.changes = changes,
        }
    }
}
