//! The limit of a search that no index answers. Whoever waits for a page rather has the newest
//! results, and the place where the search ended, than all results much later.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Nullable, Timestamptz};

use super::query::{Driver, Parts, Plan};
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::queries::page::ChangePlace;
use crate::record::AnyTime;
use crate::run;
use crate::statement::{Bind, Typed, all_of, filled};

/// The changes that a search reads at most, when no index leads to its results.
const CHANGES: i64 = 20_000;

/// The changes among which a scope of tables often has enough for a page.
const NEAR: i64 = 2_500;

/// The transactions or actions that it reads at most. A transaction has some changes.
const OTHERS: i64 = 5_000;

/// How many times more it takes to search the text of a change, to look up its transaction, and
/// to find out whether its row is in the scope, which may take a look at the current row.
const TEXT: i64 = 2;
const TRANSACTION: i64 = 8;
const ROW: i64 = 100;

/// The last change that a search reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reach {
    pub(crate) transaction: i64,
    pub(crate) change: i64,
    /// When that change was made.
    pub(crate) at: DateTime<Utc>,
}

impl Reach {
    /// Returns the place from which the next search continues.
    pub(super) fn place(self) -> ChangePlace {
        ChangePlace {
            transaction: self.transaction,
            change: self.change,
            microseconds: self.at.timestamp_micros(),
        }
    }
}

impl Plan<'_> {
    /// Limits the search to the newest changes after a place, unless an index leads to the
    /// results.
    pub(crate) async fn limit_reach<C: AuditConnection>(
        &mut self,
        conn: &mut C,
        after: Option<ChangePlace>,
    ) -> Result<(), Error> {
        self.limit_to(conn, after, i64::MAX).await
    }

    /// Limits a search that only a scope of tables narrows to fewer changes, which take a tenth
    /// of the time. Returns whether it did: if they are not enough for a page, the search must
    /// be repeated within reach.
    pub(crate) async fn limit_to_near<C: AuditConnection>(
        &mut self,
        conn: &mut C,
    ) -> Result<bool, Error> {
        if self.compares_rows() || !self.is_narrowed_by_tables_alone() {
            return Ok(false);
        }
        self.limit_to(conn, None, NEAR).await?;
        Ok(self.reach().is_some())
    }

    async fn limit_to<C: AuditConnection>(
        &mut self,
        conn: &mut C,
        after: Option<ChangePlace>,
        most: i64,
    ) -> Result<(), Error> {
        let Some(query) = self.reach_query(after, most) else {
            return Ok(());
        };
        let found: Vec<(i64, i64, Option<AnyTime>)> = run::read(conn, query).await?;
        if let Some((transaction, change, at)) = found.into_iter().next() {
            let at = at.map_or(DateTime::UNIX_EPOCH, AnyTime::into_inner);
            self.set_reach(Reach {
                transaction,
                change,
                at,
            });
        }
        Ok(())
    }

    fn reach_query(
        &self,
        after: Option<ChangePlace>,
        limit: i64,
    ) -> Option<Typed<(BigInt, BigInt, Nullable<Timestamptz>)>> {
        let mut parts = Parts::default();
        let (driver, mut conditions) = self.driver(&mut parts)?;
        let column = match driver {
            Driver::Changes { .. } => "c.transaction_id",
            Driver::Transactions => "x.id",
            Driver::Actions => "a.transaction_id",
        };
        conditions.extend(self.bounds(&mut parts.binds, column, after));
        if let (Driver::Changes { .. }, Some(after)) = (driver, after) {
            let transaction = parts.binds.bind(Bind::BigInt(after.transaction));
            let change = parts.binds.bind(Bind::BigInt(after.change));
            conditions.push(format!(
                "(c.transaction_id, c.id) < ({transaction}, {change})"
            ));
        }
        let mut most = match driver {
            Driver::Changes { joined: true } => CHANGES / TRANSACTION,
            Driver::Changes { joined: false } => CHANGES,
            Driver::Transactions | Driver::Actions => OTHERS,
        };
        if self.compares_rows() {
            most /= ROW;
        } else if self.has_text() {
            most /= TEXT;
        }
        let sql = match driver {
            Driver::Changes { .. } => include_str!("reach_by_change.sql"),
            Driver::Transactions => include_str!("reach_by_transaction.sql"),
            Driver::Actions => include_str!("reach_by_action.sql"),
        };
        let conditions = all_of(&conditions);
        let most = parts.binds.bind(Bind::BigInt(most.min(limit)));
        Some(Typed::new(
            filled(sql, &[("conditions", &conditions), ("most", &most)]),
            parts.binds.0,
        ))
    }
}
