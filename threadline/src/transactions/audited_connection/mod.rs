#[cfg(any(feature = "deadpool", feature = "bb8", feature = "mobc"))]
mod async_pools;
mod autocommit;
#[cfg(feature = "diesel-async")]
mod awaited;
mod batch;
mod delegate;
mod manager;
#[cfg(feature = "r2d2")]
mod pool;

use std::fmt;

use diesel::result::Error;

pub use autocommit::AutocommitLoad;
pub use manager::AuditedTransactionManager;
#[cfg(feature = "r2d2")]
pub use pool::AutocommitInContext;

use manager::Place;

use super::AuditedTransactionBuilder;
use super::open::OuterContext;
use super::transaction::run;
use crate::connection::{BlockingConnection, is_plain};
use crate::context::AuditContext;
use crate::telemetry::Transaction;

/// A connection on which every transaction carries the current context, also one that
/// code opens which knows nothing of an audit.
///
/// Diesel code runs on it as it is: queries, `transaction`, savepoints, prepared
/// statements, `COPY FROM`, migrations. `build_transaction` is a method of
/// it. The context goes with `BEGIN` in one message, so it costs no round trip. It ends
/// with the transaction and leaves nothing in the session.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let database_url = connection.database_url();
/// use threadline::{ActorRef, AuditContext, Audited, AuditedConnection};
///
/// // Somebody else's code.
/// fn rename(conn: &mut AuditedConnection<PgConnection>, to: &str) -> QueryResult<usize> {
///     conn.transaction(|conn| {
///         diesel::update(users::table.find(42))
///             .set(users::name.eq(to))
///             .execute(conn)
///     })
/// }
///
/// let mut conn = AuditedConnection::<PgConnection>::establish(&database_url)?;
/// let context = AuditContext::new(ActorRef::user(42)?);
/// context.scope(|| rename(&mut conn, "Ada Lovelace"))?;
/// let history = User::history_of(&mut conn, 42)?;
/// let newest = &history[0];
/// assert_eq!(newest.transaction.actor.as_ref(), context.actor());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// In a pool, it is the manager's connection:
/// `ConnectionManager::<AuditedConnection<PgConnection>>::new(url)`.
///
/// Of diesel-async it is an `AuditedConnection<AsyncPgConnection>`, alone or in a pool; see
/// [Threadline with diesel-async](crate::docs::threadline_with_diesel_async#plain-code).
///
/// # Which context
///
/// The one that is current on the thread when the outermost transaction begins, whether
/// by `transaction`, by `build_transaction` or by a batch of SQL that starts with `BEGIN`.
/// Savepoints below belong to it. To change the context
/// inside of a transaction, use [`audited`](crate::AuditExt::audited) or
/// [`audited_transaction`](crate::AuditExt::audited_transaction). Without a current
/// context the transaction is plain, and its changes are recorded without an actor;
/// [`Models::require_actor`](crate::Models::require_actor) makes that an error.
///
/// Inside a transaction that `begin_test_transaction` or `test_transaction` began, each
/// transaction of the test carries the context that is current then, at two round trips
/// beyond its `SAVEPOINT`.
///
/// # A statement outside of transactions
///
/// Such a statement is plain by default. [`autocommit_in_context`](Self::autocommit_in_context)
/// changes that, and says what it costs.
///
/// # What is different from a plain connection
///
/// - Under a context, a transaction has run a query when its first statement runs.
///   `SET TRANSACTION ISOLATION LEVEL` is therefore refused by PostgreSQL; use
///   [`build_transaction`](Self::build_transaction).
/// - `COPY TO` and what else only `PgConnection` has, such as notifications, needs
///   [`without_context`](Self::without_context).
///
/// The crate feature `audited-connection` turns it on. It turns on the feature of
/// Diesel that opens the traits of a connection, which Diesel may change in a minor
/// version.
pub struct AuditedConnection<C> {
    inner: C,
    autocommit: bool,
    /// What a transaction of a test goes back to.
    outer: Option<OuterContext>,
    /// Tells of a transaction under a context, until it has ended.
    watched: Option<Transaction>,
}

impl<C> AuditedConnection<C> {
    /// Wraps a connection.
    pub fn new(inner: C) -> Self {
        Self {
            inner,
            autocommit: false,
            outer: None,
            watched: None,
        }
    }

    /// Sets whether a statement outside of transactions carries the current context too.
    ///
    /// A single statement then runs in a transaction of its own, because a context that
    /// were set for the session could reach its next user. That costs two round trips
    /// beyond the statement's, `BEGIN` with the context and `COMMIT`, for queries too: by
    /// its text nobody knows whether a `SELECT` calls a function that writes. A batch of SQL
    /// (`batch_execute`) costs none, because the context goes in its message.
    /// Without a current context nothing changes and nothing is added.
    ///
    /// Several statements cost less in one transaction. What PostgreSQL runs in no
    /// transaction, such as `VACUUM` or `CREATE INDEX CONCURRENTLY`, it refuses under a
    /// context; run it on [`without_context`](Self::without_context). Rows cannot be
    /// loaded one by one (`PgRowByRowLoadingMode`) so, but in a transaction.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # let connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let database_url = connection.database_url();
    /// use threadline::{ActorRef, AuditContext, Audited, AuditedConnection};
    ///
    /// let mut conn = AuditedConnection::<PgConnection>::establish(&database_url)?;
    /// conn.autocommit_in_context(true);
    /// let context = AuditContext::new(ActorRef::user(42)?);
    /// context.scope(|| diesel::delete(users::table.find(42)).execute(&mut conn))?;
    /// let history = User::history_of(&mut conn, 42)?;
    /// let newest = &history[0];
    /// assert_eq!(newest.transaction.actor.as_ref(), context.actor());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn autocommit_in_context(&mut self, on: bool) {
        self.autocommit = on;
    }

    /// The connection inside, on which nothing carries the context.
    pub fn without_context(&mut self) -> &mut C {
        &mut self.inner
    }

    /// The connection inside.
    pub fn into_inner(self) -> C {
        self.inner
    }
}

impl<C: BlockingConnection> AuditedConnection<C> {
    /// Builds a transaction under the current context, with an isolation level and what
    /// else `BEGIN` takes; as
    /// [`PgConnection::build_transaction`](diesel::PgConnection::build_transaction).
    pub fn build_transaction(&mut self) -> AuditedTransactionBuilder<'_, Self> {
        AuditedTransactionBuilder::new(self, None)
    }

    /// The context of a statement that is no part of a transaction, if it is to have one.
    fn statement_context(&mut self) -> Option<String> {
        let has_context =
            self.autocommit && !is_plain() && Place::of(&mut self.inner) != Place::Inside;
        has_context.then(AuditContext::current_setting).flatten()
    }

    fn statement<T, E>(&mut self, work: impl FnOnce(&mut C) -> Result<T, E>) -> Result<T, E>
    where
        E: From<Error>,
    {
        match self.statement_context() {
            Some(setting) => run(&mut self.inner, Some(&setting), work),
            None => work(&mut self.inner),
        }
    }
}

impl<C> fmt::Debug for AuditedConnection<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditedConnection")
            .field("autocommit", &self.autocommit)
            .finish_non_exhaustive()
    }
}
