mod autocommit;
#[cfg(feature = "diesel-async")]
mod awaited;
mod batch;
mod by_hand;
mod delegate;
mod manager;
#[cfg(feature = "r2d2")]
mod pool;
mod text;

use std::fmt;

use diesel::result::Error;

pub use autocommit::AutocommitLoad;
pub use manager::AuditedTransactionManager;
#[cfg(feature = "r2d2")]
pub use pool::AutocommitInContext;

use by_hand::ByHand;
use manager::Place;

use super::AuditedTransactionBuilder;
use super::open::OuterContext;
use super::transaction::run;
use crate::connection::{BlockingConnection, is_plain};
use crate::context::AuditContext;
use crate::telemetry::Transaction;

/// A connection on which every transaction carries the current context, including
/// transactions opened by code that does not know of the audit.
///
/// Diesel code runs on it unchanged: queries, `transaction`, savepoints, prepared
/// statements, `COPY FROM`, migrations. `build_transaction` is a method of this type. The
/// context is sent in the same message as `BEGIN`, so it costs no round trip. It ends with
/// the transaction and leaves nothing in the session.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let database_url = connection.database_url();
/// use threadline::{ActorRef, AuditContext, Audited, AuditedConnection};
///
/// // Code of a library.
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
/// In a pool of r2d2, use `ConnectionManager::<AuditedConnection<PgConnection>>::new(url)`.
///
/// With diesel-async, use `AuditedConnection<AsyncPgConnection>`, alone or in a pool; see
/// [Threadline with diesel-async](crate::docs::threadline_with_diesel_async#plain-code).
///
/// # Which context
///
/// A transaction carries the context that is current on the thread when the outermost
/// transaction begins, whether by `transaction`, by `build_transaction`, by a batch of SQL
/// that starts with `BEGIN`, or by `sql_query("BEGIN")`. Savepoints inside it have the same context. To change the
/// context inside a transaction, use [`audited`](crate::AuditExt::audited) or
/// [`audited_transaction`](crate::AuditExt::audited_transaction). Without a current
/// context the transaction is plain, and its changes are recorded without an actor;
/// [`Models::require_actor`](crate::Models::require_actor) makes that an error.
///
/// Inside a transaction that `begin_test_transaction` or `test_transaction` began, each
/// transaction of the test carries the context that is current when it begins. This costs
/// two round trips beyond its `SAVEPOINT`.
///
/// # Statements outside transactions
///
/// Such a statement is plain by default.
/// [`autocommit_in_context`](Self::autocommit_in_context) changes that and documents its
/// cost.
///
/// # Differences from a plain connection
///
/// - Under a context, a transaction has already run a query when its first statement runs.
///   PostgreSQL therefore refuses `SET TRANSACTION ISOLATION LEVEL`; use
///   [`build_transaction`](Self::build_transaction).
/// - `COPY TO` and other features that only `PgConnection` has, such as notifications, need
///   [`without_context`](Self::without_context).
///
/// The crate feature `audited-connection` enables this type. It enables the Diesel feature
/// that makes the traits of a connection public, which Diesel may change in a minor
/// version.
pub struct AuditedConnection<C> {
    inner: C,
    autocommit: bool,
    by_hand: ByHand,
    /// The context to which a transaction of a test returns.
    outer: Option<OuterContext>,
    /// Reports a transaction under a context, until it has ended.
    watched: Option<Transaction>,
}

impl<C> AuditedConnection<C> {
    /// Wraps a connection.
    pub fn new(inner: C) -> Self {
        Self {
            inner,
            autocommit: false,
            by_hand: ByHand::Closed,
            outer: None,
            watched: None,
        }
    }

    /// Sets whether a statement outside transactions carries the current context too.
    ///
    /// A single statement then runs in a transaction of its own, because a context set for
    /// the session could reach its next user. This costs two round trips beyond that of the
    /// statement: `BEGIN` with the context, and `COMMIT`. Queries pay this too, because the
    /// text of a `SELECT` does not show whether it calls a function that writes. A batch of
    /// SQL (`batch_execute`) costs no round trip, because the context is sent in its
    /// message. Without a current context, nothing changes and nothing is added.
    ///
    /// Several statements cost less in one transaction. Under a context, PostgreSQL refuses
    /// statements that cannot run in a transaction, such as `VACUUM` or `CREATE INDEX
    /// CONCURRENTLY`; run them on [`without_context`](Self::without_context). Rows cannot
    /// be loaded one by one (`PgRowByRowLoadingMode`) in this mode; use a transaction.
    ///
    /// On a connection that a dropped future broke, no transaction begins, so such a statement
    /// returns `BrokenTransactionManager`.
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

    /// Returns the connection inside, on which nothing carries the context.
    pub fn without_context(&mut self) -> &mut C {
        &mut self.inner
    }

    /// Unwraps the connection inside.
    pub fn into_inner(self) -> C {
        self.inner
    }

    /// Returns whether a statement at a place has a transaction of its own if there is a
    /// context. In a transaction begun by hand it has none, because it would end that one.
    fn has_own_transaction(&self, place: Place) -> bool {
        self.autocommit && place != Place::Inside && self.by_hand != ByHand::Open
    }
}

impl<C: BlockingConnection> AuditedConnection<C> {
    /// Builds a transaction under the current context, with an isolation level and the
    /// other options of `BEGIN`. Same as
    /// [`PgConnection::build_transaction`](diesel::PgConnection::build_transaction).
    pub fn build_transaction(&mut self) -> AuditedTransactionBuilder<'_, Self> {
        AuditedTransactionBuilder::new(self, None)
    }

    /// Returns the context of a statement outside a transaction, if it is to have one. On a
    /// broken connection its transaction cannot begin, which is an error.
    fn statement_context(&mut self) -> Option<String> {
        let place = Place::of(&mut self.inner);
        let has_context = self.has_own_transaction(place) && !is_plain();
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
