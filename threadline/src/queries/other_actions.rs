//! Actions that a result made of transactions and their changes would hide. They are read
//! for the range of the page, from its beginning to its end. They therefore cost no more
//! than the page does, and each one is on exactly one page.

use chrono::{DateTime, Utc};

use super::actor_history::ActorEntry;
use super::page::{ChangePlace, Page, rows_for};
use crate::action::ActionSql;
use crate::context::ActorRef;
use crate::filter::{ActionFilter, CHANGED_NOTHING, by_actor};
use crate::record::AuditChange;
use crate::statement::{Bind, Binds, Typed, all_of, filled};

/// The range of a page, in transactions and in time.
#[derive(Debug)]
pub(super) struct Span {
    /// The first transaction of the range.
    first: i64,
    /// The transaction before which the range ends.
    before: i64,
    /// The earliest time; `None` for no bound.
    since: Option<DateTime<Utc>>,
    /// The time before which the range ends; `None` for no bound.
    until: Option<Until>,
}

/// The time at which the previous page ended.
#[derive(Debug)]
enum Until {
    Time(DateTime<Utc>),
    /// The time of a transaction, which may have been purged since.
    Transaction(i64),
}

impl Span {
    /// Returns the range of a page that begins after a change. The transactions of the
    /// queried time span bound it in the same way as they bound the page.
    pub(super) fn of_timeline(
        transactions: Option<(i64, i64)>,
        after: Option<ChangePlace>,
        page: &Page<AuditChange>,
    ) -> Self {
        let last = page.entries.last().filter(|_| page.has_more);
        let (oldest, newest) = transactions.unwrap_or((i64::MIN, i64::MAX));
        Self {
            first: last.map_or(oldest, |change| change.transaction.id),
            before: after.map_or(newest.saturating_add(1), |place| place.transaction),
            since: last.map(|change| change.captured_at),
            until: after
                .and_then(|place| DateTime::from_timestamp_micros(place.microseconds))
                .map(Until::Time),
        }
    }

    /// Returns the range of a page whose search ended at a place.
    pub(super) fn until_reach(
        reach: ChangePlace,
        transactions: Option<(i64, i64)>,
        after: Option<ChangePlace>,
    ) -> Self {
        let newest = transactions.map_or(i64::MAX, |(_, newest)| newest);
        Self {
            first: reach.transaction,
            before: after.map_or(newest.saturating_add(1), |place| place.transaction),
            since: DateTime::from_timestamp_micros(reach.microseconds),
            until: after
                .and_then(|place| DateTime::from_timestamp_micros(place.microseconds))
                .map(Until::Time),
        }
    }

    /// Returns the range of a page of transactions before a given one.
    pub(super) fn of_actor(before: i64, page: &Page<ActorEntry>) -> Self {
        let last = page.entries.last().filter(|_| page.has_more);
        Self {
            first: last.map_or(i64::MIN, |entry| entry.transaction.id),
            before,
            since: last.and_then(|entry| entry.transaction.occurred_at),
            until: (before < i64::MAX).then_some(Until::Transaction(before)),
        }
    }

    /// Returns the matching actions whose transaction changed nothing, or that have none.
    pub(super) fn actions_without_changes(
        &self,
        filter: &ActionFilter,
        limit: usize,
    ) -> Typed<ActionSql> {
        let mut binds = Binds::default();
        let conditions = filter.conditions(&mut binds);
        self.query(binds, &all_of(&conditions), CHANGED_NOTHING, limit)
    }

    /// Returns the actions of an actor in transactions of others, or in none.
    pub(super) fn actions_elsewhere(&self, actor: &ActorRef, limit: usize) -> Typed<ActionSql> {
        let mut binds = Binds::default();
        let theirs = by_actor("a", actor, &mut binds);
        let own = by_actor("x", actor, &mut binds);
        let elsewhere = format!(
            "NOT EXISTS (
    SELECT FROM threadline.audit_transactions AS x WHERE x.id = a.transaction_id AND {own} OFFSET 0)"
        );
        self.query(binds, &theirs, &elsewhere, limit)
    }

    fn query(
        &self,
        mut binds: Binds,
        conditions: &str,
        linked: &str,
        limit: usize,
    ) -> Typed<ActionSql> {
        let mut time = vec![];
        if let Some(since) = self.since {
            let since = binds.bind(Bind::Instant(since));
            time.push(format!("a.occurred_at >= {since}"));
        }
        match self.until {
            Some(Until::Time(until)) => {
                let until = binds.bind(Bind::Instant(until));
                time.push(format!("a.occurred_at < {until}"));
            }
            Some(Until::Transaction(id)) => {
                let id = binds.bind(Bind::BigInt(id));
                time.push(format!(
                    "a.occurred_at < coalesce((SELECT x.occurred_at FROM threadline.audit_transactions AS x WHERE x.id = {id}), 'infinity')"
                ));
            }
            None => {}
        }
        // Bound as a parameter, so that one SQL text serves every page of a connection.
        let first = binds.bind(Bind::BigInt(self.first));
        let before = binds.bind(Bind::BigInt(self.before));
        let limit = rows_for(limit);
        let limit = binds.bind(Bind::Limit(Some(limit)));
        let sql = filled(
            include_str!("other_actions.sql"),
            &[
                ("linked", linked),
                ("time", &all_of(&time)),
                ("first", &first),
                ("before", &before),
                ("conditions", conditions),
                ("limit", &limit),
            ],
        );
        Typed::new(sql, binds.0)
    }
}
