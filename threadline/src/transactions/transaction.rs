use std::fmt::Debug;

use diesel::result::{Error, QueryResult};

use super::{AuditedTransactionBuilder, Open, record_in};
use crate::action::Action;
use crate::connection::{AuditConnection, BlockingConnection, ready};
use crate::context::{AuditContext, ContextError, Origin};
use crate::error::{Error as AuditError, kind_of};
use crate::telemetry;

/// Transactions whose changes are recorded under a context.
pub trait AuditExt: BlockingConnection {
    /// Runs `work` in a transaction under `context`.
    ///
    /// Inside an open transaction it is a savepoint, and the previous context is restored
    /// when it ends. While `work` runs, `context` is also the current context of the
    /// thread, so [`audited`](Self::audited) inside `work` uses it. An error from `work`
    /// rolls back, as in Diesel's `transaction`. This costs no round trip beyond Diesel's
    /// `BEGIN`; inside an open transaction, it costs two beyond the `SAVEPOINT`.
    ///
    /// ```
    /// # use threadline_test_server::doctest::*;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let conn = &mut *connection;
    /// use diesel::prelude::*;
    /// use threadline::{ActorRef, AuditContext, AuditExt};
    ///
    /// let context = AuditContext::new(ActorRef::user(42)?);
    /// conn.audited_transaction(&context, |conn| {
    ///     diesel::sql_query("UPDATE users SET name = 'Ada'").execute(conn)
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn audited_transaction<T, E, F>(&mut self, context: &AuditContext, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Self) -> Result<T, E>,
        E: From<Error>,
    {
        let setting = context.to_setting(Origin::Explicit);
        let _guard = context.enter_as(Origin::Explicit);
        run(self, Some(&setting), work)
    }

