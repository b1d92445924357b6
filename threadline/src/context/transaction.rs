use std::fmt::Debug;

use diesel::connection::{LoadConnection, TransactionManager};
use diesel::pg::Pg;
use diesel::result::{Error, QueryResult};
use diesel::sql_types::{Nullable, Text};
use diesel::{Connection, QueryableByName, RunQueryDsl};

use super::{AuditContext, AuditedTransactionBuilder, ContextError, Origin};
use crate::action::{Action, kind_of, record_action};
use crate::sql::Literal;
use crate::telemetry;

/// A connection that can begin a transaction with SQL of our own.
///
/// There for `PgConnection` and for pooled connections; a connection type of
/// your own that wraps one of them delegates to it.
pub trait AuditConnection: Connection<Backend = Pg> + LoadConnection {
    /// Begins a transaction with the given SQL.
    ///
    /// # Errors
    ///
    /// `AlreadyInTransaction`, with nothing sent, when one is open.
    fn begin_transaction_sql(&mut self, sql: &str) -> QueryResult<()>;
}

#[cfg(feature = "postgres")]
impl AuditConnection for diesel::PgConnection {
    fn begin_transaction_sql(&mut self, sql: &str) -> QueryResult<()> {
        diesel::connection::AnsiTransactionManager::begin_transaction_sql(self, sql)
    }
}

#[cfg(feature = "r2d2")]
impl<M> AuditConnection for diesel::r2d2::PooledConnection<M>
where
    M: diesel::r2d2::ManageConnection,
    M::Connection: AuditConnection + diesel::r2d2::R2D2Connection + Send + 'static,
{
    fn begin_transaction_sql(&mut self, sql: &str) -> QueryResult<()> {
        (**self).begin_transaction_sql(sql)
    }
}

/// Transactions whose changes are recorded under a context.
pub trait AuditExt: AuditConnection {
    /// Runs `work` in a transaction under `context`.
    ///
    /// Inside an open transaction it is a savepoint; when it ends, the context
    /// that was there before is there again. While `work` runs, `context` is
    /// also the thread's current one, so that [`audited`](Self::audited) below
    /// it agrees. An error from `work` rolls back, as in Diesel's
    /// `transaction`. Costs no round trip beyond Diesel's `BEGIN`; inside an
    /// open transaction, two beyond its `SAVEPOINT`.
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

    /// Builds a transaction under `context`, with an isolation level and what else
    /// `BEGIN` takes; as Diesel's `build_transaction`.
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

    /// Runs `work` in a transaction under `context` and records that as an action, however
    /// it ends.
    ///
    /// When `work` succeeds, the action is recorded in the same transaction, with the
    /// status `ok`. When it fails, or the commit does, the transaction rolls back, and the
    /// action is recorded after that, on its own: with the status `error` and the kind of
    /// the failure as its reason, `unique violation: members_email_key`, or the type and
    /// variant of an error of yours. What the error says is not recorded, because messages
    /// hold values. The error is returned as it is, also if its record fails, as on a
    /// connection that is gone.
    ///
    /// Inside an open transaction, a failure rolls back to a savepoint, and its record
    /// belongs to the outer transaction: it is there if that commits, and gone if that
    /// rolls back. For a record that stays whatever happens, call it outside. A panic
    /// records nothing.
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
    /// The error of `work`, or that of the transaction. An action that cannot be recorded
    /// is an error before `work` is run.
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
        action.check(context).map_err(Error::from)?;
        let done = self.audited_transaction(context, |conn| {
            let value = work(conn)?;
            record_action(conn, action.clone()).map_err(Error::from)?;
            Ok(value)
        });
        if let Err(error) = &done {
            record_failure(self, context, action.failed_for(kind_of(error)));
        }
        done
    }

    /// Runs `work` in a transaction under the current context, set with
    /// [`AuditContext::scope`] or [`in_context`](crate::InContextExt::in_context).
    ///
    /// # Errors
    ///
    /// [`ContextError::NoContext`], as a `QueryBuilderError`, where no context is current:
    /// `work` is not run, so that a place that forgot its context is seen. Where changes
    /// without an actor are right, call [`audited_or_plain`](Self::audited_or_plain).
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
        match AuditContext::current_setting() {
            Some(setting) => run(self, Some(&setting), work),
            None => {
                telemetry::context_missing();
                Err(Error::QueryBuilderError(Box::new(ContextError::NoContext)).into())
            }
        }
    }

    /// Runs `work` in a transaction under the thread's current context, or in a plain one
    /// where none is current.
    ///
    /// The changes of a plain transaction are recorded without an actor, or, inside of
    /// another transaction, under its context.
    fn audited_or_plain<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut Self) -> Result<T, E>,
        E: From<Error>,
    {
        run(self, AuditContext::current_setting().as_deref(), work)
    }
}

impl<C: AuditConnection> AuditExt for C {}

/// What a context begins with: the time at which its transaction began. A context that
/// a session keeps beyond it carries another time, and names nobody.
const STAMP: &str = "EXTRACT(epoch FROM pg_catalog.now()), ' '";

