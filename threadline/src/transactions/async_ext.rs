use std::fmt::Debug;
use std::future::Future;

use diesel::result::Error;

use super::builder::Awaited;
use super::transaction::{record_failure, required_setting};
use super::{AuditedTransactionBuilder, Open, begin_unmasked, record_in};
use crate::action::Action;
use crate::connection::Asynchronous;
use crate::context::{AuditContext, InContext, Origin};
use crate::error::{Error as AuditError, kind_of};

/// An async closure whose future can be sent to another thread, a bound that `AsyncFnOnce`
/// cannot express on its own. Every such closure implements it.
pub trait AsyncWork<T, R>:
    AsyncFnOnce(T) -> R + FnOnce(T) -> <Self as AsyncWork<T, R>>::Work
{
    /// The future that does the work.
    type Work: Future<Output = R>;
}

impl<F, T, R, Work> AsyncWork<T, R> for F
where
    F: AsyncFnOnce(T) -> R + FnOnce(T) -> Work,
    Work: Future<Output = R>,
{
    type Work = Work;
}

/// The work of a transaction: an async closure that takes the connection, and whose future
/// can be sent to another thread. Every such closure implements it.
pub trait TransactionWork<C, T, E>:
    for<'r> AsyncFnOnce(&'r mut C) -> Result<T, E>
    + for<'r> AsyncWork<&'r mut C, Result<T, E>, Work: Send>
    + Send
{
}

impl<F, C, T, E> TransactionWork<C, T, E> for F where
    for<'r> F: AsyncFnOnce(&'r mut C) -> Result<T, E>
        + AsyncWork<&'r mut C, Result<T, E>, Work: Send>
        + Send
{
}

/// Transactions whose changes are recorded under a context, on connections of diesel-async.
/// It has the methods of [`AuditExt`](crate::AuditExt), with async closures.
///
/// # A future that is dropped
///
/// A cancelled request drops its future in the middle of a transaction. The server then
/// receives the rollback before anything else that is sent on the connection, and the
/// connection is broken: a pool discards it, and on a connection of your own every later
/// transaction returns an error. No later write can run under the context of the cancelled
/// request.
///
/// The same applies to a transaction inside another one, for instance under a timeout: its
/// changes are undone, the outer transaction continues under its own context, and its
/// commit returns an error.
pub trait AsyncAuditExt: Asynchronous {
    /// Runs `work` in a transaction under `context`. Same as
    /// [`AuditExt::audited_transaction`](crate::AuditExt::audited_transaction).
    ///
    /// While `work` is polled, `context` is current. This costs no round trip beyond
    /// `BEGIN`; inside an open transaction, it costs two beyond the `SAVEPOINT`.
    ///
    /// ```
    /// # use threadline_test_server::doctest_schema;
    /// # doctest_schema!();
    /// # use threadline_test_server::doctest::*;
    /// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
    /// # let database_url = connection.database_url();
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
    /// use threadline::{ActorRef, AsyncAuditExt, AuditContext, Audited};
    ///
    /// let mut conn = AsyncPgConnection::establish(&database_url).await?;
    /// let context = AuditContext::new(ActorRef::user(42)?);
    /// conn.audited_transaction::<_, diesel::result::Error, _>(&context, async |conn| {
    ///     let user = diesel::update(users::table.find(42)).set(users::name.eq("Ada Lovelace"));
    ///     RunQueryDsl::execute(user, conn).await
    /// })
    /// .await?;
    /// let history = User::history_of(&mut conn, 42).await?;
    /// assert_eq!(history[0].actor(), context.actor());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn audited_transaction<'conn, 'a, T, E, F>(
        &'conn mut self,
        context: &AuditContext,
        work: F,
    ) -> impl Future<Output = Result<T, E>> + Send + 'conn
    where
        F: TransactionWork<Self, T, E> + 'a,
        T: Send + 'a,
        E: From<Error> + Send + 'a,
        'a: 'conn,
    {
        let context = context.clone();
        async move {
            let setting = context.to_setting(Origin::Explicit);
            let open = Open::begin(self, Some(&setting)).await?;
            run(open, Some(context), work).await
        }
    }

    /// Builds a transaction under `context`, with an isolation level and the other options
    /// of `BEGIN`. Same as
    /// [`AuditExt::build_audited_transaction`](crate::AuditExt::build_audited_transaction).
    fn build_audited_transaction(
        &mut self,
        context: &AuditContext,
    ) -> AuditedTransactionBuilder<'_, Self, Awaited> {
        AuditedTransactionBuilder::new(self, Some(context.clone()))
    }

    /// Runs `work` in a transaction under `context` and records it as an action, whether it
    /// succeeds or fails. Same as
    /// [`AuditExt::audited_action`](crate::AuditExt::audited_action).
    ///
    /// If the future is dropped before it completes, nothing is recorded.
    ///
    /// # Errors
    ///
    /// Returns the error of `work` or of the transaction. If the action cannot be recorded,
    /// returns an error before `work` runs.
    fn audited_action<'conn, 'a, T, E, F>(
        &'conn mut self,
        context: &AuditContext,
        action: impl Into<Action>,
        work: F,
    ) -> impl Future<Output = Result<T, E>> + Send + 'conn
    where
        F: TransactionWork<Self, T, E> + 'a,
        T: Send + 'a,
        E: From<Error> + Debug + Send + 'static,
        'a: 'conn,
    {
        let context = context.clone();
        let action = action.into();
        async move {
            action
                .check(&context)
                .map_err(AuditError::from)
                .map_err(Error::from)?;
            let done = act(self, &context, action.clone(), work).await;
            if let Err(error) = &done {
                let failed = action.failed_for(kind_of(error));
                record_failure(self, &context, failed).await;
            }
            done
        }
    }

    /// Runs `work` in a transaction under the current context, which
    /// [`in_context`](crate::InContextExt::in_context) sets. Same as
    /// [`AuditExt::audited`](crate::AuditExt::audited).
    ///
    /// # Errors
    ///
    /// Returns [`ContextError::NoContext`](crate::ContextError::NoContext), as a
    /// `QueryBuilderError`, if no context is current when the future is first polled.
    fn audited<'conn, 'a, T, E, F>(
        &'conn mut self,
        work: F,
    ) -> impl Future<Output = Result<T, E>> + Send + 'conn
    where
        F: TransactionWork<Self, T, E> + 'a,
        T: Send + 'a,
        E: From<Error> + Send + 'a,
        'a: 'conn,
    {
        async move {
            let setting = required_setting()?;
            run(Open::begin(self, Some(&setting)).await?, None, work).await
        }
    }

    /// Runs `work` in a transaction under the current context, or in a plain one if no
    /// context is current. Same as
    /// [`AuditExt::audited_or_plain`](crate::AuditExt::audited_or_plain).
    fn audited_or_plain<'conn, 'a, T, E, F>(
        &'conn mut self,
        work: F,
    ) -> impl Future<Output = Result<T, E>> + Send + 'conn
    where
        F: TransactionWork<Self, T, E> + 'a,
        T: Send + 'a,
        E: From<Error> + Send + 'a,
        'a: 'conn,
    {
        async move {
            let setting = AuditContext::current_setting();
            run(Open::begin(self, setting.as_deref()).await?, None, work).await
        }
    }

    /// Reads changes including values recorded before their column was masked or excluded,
    /// and records this access. Same as the function [`unmasked`](crate::unmasked).
    ///
    /// # Errors
    ///
    /// Returns an error if the role lacks the privilege, the reason is empty, a transaction
    /// is open, or reading fails.
    fn unmasked<'conn, 'a, T, F>(
        &'conn mut self,
        reason: impl Into<String>,
        read: F,
    ) -> impl Future<Output = Result<T, AuditError>> + Send + 'conn
    where
        F: TransactionWork<Self, T, AuditError> + 'a,
        T: Send + 'a,
        'a: 'conn,
    {
        let reason = reason.into();
        async move {
            let mut open = begin_unmasked(self, reason).await?;
            let answer = read(open.conn()).await;
            open.end(answer).await
        }
    }
}

