use diesel::pg::Pg;
use diesel::query_builder::QueryFragment;

use super::{History, HistoryWith};
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::posting::post_before_reading;
use crate::queries::known_table;
use crate::queries::page::{Cursor, Page, Place};
use crate::queries::reference::Reference;
use crate::queries::report::actions_of;
use crate::queries::timeline::TimelineEntry;
use crate::record::{AnyJson, AuditChange};
use crate::run;

/// The default number of entries of a page.
const PAGE: i64 = 50;

impl<M, V> History<M, V> {
    /// Continues after the [`page`](Self::page) of the same record that returned this
    /// cursor.
    ///
    /// # Errors
    ///
    /// Returns an error if the cursor is of another query.
    pub fn after(mut self, cursor: impl Into<Option<Cursor>>) -> Result<Self, Error> {
        self.before = Cursor::record(cursor.into())?;
        Ok(self)
    }

    /// Returns a part of the history, newest first, each change with the actions of its
    /// transaction, which give the reasons. The cost of a page does not depend on the
    /// length of the history.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let conn = &mut *connection;
    /// use threadline::History;
    ///
    /// let mut next = None;
    /// loop {
    ///     let page = History::<User, _>::of_key(42).limit(20).after(next)?.page(conn)?;
    ///     for entry in &page.entries {
    ///         println!("{}", entry.change);
    ///         for action in &entry.actions {
    ///             println!("    {action}");
    ///         }
    ///     }
    ///     next = page.next;
    ///     if next.is_none() {
    ///         break;
    ///     }
    /// }
    /// # Ok::<(), threadline::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Same as [`load`](Self::load).
    pub fn page<'c, C>(
        mut self,
        conn: &'c mut C,
    ) -> C::Answer<'c, Result<Page<TimelineEntry>, Error>>
    where
        C: AuditConnection,
        V: QueryFragment<Pg> + Send + 'c,
    {
        let limit = self.read_one_more();
        let history = self.without_model();
        C::answer(async move {
            let changes = history.changes(conn).await?;
            let page = Page::cut(changes, limit, |change| Place::Record(change.id));
            let transactions = page.entries.iter().map(|c| c.transaction.id).collect();
            let actions = actions_of(conn, transactions).await?;
            Ok(page.map(|change| TimelineEntry::new(change, &actions)))
        })
    }

    /// Makes the query read one row more than a page has, which shows whether there are more.
    /// Returns the limit of the page.
    fn read_one_more(&mut self) -> usize {
        let limit = self.limit.unwrap_or(PAGE);
        self.limit = Some(limit.saturating_add(1));
        usize::try_from(limit).unwrap_or(usize::MAX)
    }
}

impl<M, V> HistoryWith<M, V> {
    /// Continues after the [`page`](Self::page) of the same query that returned this
    /// cursor.
    ///
    /// # Errors
    ///
    /// Returns an error if the cursor is of another query.
    pub fn after(mut self, cursor: impl Into<Option<Cursor>>) -> Result<Self, Error> {
        self.history = self.history.after(cursor)?;
        Ok(self)
    }

    /// Returns a part of the history, newest first, each change with the actions of its
    /// transaction.
    ///
    /// # Errors
    ///
    /// Returns [`ErrorKind::Reference`](crate::ErrorKind::Reference) if rows cannot be
    /// found by a reference. Other errors are the same as those of [`History::load`].
    pub fn page<'c, C>(
        mut self,
        conn: &'c mut C,
    ) -> C::Answer<'c, Result<Page<TimelineEntry>, Error>>
    where
        C: AuditConnection,
        V: QueryFragment<Pg> + Send + 'c,
    {
        let limit = self.history.read_one_more();
        let history = self.without_model();
        C::answer(async move {
            let entries = history.entries(conn).await?;
            Ok(Page::cut(entries, limit, |entry| {
                Place::Record(entry.change.id)
            }))
        })
    }

    /// Returns the whole history, each change with the actions of its transaction.
    ///
    /// # Errors
    ///
    /// Same as [`page`](Self::page).
    pub fn load<'c, C>(self, conn: &'c mut C) -> C::Answer<'c, Result<Vec<TimelineEntry>, Error>>
    where
        C: AuditConnection,
        V: QueryFragment<Pg> + Send + 'c,
    {
        C::answer(self.without_model().entries(conn))
    }
}

impl<V: QueryFragment<Pg> + Send> HistoryWith<(), V> {
    async fn entries<C>(self, conn: &mut C) -> Result<Vec<TimelineEntry>, Error>
    where
        C: AuditConnection,
    {
        post_before_reading(conn).await;
        let table = self.history.table.clone();
        let changes: Vec<(AuditChange, Option<AnyJson>)> = run::read(conn, self).await?;
        if changes.is_empty() {
            known_table(conn, &table).await?;
        }
        let transactions = changes.iter().map(|(c, _)| c.transaction.id).collect();
        let actions = actions_of(conn, transactions).await?;
        Ok(changes
            .into_iter()
            .map(|(change, references)| TimelineEntry {
                references: references
                    .and_then(|list| {
                        serde_json::from_value::<Vec<Reference>>(list.into_inner()).ok()
                    })
                    .unwrap_or_default(),
                ..TimelineEntry::new(change, &actions)
            })
            .collect())
    }
}
