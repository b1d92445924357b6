use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use diesel::sql_types::{BigInt, Nullable, Text};

use super::other_actions::Span;
use super::page::{Cursor, Page, Place, Section, rows_for, section_methods};
use super::report::actions_of;
use crate::action::AuditAction;
use crate::connection::AuditConnection;
use crate::context::ActorRef;
use crate::error::Error;
use crate::posting::post_before_reading;
use crate::record::{AuditTransaction, TransactionSql};
use crate::run;
use crate::statement::{Bind, Typed};

/// One transaction of an actor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ActorEntry {
    /// When it was made, and under which context.
    pub transaction: AuditTransaction,
    /// The actions recorded in it.
    pub actions: Vec<AuditAction>,
    /// The number of changed rows of each table, by its qualified name.
    pub changes: BTreeMap<String, i64>,
}

/// A query for the transactions of an actor. [`actor_history`] returns it.
#[derive(Debug, Clone)]
#[must_use = "a query does nothing until you call `page(conn)`"]
pub struct ActorHistory {
    actor: ActorRef,
    section: Section,
}

/// Queries the transactions of an actor, newest first.
///
/// Actions of the actor that belong to no transaction, such as a refused login, or to the
/// transaction of another actor, are in [`Page::other_actions`] of each page.
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
        section: Section::default(),
    }
}

section_methods!(ActorHistory, "transactions");

impl ActorHistory {
    /// Runs the query.
    ///
    /// # Errors
    ///
    /// Returns an error if the cursor is of another query, if the audit schema is missing
    /// or too old, or if the query fails.
    pub fn page<C: AuditConnection>(
        self,
        conn: &mut C,
    ) -> C::Answer<'_, Result<Page<ActorEntry>, Error>> {
        C::answer(async move {
            let before = Cursor::transaction(self.section.after)?.unwrap_or(i64::MAX);
            post_before_reading(conn).await;
            let entries = self.entries(conn, before).await?;
            let page = Page::cut(entries, self.section.limit, |entry| {
                Place::Transaction(entry.transaction.id)
            });
            let query =
                Span::of_actor(before, &page).actions_elsewhere(&self.actor, self.section.limit);
            let others = run::read(conn, query).await?;
            Ok(page.with_other_actions(others, self.section.limit))
        })
    }

    async fn entries<C: AuditConnection>(
        &self,
        conn: &mut C,
        before: i64,
    ) -> Result<Vec<ActorEntry>, Error> {
        let limit = rows_for(self.section.limit);
        let [actor_type, id] = Bind::of_actor(&self.actor);
        let query = Typed::<TransactionSql>::new(
            include_str!("transactions_of_actor.sql"),
            [actor_type, id, Bind::BigInt(before), Bind::BigInt(limit)],
        );
        let transactions: Vec<AuditTransaction> = run::read(conn, query).await?;
        let ids: Vec<i64> = transactions
            .iter()
            .map(|transaction| transaction.id)
            .collect();
        let actions = actions_of(conn, ids.clone()).await?;
        let query = Typed::<(BigInt, Nullable<Text>, BigInt)>::new(
            include_str!("change_counts.sql"),
            [Bind::BigInts(ids)],
        );
        let counts: Vec<(i64, Option<String>, i64)> = run::read(conn, query).await?;

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
