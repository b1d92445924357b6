//! Changes across tables.

mod columns;
mod key_parts;
mod query;
mod reach;
mod scope;
mod text;
mod values;

use chrono::{DateTime, Utc};
use diesel::sql_types::BigInt;
use serde::{Deserialize, Serialize};

#[cfg(feature = "export")]
pub(crate) use self::query::ExportSql;
pub(crate) use self::query::Plan;
pub(crate) use self::reach::Reach;
pub(super) use self::scope::KnownScope;
pub use self::scope::with_tables;
use super::actions::actions;
use super::other_actions::Span;
use super::page::{ChangePlace, Cursor, Page, Place, Section, section_methods};
use super::reference::Reference;
use super::report::actions_of;
use crate::action::AuditAction;
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::filter::Filter;
use crate::posting::post_before_reading;
use crate::record::{AuditChange, ChangeSql};
use crate::run;
use crate::statement::Typed;

/// A change in a timeline or in the history of a record, with the reasons for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TimelineEntry {
    /// The change, with its time and actor.
    pub change: AuditChange,
    /// The actions of its transaction.
    pub actions: Vec<AuditAction>,
    /// In the history of a record [with](crate::History::with) that of other rows: how the
    /// changed row referred to the record. Empty for the record itself, and in every other
    /// result.
    #[serde(default)]
    pub references: Vec<Reference>,
}

impl TimelineEntry {
    /// Combines a change with the given actions of its transaction.
    pub(super) fn new(change: AuditChange, actions: &[AuditAction]) -> Self {
        Self {
            actions: actions
                .iter()
                .filter(|action| action.transaction_id == Some(change.transaction.id))
                .cloned()
                .collect(),
            change,
            references: vec![],
        }
    }
}

/// A query for changes across tables. [`timeline`] returns it.
#[derive(Debug, Clone)]
#[must_use = "a query does nothing until you call `page(conn)` or `count(conn)`"]
pub struct Timeline {
    filter: Filter,
    section: Section,
}

/// Queries changes across tables, newest first.
///
/// Transactions are ordered newest first, and so are the changes within each transaction.
/// The changes of a single record are ordered newest first too.
///
/// Actions whose transaction changed nothing, such as a refused login, are not changes.
/// Those that match are in [`Page::other_actions`] of each page.
/// [`actions`](crate::actions) queries actions alone.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::{Filter, timeline};
///
/// let emails = Filter::new().model::<User>().changed("email");
/// let page = timeline(emails.clone()).limit(20).page(conn)?;
/// for entry in &page.entries {
///     println!("{}", entry.change);
///     for action in &entry.actions {
///         println!("    {action}");
///     }
/// }
/// // The next page, as text that a client can keep:
/// let next: Option<String> = page.next.map(|cursor| cursor.to_string());
///
/// let all = timeline(emails).count(conn)?;
/// assert!(all >= page.entries.len() as u64);
/// # Ok::<(), threadline::Error>(())
/// ```
pub fn timeline(filter: Filter) -> Timeline {
    Timeline {
        filter,
        section: Section::default(),
    }
}

section_methods!(Timeline, "changes");

impl Timeline {
    /// Runs the query.
    ///
    /// # Errors
    ///
    /// Returns an error if the filter cannot be evaluated
    /// ([`FilterError`](crate::FilterError)), if the cursor is of another query, if the
    /// audit schema is missing or too old, or if the query fails.
    pub fn page<C: AuditConnection>(
        self,
        conn: &mut C,
    ) -> C::Answer<'_, Result<Page<TimelineEntry>, Error>> {
        C::answer(async move { Ok(self.read(conn, false).await?.0) })
    }

    /// Reads a page. Within reach, a search that no index answers ends after so many changes;
    /// the page then continues there, and is returned with that place.
    pub(super) async fn read<C: AuditConnection>(
        self,
        conn: &mut C,
        within_reach: bool,
    ) -> Result<(Page<TimelineEntry>, Option<Reach>), Error> {
        let after = Cursor::change(self.section.after)?;
        post_before_reading(conn).await;
        let plan = if within_reach {
            Plan::within_reach(conn, &self.filter, after).await?
        } else {
            Plan::new(conn, &self.filter).await?
        };
        let query = plan.changes(after, Some(self.section.limit.saturating_add(1)));
        self.section.page_of(conn, &plan, query).await
    }

    /// Returns the filter and the page that is read.
    pub(super) fn parts(&self) -> (&Filter, &Section) {
        (&self.filter, &self.section)
    }

    /// Counts all matching changes, independent of the page. Reads every one of them.
    /// Actions without changes are not counted; see
    /// [`count_other_actions`](Self::count_other_actions).
    ///
    /// # Errors
    ///
    /// Same as [`page`](Self::page).
    pub fn count<C: AuditConnection>(self, conn: &mut C) -> C::Answer<'_, Result<u64, Error>> {
        C::answer(self.counted(conn, None))
    }

    /// Counts the matching changes up to `cap` and no further, for a page that shows "more
    /// than 1,000" instead of waiting for the exact number.
    ///
    /// # Errors
    ///
    /// Same as [`page`](Self::page).
    pub fn count_up_to<C: AuditConnection>(
        self,
        conn: &mut C,
        cap: usize,
    ) -> C::Answer<'_, Result<u64, Error>> {
        C::answer(self.counted(conn, Some(cap)))
    }

    /// Counts the matching actions that no change shows, because their transaction changed
    /// nothing or because they belong to none. These are all actions that the pages return
    /// in [`Page::other_actions`].
    /// [`ActionFilter::without_changes`](crate::ActionFilter::without_changes) queries
    /// them.
    ///
    /// # Errors
    ///
    /// Same as [`page`](Self::page).
    pub fn count_other_actions<C: AuditConnection>(
        self,
        conn: &mut C,
    ) -> C::Answer<'_, Result<u64, Error>> {
        C::answer(async move {
            match self.filter.of_actions() {
                Some(filter) => actions(filter.without_changes()).counted(conn).await,
                None => Ok(0),
            }
        })
    }

    async fn counted<C: AuditConnection>(
        self,
        conn: &mut C,
        cap: Option<usize>,
    ) -> Result<u64, Error> {
        post_before_reading(conn).await;
        let plan = Plan::new(conn, &self.filter).await?;
        let count: Vec<i64> = run::read(conn, plan.count(cap)).await?;
        Ok(count.first().map_or(0, |count| count.unsigned_abs()))
    }
}