pub(super) fn run<C, T, E, F>(conn: &mut C, setting: Option<&str>, work: F) -> Result<T, E>
where
    C: AuditConnection,
    F: FnOnce(&mut C) -> Result<T, E>,
    E: From<Error>,
{
    let Some(setting) = setting else {
        return conn.transaction(work);
    };
    let watched = telemetry::Transaction::begin();
    let done = watched.run(|| run_under(conn, setting, work));
    watched.ended(done)
}

fn run_under<C, T, E, F>(conn: &mut C, setting: &str, work: F) -> Result<T, E>
where
    C: AuditConnection,
    F: FnOnce(&mut C) -> Result<T, E>,
    E: From<Error>,
{
    match begin_under(conn, "BEGIN", setting) {
        Ok(()) => finish(conn, work),
        Err(Error::AlreadyInTransaction) => {
            let setting = setting.to_owned();
            conn.transaction(|conn| {
                let outer = replace_context(conn, &setting)?;
                let value = work(conn)?;
                // Not undone by RELEASE. After an error the savepoint's
                // rollback does it.
                restore_context(conn, &outer)?;
                Ok(value)
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// Begins a transaction and sets its context, in one message.
pub(super) fn begin_under<C>(conn: &mut C, begin: &str, setting: &str) -> QueryResult<()>
where
    C: AuditConnection,
{
    let begun = conn.begin_transaction_sql(&format!("{begin}; {}", set_context(setting)));
    if !matches!(begun, Ok(()) | Err(Error::AlreadyInTransaction)) {
        // If it fails half-way the server is in a failed transaction that Diesel does
        // not know of.
        let _ = conn.batch_execute("ROLLBACK");
    }
    begun
}

/// The statement that sets the context of the transaction that is open.
pub(super) fn set_context(setting: &str) -> String {
    format!(
        "SELECT pg_catalog.set_config('threadline.context', pg_catalog.concat({STAMP}, {}), true)",
        Literal(setting)
    )
}

/// What Diesel's `transaction` does after its `BEGIN`.
pub(super) fn finish<C, T, E, F>(conn: &mut C, work: F) -> Result<T, E>
where
    C: AuditConnection,
    F: FnOnce(&mut C) -> Result<T, E>,
    E: From<Error>,
{
    match work(conn) {
        Ok(value) => {
            C::TransactionManager::commit_transaction(conn)?;
            Ok(value)
        }
        Err(error) => match C::TransactionManager::rollback_transaction(conn) {
            Ok(()) | Err(Error::BrokenTransactionManager) => Err(error),
            Err(rollback_error) => Err(rollback_error.into()),
        },
    }
}

/// Records what failed. That it cannot be recorded hides no failure.
fn record_failure<C: AuditConnection>(conn: &mut C, context: &AuditContext, action: Action) {
    let open = C::TransactionManager::transaction_manager_status_mut(conn).transaction_depth();
    let _ = match open {
        Ok(None) => {
            let _guard = context.enter_as(Origin::Explicit);
            record_action(conn, action)
        }
        // A savepoint, so that the outer transaction goes on if this fails.
        Ok(Some(_)) => conn.audited_transaction(context, |conn| record_action(conn, action)),
        // Nothing can be said in a transaction that is broken.
        Err(_) => return,
    };
}

/// The settings that a nested context hides. With the context comes the
/// AuditTransaction that was open under it, so that the outer one goes on
/// with its own.
#[derive(Debug, QueryableByName)]
pub(super) struct OuterContext {
    #[diesel(sql_type = Nullable<Text>)]
    context: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    transaction: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    transaction_context: Option<String>,
}

pub(super) fn replace_context<C: AuditConnection>(
    conn: &mut C,
    setting: &str,
) -> QueryResult<OuterContext> {
    diesel::sql_query(format!(
        "SELECT pg_catalog.current_setting('threadline.context', true) AS context, \
                pg_catalog.current_setting('threadline.transaction', true) AS transaction, \
                pg_catalog.current_setting('threadline.transaction_context', true) AS transaction_context, \
                pg_catalog.set_config('threadline.context', pg_catalog.concat({STAMP}, $1), true)",
    ))
    .bind::<Text, _>(setting)
    .get_result(conn)
}

pub(super) fn restore_context<C: AuditConnection>(
    conn: &mut C,
    outer: &OuterContext,
) -> QueryResult<()> {
    diesel::sql_query(
        "SELECT pg_catalog.set_config('threadline.context', coalesce($1, ''), true), \
                pg_catalog.set_config('threadline.transaction', coalesce($2, ''), true), \
                pg_catalog.set_config('threadline.transaction_context', coalesce($3, ''), true)",
    )
    .bind::<Nullable<Text>, _>(&outer.context)
    .bind::<Nullable<Text>, _>(&outer.transaction)
    .bind::<Nullable<Text>, _>(&outer.transaction_context)
    .execute(conn)
    .map(|_| ())
}
