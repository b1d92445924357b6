use chrono::{DateTime, Utc};
use diesel::sql_types::BigInt;

use super::page::{ActionPlace, Cursor, Page, Place, Section, rows_for, section_methods};
use crate::action::{ActionSql, AuditAction};
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::filter::ActionFilter;
use crate::run;
use crate::statement::{Bind, Binds, Typed, all_of, filled};

/// A query for actions. [`actions`] returns it.
#[derive(Debug, Clone)]
#[must_use = "a query does nothing until you call `page(conn)` or `count(conn)`"]
pub struct Actions {
    filter: ActionFilter,
    section: Section,
}

/// Queries actions, newest first, whether or not their transactions changed anything. A
/// refused login is found here and in no history of rows.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::{Action, ActionFilter, ActionStatus, ActorRef, actions, record_action};
///
/// let refused = Action::new("session.opened").actor(ActorRef::user(42)?).failed();
/// record_action(conn, refused.reason("wrong password"))?;
///
/// let failures = ActionFilter::new().status(ActionStatus::Error);
/// let page = actions(failures).limit(20).page(conn)?;
/// for action in &page.entries {
///     println!("{} {action}", action.occurred_at);
/// }
/// assert_eq!(page.entries[0].reason.as_deref(), Some("wrong password"));
/// # Ok::<(), threadline::Error>(())
/// ```
pub fn actions(filter: ActionFilter) -> Actions {
    Actions {
        filter,
        section: Section::default(),
    }
}

section_methods!(Actions, "actions");

impl Actions {
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
    ) -> C::Answer<'_, Result<Page<AuditAction>, Error>> {
        C::answer(async move {
            let after = Cursor::action(self.section.after)?;
            self.filter.check()?;
            let mut binds = Binds::default();
            let mut conditions = self.filter.conditions(&mut binds);
            if let Some(ActionPlace {
                microseconds,
                action,
            }) = after
            {
                let time = binds.bind(Bind::Instant(
                    DateTime::from_timestamp_micros(microseconds)
                        .unwrap_or(DateTime::<Utc>::MAX_UTC),
                ));
                let action = binds.bind(Bind::BigInt(action));
                conditions.push(format!("(a.occurred_at, a.id) < ({time}, {action})"));
            }
            let limit = rows_for(self.section.limit);
            let limit = binds.bind(Bind::Limit(Some(limit)));
            let sql = filled(
                include_str!("actions.sql"),
                &[("conditions", &all_of(&conditions)), ("limit", &limit)],
            );
            let query = Typed::<ActionSql>::new(sql, binds.0);
            let actions: Vec<AuditAction> = run::read(conn, query).await?;
            Ok(Page::cut(actions, self.section.limit, |action| {
                Place::Action(ActionPlace {
                    microseconds: action.occurred_at.timestamp_micros(),
                    action: action.id,
                })
            }))
        })
    }

    /// Counts all matching actions, independent of the page. Reads every one of them.
    ///
    /// # Errors
    ///
    /// Same as [`page`](Self::page).
    pub fn count<C: AuditConnection>(self, conn: &mut C) -> C::Answer<'_, Result<u64, Error>> {
        C::answer(self.counted(conn))
    }

    pub(super) async fn counted<C: AuditConnection>(self, conn: &mut C) -> Result<u64, Error> {
        self.filter.check()?;
        let mut binds = Binds::default();
        let conditions = all_of(&self.filter.conditions(&mut binds));
        let sql = format!("SELECT count(*) FROM threadline.audit_actions AS a WHERE {conditions}");
        let count: i64 = run::read_one(conn, Typed::<BigInt>::new(sql, binds.0)).await?;
        Ok(count.unsigned_abs())
    }
}