impl Section {
    /// Reads the page of these changes, which are one more than its limit if there are more.
    /// Returns it with the place where its search ended within reach, if it did.
    pub(super) async fn page_of<C: AuditConnection>(
        &self,
        conn: &mut C,
        plan: &Plan<'_>,
        changes: Typed<ChangeSql>,
    ) -> Result<(Page<TimelineEntry>, Option<Reach>), Error> {
        let after = Cursor::change(self.after)?;
        let mut changes: Vec<AuditChange> = run::read(conn, changes).await?;
        changes.iter_mut().for_each(|change| plan.narrow(change));
        let mut page = Page::cut(changes, self.limit, |change| {
            Place::Change(ChangePlace {
                transaction: change.transaction.id,
                change: change.id,
                microseconds: change.captured_at.timestamp_micros(),
            })
        });
        // A full page ends before the reach does.
        let ended = plan.reach().filter(|_| !page.has_more);
        let others = match plan.of_actions() {
            Some(filter) => {
                let span = match ended {
                    Some(reach) => Span::until_reach(reach.place(), plan.transactions, after),
                    None => Span::of_timeline(plan.transactions, after, &page),
                };
                run::read(conn, span.actions_without_changes(&filter, self.limit)).await?
            }
            None => vec![],
        };
        if let Some(reach) = ended {
            page = page.continued_at(Place::Change(reach.place()));
        }
        let page = page.with_other_actions(others, self.limit);
        if page.entries.is_empty() {
            return Ok((page.map(|change| TimelineEntry::new(change, &[])), ended));
        }
        let transactions = page.entries.iter().map(|c| c.transaction.id).collect();
        let mut actions = actions_of(conn, transactions).await?;
        actions
            .iter_mut()
            .for_each(|action| plan.narrow_action(action));
        let page = page.map(|change| TimelineEntry::new(change, &actions));
        Ok((page, ended))
    }
}

/// Reads a page for which nobody waits long. A search that no index answers ends after so many
/// changes. The page then says at which time that was, and its cursor continues from there.
///
/// # Errors
///
/// Same as those of [`Timeline::page`].
pub async fn page_within_reach<C: AuditConnection>(
    conn: &mut C,
    timeline: Timeline,
) -> Result<(Page<TimelineEntry>, Option<DateTime<Utc>>), Error> {
    let (page, reach) = timeline.read(conn, true).await?;
    Ok((page, reach.map(|reach| reach.at)))
}

/// Counts the changes within reach, at most `cap` of them. Returns whether there may be more.
///
/// # Errors
///
/// Same as those of [`Timeline::page`].
pub async fn count_within_reach<C: AuditConnection>(
    conn: &mut C,
    filter: &Filter,
    cap: usize,
) -> Result<(u64, bool), Error> {
    post_before_reading(conn).await;
    let plan = Plan::within_reach(conn, filter, None).await?;
    let count: Vec<i64> = run::read(conn, plan.count(Some(cap))).await?;
    let count = count.first().map_or(0, |count| count.unsigned_abs());
    Ok((count, count >= cap as u64 || plan.reach().is_some()))
}

/// The row type of a count.
pub(super) type CountSql = BigInt;
