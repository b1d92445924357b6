use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Nullable, Text};

use super::other_actions::Span;
use super::page::{Cursor, Page, Place};
use super::report::actions_of;
use crate::action::AuditAction;
use crate::connection::AuditConnection;
use crate::context::ActorRef;
use crate::error::Error;
use crate::posting::post_before_reading;
use crate::record::{AuditTransaction, TransactionSql};
use crate::run;
use crate::statement::{Bind, Typed};

/// Entries of a page unless said otherwise.
const PAGE: usize = 50;

/// One transaction of an actor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ActorEntry {
    /// When, and under which context.
    pub transaction: AuditTransaction,
    /// What was meant.
    pub actions: Vec<AuditAction>,
    /// How many rows were changed in each table, by its qualified name.
    pub changes: BTreeMap<String, i64>,
}

/// The question what an actor did; made by [`actor_history`].
#[derive(Debug, Clone)]
#[must_use = "a question is answered by `page(conn)`"]
pub struct ActorHistory {
    actor: ActorRef,
    limit: usize,
    after: Option<Cursor>,
}

/// Asks for the transactions of an actor, newest first.
///
/// Actions of theirs that belong to no transaction, such as a login that was refused, or
/// to the transaction of somebody else, are in [`Page::other_actions`], page by page.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::{ActorRef, actor_history};
///
/// let grace = ActorRef::admin("grace")?;
/// let mut next = None;
/// loop {
///     let page = actor_history(&grace).limit(100).after(next).page(conn)?;
///     for entry in page.entries {
///         println!("{:?} {:?}", entry.transaction.occurred_at, entry.changes);
///     }
///     next = page.next;
///     if next.is_none() {
///         break;
///     }
/// }
/// # Ok::<(), threadline::Error>(())
/// ```
pub fn actor_history(actor: &ActorRef) -> ActorHistory {
    ActorHistory {
        actor: actor.clone(),
        limit: PAGE,
        after: None,
    }
}

impl ActorHistory {
    /// At most so many transactions; 50 unless said otherwise. A page of none says whether there
    /// are some, and not where to go on.
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit;
        self
    }

    /// Goes on where a page ended.
    pub fn after(mut self, cursor: impl Into<Option<Cursor>>) -> Self {
        self.after = cursor.into();
        self
    }

    /// Runs the query.
    ///
    /// # Errors
    ///
    /// The cursor is of another query, the audit schema is missing or too old,
    /// or the query failed.
    pub fn page<C: AuditConnection>(
        self,
        conn: &mut C,
    ) -> C::Answer<'_, Result<Page<ActorEntry>, Error>> {
        C::answer(async move {
            let before = Cursor::transaction(self.after)?.unwrap_or(i64::MAX);
            post_before_reading(conn).await;
            let entries = self.entries(conn, before).await;
            let entries = run::understood(conn, entries).await?;
            let page = Page::cut(entries, self.limit, |entry| {
                Place::Transaction(entry.transaction.id)
            });
            let query = Span::of_actor(before, &page).actions_elsewhere(&self.actor, self.limit);
            let others = run::read(conn, query).await?;
            Ok(page.with_other_actions(others, self.limit))
        })
    }

    async fn entries<C: AuditConnection>(
        &self,
        conn: &mut C,
        before: i64,
    ) -> QueryResult<Vec<ActorEntry>> {
        let limit = i64::try_from(self.limit)
            .unwrap_or(i64::MAX)
            .saturating_add(1);
        let query = Typed::<TransactionSql>::new(
            include_str!("transactions_of_actor.sql"),
            [
                Bind::Text(self.actor.actor_type().as_str().to_owned()),
                Bind::IsText(self.actor.id().map(str::to_owned)),
                Bind::BigInt(before),
                Bind::BigInt(limit),
            ],
        );
        let transactions: Vec<AuditTransaction> = run::load(conn, query).await?;
        let ids: Vec<i64> = transactions
            .iter()
            .map(|transaction| transaction.id)
            .collect();
        let actions = actions_of(conn, ids.clone()).await?;
        let query = Typed::<(BigInt, Nullable<Text>, BigInt)>::new(
            include_str!("change_counts.sql"),
            [Bind::BigInts(ids)],
        );
        let counts: Vec<(i64, Option<String>, i64)> = run::load(conn, query).await?;

        let mut by_transaction: BTreeMap<i64, (Vec<AuditAction>, BTreeMap<String, i64>)> =
            BTreeMap::new();
        for action in actions {
            if let Some(id) = action.transaction_id {
                by_transaction.entry(id).or_default().0.push(action);
            }
        }
        for (id, table, count) in counts {
            let table = table.unwrap_or_else(|| "unknown".to_owned());
            by_transaction.entry(id).or_default().1.insert(table, count);
        }
        Ok(transactions
            .into_iter()
            .map(|transaction| {
                let (actions, changes) = by_transaction.remove(&transaction.id).unwrap_or_default();
                ActorEntry {
                    transaction,
                    actions,
                    changes,
                }
            })
            .collect())
    }
}
