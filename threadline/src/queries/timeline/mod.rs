//! Changes across tables.

mod key_parts;
mod query;
mod scope;
mod text;
mod values;

use diesel::sql_types::BigInt;
use serde::{Deserialize, Serialize};

#[cfg(feature = "export")]
pub(crate) use self::query::ExportSql;
pub(crate) use self::query::Plan;
pub(super) use self::scope::KnownScope;
use super::actions::actions;
use super::other_actions::Span;
use super::page::{ChangePlace, Cursor, Page, Place};
use super::reference::Reference;
use super::report::actions_of;
use crate::action::AuditAction;
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::filter::Filter;
use crate::posting::post_before_reading;
use crate::record::AuditChange;
use crate::run;

/// Entries of a page unless said otherwise.
const PAGE: usize = 50;

/// One change of a timeline or of a record's history, and why it was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TimelineEntry {
    /// What was changed, when and by whom.
    pub change: AuditChange,
    /// The actions of its transaction: what was meant.
    pub actions: Vec<AuditAction>,
    /// In the history of a record [with](crate::History::with) those of others: how the
    /// changed row referred to it. Empty for the record itself, and in every other answer.
    #[serde(default)]
    pub references: Vec<Reference>,
}

impl TimelineEntry {
    /// A change with those of the actions that belong to its transaction.
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

/// The question what changed; made by [`timeline`].
#[derive(Debug, Clone)]
#[must_use = "a question is answered by `page(conn)` or `count(conn)`"]
pub struct Timeline {
    filter: Filter,
    limit: usize,
    after: Option<Cursor>,
}

/// Asks for changes across tables, newest first.
///
/// Newest transaction first, and its changes together, the last one first; of
/// one record, simply the last change first.
///
/// Actions whose transaction changed nothing, such as a login that was refused, are no
/// changes: those that match are in [`Page::other_actions`], page by page.
/// [`actions`](crate::actions) asks for actions alone.
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
/// // Where it goes on, as text that a client can hold:
/// let next: Option<String> = page.next.map(|cursor| cursor.to_string());
///
/// let all = timeline(emails).count(conn)?;
/// assert!(all >= page.entries.len() as u64);
/// # Ok::<(), threadline::Error>(())
/// ```
pub fn timeline(filter: Filter) -> Timeline {
    Timeline {
        filter,
        limit: PAGE,
        after: None,
    }
}

impl Timeline {
    /// At most so many changes; 50 unless said otherwise. A page of none says whether there
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

    /// Answers.
    ///
    /// # Errors
    ///
    /// The filter cannot be answered ([`FilterError`](crate::FilterError)), the
    /// cursor is of another query, the audit schema is missing or too old, or the
    /// query failed.
    pub fn page<C: AuditConnection>(
        self,
        conn: &mut C,
    ) -> C::Answer<'_, Result<Page<TimelineEntry>, Error>> {
        C::answer(async move {
            let after = Cursor::change(self.after)?;
            post_before_reading(conn).await;
            let plan = Plan::new(conn, &self.filter).await?;
            let query = plan.changes(after, Some(self.limit.saturating_add(1)));
            let mut changes: Vec<AuditChange> = run::read(conn, query).await?;
            changes.iter_mut().for_each(|change| plan.narrow(change));
            let page = Page::cut(changes, self.limit, |change| {
                Place::Change(ChangePlace {
                    transaction: change.transaction.id,
                    change: change.id,
                    microseconds: change.captured_at.timestamp_micros(),
                })
            });
            let others = match self.filter.of_actions() {
                Some(filter) => {
                    let span = Span::of_timeline(plan.transactions, after, &page);
                    run::read(conn, span.actions_without_changes(&filter, self.limit)).await?
                }
                None => vec![],
            };
            let page = page.with_other_actions(others, self.limit);
            let transactions = page.entries.iter().map(|c| c.transaction.id).collect();
            let actions = actions_of(conn, transactions).await;
            let mut actions = run::understood(conn, actions).await?;
            actions
                .iter_mut()
                .for_each(|action| plan.narrow_action(action));
            Ok(page.map(|change| TimelineEntry::new(change, &actions)))
        })
    }

    /// How many changes there are in all, whatever the page. Reads every one of them.
    /// Actions without changes are not counted; see
    /// [`count_other_actions`](Self::count_other_actions).
    ///
    /// # Errors
    ///
    /// As of [`page`](Self::page).
    pub fn count<C: AuditConnection>(self, conn: &mut C) -> C::Answer<'_, Result<u64, Error>> {
        C::answer(self.counted(conn, None))
    }

    /// How many there are, counted up to `cap` and no further: for "more than
    /// 1,000" on a page that should not wait for the exact number.
    ///
    /// # Errors
    ///
    /// As of [`page`](Self::page).
    pub fn count_up_to<C: AuditConnection>(
        self,
        conn: &mut C,
        cap: usize,
    ) -> C::Answer<'_, Result<u64, Error>> {
        C::answer(self.counted(conn, Some(cap)))
    }

    /// How many actions match that no change shows, because their transaction changed
    /// nothing, or because they belong to none: all of those that pages have in
    /// [`Page::other_actions`]. [`ActionFilter::without_changes`](crate::ActionFilter::without_changes)
    /// asks for them.
    ///
    /// # Errors
    ///
    /// As of [`page`](Self::page).
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

/// What a count is.
pub(super) type CountSql = BigInt;
