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

/// Actors that are listed one by one.
const ACTORS: usize = 100;

/// How many changes there are, by day, table, operation and actor; made by [`summary`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Summary {
    /// The version of the JSON form.
    #[serde(default)]
    pub format_version: FormatVersion,
    /// How many changes in all.
    pub changes: u64,
    /// By the day in UTC on which they were captured, oldest first. Days without changes
    /// are not there.
    pub days: Vec<DayCount>,
    /// By table, the most first.
    pub tables: Vec<TableCount>,
    /// By what was done, the most first.
    pub operations: Vec<OperationCount>,
    /// By actor, the most first; a hundred at most.
    pub actors: Vec<ActorCount>,
    /// How many changes the other actors made.
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
    /// How many.
    pub changes: u64,
}

/// The changes of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TableCount {
    /// The table's schema. `None` of tables that were never audited.
    pub schema: Option<String>,
    /// The table's name.
    pub table: Option<String>,
    /// How many.
    pub changes: u64,
}

/// The changes of a kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct OperationCount {
    /// What was done.
    pub operation: Operation,
    /// How many.
    pub changes: u64,
}

/// The changes of an actor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ActorCount {
    /// Who; `None` when nobody said.
    #[serde(default, with = "recorded_actor")]
    #[cfg_attr(feature = "schemars", schemars(with = "Option<ActorRef>"))]
    pub actor: Option<ActorRef>,
    /// How many.
    pub changes: u64,
}

type Row = (
    i32,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    Option<String>,
    i64,
);
/// The columns of [`Row`].
pub(super) type SummarySql = (
    Integer,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Text>,
    BigInt,
);

/// Counts the changes that a filter asks for, by day, table, operation and actor.
///
/// Reads every one of them once: give a span of time where there are many.
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
/// The filter cannot be answered, the audit schema is missing or too old, or the query
/// failed.
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
        // Which of its columns a row is a count by: those whose bit is not set.
        const DAY: i32 = 0b0111;
        const TABLE: i32 = 0b1011;
        const OPERATION: i32 = 0b1101;
        const ACTOR: i32 = 0b1110;
        let (by, day, schema, table, op, actor_type, actor_id, count) = row;
        let changes = count.unsigned_abs();
        match by {
            DAY => self.days.extend(
                day.and_then(|day| day.parse().ok())
                    .map(|day| DayCount { day, changes }),
            ),
            TABLE => self.tables.push(TableCount {
                schema,
                table,
                changes,
            }),
            OPERATION => self.operations.push(OperationCount {
                operation: Operation::recorded(op.unwrap_or_default()),
                changes,
            }),
            ACTOR if self.actors.len() < ACTORS => self.actors.push(ActorCount {
                actor: actor_type.map(|kind| ActorRef::recorded(kind, actor_id)),
                changes,
            }),
            ACTOR => self.by_other_actors += changes,
            _ => self.changes = changes,
        }
    }
}