    /// Builds a transaction under `context`, with an isolation level and the other options
    /// of `BEGIN`, like Diesel's `build_transaction`.
    ///
    /// ```
    /// # use threadline_test_server::doctest::*;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let conn = &mut *connection;
    /// use diesel::prelude::*;
    /// use threadline::{ActorRef, AuditContext, AuditExt};
    ///
    /// let context = AuditContext::new(ActorRef::user(42)?);
    /// conn.build_audited_transaction(&context)
    ///     .serializable()
    ///     .run(|conn| diesel::sql_query("UPDATE users SET name = 'Ada'").execute(conn))?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn build_audited_transaction(
        &mut self,
        context: &AuditContext,
    ) -> AuditedTransactionBuilder<'_, Self> {
        AuditedTransactionBuilder::new(self, Some(context.clone()))
    }

    /// Runs `work` in a transaction under `context` and records it as an action, whether it
    /// succeeds or fails.
    ///
    /// If `work` succeeds, the action is recorded in the same transaction, with the status
    /// `ok`. If `work` or the commit fails, the transaction rolls back, and the action is
    /// recorded afterwards, on its own, with the status `error`. Its reason is the kind of
    /// the failure: for example `unique violation: members_email_key`, or the type and
    /// variant of your own error. The error message is not recorded, because messages
    /// contain values. The error is returned unchanged, also if recording it fails, for
    /// example on a lost connection.
    ///
    /// Inside an open transaction, a failure rolls back to a savepoint, and its record
    /// belongs to the outer transaction: it is kept if that commits, and lost if that rolls
    /// back. Call the method outside a transaction to keep the record in every case. A
    /// panic records nothing.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let conn = &mut *connection;
    /// use threadline::{Action, ActionFilter, ActorRef, AuditContext, AuditExt, actions};
    ///
    /// let context = AuditContext::new(ActorRef::admin("grace")?);
    /// let removed = conn.audited_action(&context, Action::new("member.removed"), |conn| {
    ///     match diesel::delete(users::table.find(99)).execute(conn)? {
    ///         0 => Err(diesel::result::Error::NotFound),
    ///         _ => Ok(()),
    ///     }
    /// });
    /// assert!(removed.is_err());
    /// let page = actions(ActionFilter::new().name("member.removed")).page(conn)?;
    /// assert_eq!(page.entries[0].reason.as_deref(), Some("not found"));
    /// # Ok::<(), threadline::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns the error of `work` or of the transaction. If the action cannot be recorded,
    /// returns an error before `work` runs.
    fn audited_action<T, E, F>(
        &mut self,
        context: &AuditContext,
        action: impl Into<Action>,
        work: F,
    ) -> Result<T, E>
    where
        F: FnOnce(&mut Self) -> Result<T, E>,
        E: From<Error> + Debug + 'static,
    {
        let action = action.into();
        action
            .check(context)
            .map_err(AuditError::from)
            .map_err(Error::from)?;
        let done = self.audited_transaction(context, |conn| {
            let value = work(conn)?;
            ready(record_in(conn, action.clone(), Some(context))).map_err(Error::from)?;
            Ok(value)
        });
        if let Err(error) = &done {
            let _guard = context.enter_as(Origin::Explicit);
            ready(record_failure(
                self,
                context,
                action.failed_for(kind_of(error)),
            ));
        }
        done
    }

    /// Runs `work` in a transaction under the current context, set with
    /// [`AuditContext::scope`] or [`in_context`](crate::InContextExt::in_context).
    ///
    /// # Errors
    ///
    /// Returns [`ContextError::NoContext`], as a `QueryBuilderError`, if no context is
    /// current. `work` does not run, so that a missing context is noticed. Call
    /// [`audited_or_plain`](Self::audited_or_plain) where changes without an actor are
    /// acceptable.
    ///
    /// ```
    /// # use threadline_test_server::doctest::*;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let conn = &mut *connection;
    /// use threadline::AuditExt;
    ///
    /// let forgot = conn.audited(|conn| diesel::sql_query("DELETE FROM users").execute(conn));
    /// assert!(forgot.is_err());
    /// ```
    fn audited<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Self) -> Result<T, E>,
        E: From<Error>,
    {
        run(self, Some(&required_setting()?), work)
    }

    /// Runs `work` in a transaction under the current context of the thread, or in a plain
    /// one if no context is current.
    ///
    /// Changes of a plain transaction are recorded without an actor or, inside another
    /// transaction, under its context.
    fn audited_or_plain<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Self) -> Result<T, E>,
        E: From<Error>,
    {
        run(self, AuditContext::current_setting().as_deref(), work)
    }
}

impl<C: BlockingConnection> AuditExt for C {}

/// Returns the setting of the current context, or an error if there is none.
pub(super) fn required_setting() -> QueryResult<String> {
    AuditContext::current_setting().ok_or_else(|| {
        telemetry::context_missing();
        Error::QueryBuilderError(Box::new(ContextError::NoContext))
    })
}

pub(super) fn run<C, T, E, F>(conn: &mut C, setting: Option<&str>, work: F) -> Result<T, E>
where
    C: BlockingConnection,
    F: FnOnce(&mut C) -> Result<T, E>,
    E: From<Error>,
{
    let mut open = ready(Open::begin(conn, setting))?;
    let done = open.work(work);
    ready(open.end(done))
}

/// Records a failed action. An error while recording does not replace the original failure.
pub(super) async fn record_failure<C: AuditConnection>(
    conn: &mut C,
    context: &AuditContext,
    action: Action,
) {
    let open = conn.status().transaction_depth();
    let _ = match open {
        Ok(None) => record_in(conn, action, Some(context)).await,
        // Uses a savepoint, so that the outer transaction can continue if this fails.
        Ok(Some(_)) => {
            let setting = context.to_setting(Origin::Explicit);
            match Open::begin(conn, Some(&setting)).await {
                Ok(mut open) => {
                    let recorded = record_in(open.conn(), action, Some(context)).await;
                    open.end(recorded).await
                }
                Err(error) => Err(error.into()),
            }
        }
        // A broken transaction accepts no statement.
        Err(_) => return,
    };
}