impl<C: Asynchronous> AsyncAuditExt for C {}

/// Runs the work of a transaction, under a context that is given explicitly or the current one.
async fn run<C, T, E, F>(
    mut open: Open<'_, C>,
    context: Option<AuditContext>,
    work: F,
) -> Result<T, E>
where
    C: Asynchronous,
    F: TransactionWork<C, T, E>,
    T: Send,
    E: From<Error> + Send,
{
    let done = match context {
        Some(context) => watched(&mut open, |conn| InContext::explicit(work(conn), context)).await,
        None => watched(&mut open, work).await,
    };
    open.end(done).await
}

async fn act<C, T, E, F>(
    conn: &mut C,
    context: &AuditContext,
    action: Action,
    work: F,
) -> Result<T, E>
where
    C: Asynchronous,
    F: TransactionWork<C, T, E>,
    T: Send,
    E: From<Error> + Send,
{
    let setting = context.to_setting(Origin::Explicit);
    let mut open = Open::begin(conn, Some(&setting)).await?;
    let in_context = |conn| InContext::explicit(work(conn), context.clone());
    let mut done = watched(&mut open, in_context).await;
    if done.is_ok() {
        if let Err(error) = record_in(open.conn(), action, Some(context)).await {
            done = Err(Error::from(error).into());
        }
    }
    open.end(done).await
}

impl<C: Asynchronous> AuditedTransactionBuilder<'_, C, Awaited> {
    /// Runs `work` in the transaction. Commits if it returns `Ok` and rolls back if it
    /// returns `Err`.
    ///
    /// # Errors
    ///
    /// Returns `AlreadyInTransaction` inside an open transaction, before anything is sent:
    /// an isolation level applies to a whole transaction, not to a savepoint.
    pub async fn run<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        F: TransactionWork<C, T, E>,
        T: Send,
        E: From<Error> + Send,
    {
        let begin = self.sql();
        let context = self.context.clone();
        let setting = self.setting();
        let open = Open::begin_as(self.connection, &begin, setting.as_deref()).await?;
        run(open, context, work).await
    }
}

/// Runs the work of a transaction in its span.
async fn watched<'o, C, Work>(
    open: &'o mut Open<'_, C>,
    work: impl FnOnce(&'o mut C) -> Work,
) -> Work::Output
where
    C: Asynchronous,
    Work: Future,
{
    match open.watched() {
        Some(watched) => watched.poll(work(open.conn())).await,
        None => work(open.conn()).await,
    }
}
