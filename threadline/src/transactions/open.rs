use std::num::NonZeroU32;

use diesel::QueryableByName;
use diesel::pg::Pg;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::{Error, QueryResult};
use diesel::sql_types::{Nullable, Text, Untyped};

use crate::connection::AuditConnection;
use crate::run;
use crate::sql::Literal;
use crate::telemetry::Transaction;

/// A transaction, or a savepoint in one, from its beginning until [`end`](Self::end).
///
/// A panic in between undoes it, and so does a future that is dropped, because its request was
/// cancelled: the server receives the rollback before anything sent later on the connection. An
/// asynchronous connection is broken from then on, so that nothing commits the rest. Until an
/// outer transaction notices, its statements run under its own context.
#[derive(Debug)]
pub(crate) struct Open<'c, C: AuditConnection> {
    conn: &'c mut C,
    /// Whether it is still to be ended.
    is_open: bool,
    /// The depth of the transactions around it.
    around: Option<NonZeroU32>,
    /// The context that a nested context hides.
    outer: Option<OuterContext>,
    /// Reports a transaction under a context, until it has ended.
    watched: Option<Transaction>,
}

impl<'c, C: AuditConnection> Open<'c, C> {
    /// Begins a transaction, under a context if there is a setting.
    pub(crate) async fn begin(conn: &'c mut C, setting: Option<&str>) -> QueryResult<Self> {
        let mut open = Self::around(conn)?;
        open.watched = setting.map(|_| Transaction::begin());
        match setting {
            Some(setting) if open.is_outermost()? => open.begin_with("BEGIN", setting).await?,
            Some(setting) => {
                open.begin_savepoint().await?;
                open.replace_context(setting).await?;
            }
            None => open.begin_savepoint().await?,
        }
        Ok(open)
    }

    /// Begins a transaction with the given SQL, which is not possible for a savepoint.
    pub(crate) async fn begin_as(
        conn: &'c mut C,
        begin: &str,
        setting: Option<&str>,
    ) -> QueryResult<Self> {
        let mut open = Self::around(conn)?;
        if !open.is_outermost()? {
            open.is_open = false;
            return Err(Error::AlreadyInTransaction);
        }
        open.watched = Some(Transaction::begin());
        match setting {
            Some(setting) => open.begin_with(begin, setting).await?,
            None => {
                let begun = open.conn.begin_with(begin).await;
                open.unless_failed(begun)?;
            }
        }
        Ok(open)
    }

    fn around(conn: &'c mut C) -> QueryResult<Self> {
        let around = conn.status().transaction_depth()?;
        Ok(Self {
            conn,
            is_open: true,
            around,
            outer: None,
            watched: None,
        })
    }

    pub(crate) fn conn(&mut self) -> &mut C {
        self.conn
    }

    /// Returns the reporter for the time that its work takes.
    #[cfg(feature = "diesel-async")]
    pub(super) fn watched(&self) -> Option<Transaction> {
        self.watched.clone()
    }

    /// Runs its work in its span.
    pub(super) fn work<T>(&mut self, work: impl FnOnce(&mut C) -> T) -> T {
        match &self.watched {
            Some(watched) => watched.run(|| work(self.conn)),
            None => work(self.conn),
        }
    }

    fn is_outermost(&mut self) -> QueryResult<bool> {
        Ok(self.conn.status().transaction_depth()?.is_none())
    }

    /// Begins a transaction and sets its context, in one message.
    async fn begin_with(&mut self, begin: &str, setting: &str) -> QueryResult<()> {
        let begun = begin_under(self.conn, begin, setting).await;
        self.unless_failed(begun)
    }

    async fn begin_savepoint(&mut self) -> QueryResult<()> {
        let begun = self.conn.begin().await;
        self.unless_failed(begun)
    }

    async fn replace_context(&mut self, setting: &str) -> QueryResult<()> {
        match replace_context(self.conn, setting).await {
            Ok(outer) => {
                self.outer = Some(outer);
                Ok(())
            }
            Err(error) => {
                let _ = self.conn.roll_back().await;
                self.is_open = false;
                Err(error)
            }
        }
    }

    /// A transaction that failed to begin needs no end.
    fn unless_failed(&mut self, begun: QueryResult<()>) -> QueryResult<()> {
        if begun.is_err() {
            self.is_open = false;
        }
        begun
    }

    /// Commits on success and rolls back on failure, as Diesel's `transaction` does.
    pub(crate) async fn end<T, E>(mut self, done: Result<T, E>) -> Result<T, E>
    where
        E: From<Error>,
    {
        let done = match (done, self.outer.take()) {
            // RELEASE does not restore the outer context. After an error, the rollback to
            // the savepoint does.
            (Ok(value), Some(outer)) => match restore_context(self.conn, &outer).await {
                Ok(()) => Ok(value),
                Err(error) => Err(error.into()),
            },
            (done, _) => done,
        };
        let ended = match done {
            Ok(value) => match self.conn.commit().await {
                Ok(()) => Ok(value),
                Err(error) => Err(error.into()),
            },
            Err(error) => match self.conn.roll_back().await {
                Ok(()) | Err(Error::BrokenTransactionManager) => Err(error),
                Err(rollback_error) => Err(rollback_error.into()),
            },
        };
        if self.conn.status().transaction_depth().is_ok() {
            self.is_open = false;
        }
        if let Some(watched) = self.watched.take() {
            watched.ended(&ended);
        }
        ended
    }
}

impl<C: AuditConnection> Drop for Open<'_, C> {
    fn drop(&mut self) {
        if self.is_open {
            self.conn.abandon(self.around);
        }
        if let Some(watched) = self.watched.take() {
            watched.was_left();
        }
    }
}

/// Begins a transaction and sets its context, in one message.
pub(super) async fn begin_under<C>(conn: &mut C, begin: &str, setting: &str) -> QueryResult<()>
where
    C: AuditConnection,
{
    let sql = format!("{begin}; {}", set_context(setting));
    let begun = conn.begin_with(&sql).await;
    if !matches!(begun, Ok(()) | Err(Error::AlreadyInTransaction)) {
        // If the batch fails half-way, the server is in a failed transaction that Diesel
        // does not know of.
        let _ = conn.batch("ROLLBACK").await;
    }
    begun
}

/// The start of a context: the time at which its transaction began. A context that a
/// session keeps after the transaction carries another time and is ignored.
const STAMP: &str = "EXTRACT(epoch FROM pg_catalog.now()), ' '";

/// Returns the statement that sets the context of the open transaction.
pub(super) fn set_context(setting: &str) -> String {
    format!(
        "SELECT pg_catalog.set_config('threadline.context', pg_catalog.concat({STAMP}, {}), true)",
        Literal(setting)
    )
}

/// The settings that a nested context hides. They include the AuditTransaction that was
/// open, so that the outer transaction continues with it.
#[derive(Debug, QueryableByName)]
pub(super) struct OuterContext {
    #[diesel(sql_type = Nullable<Text>)]
    context: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    transaction: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    transaction_context: Option<String>,
}

pub(super) async fn replace_context<C: AuditConnection>(
    conn: &mut C,
    setting: &str,
) -> QueryResult<OuterContext> {
    run::one(conn, replace_query(setting)).await
}

pub(super) async fn restore_context<C: AuditConnection>(
    conn: &mut C,
    outer: &OuterContext,
) -> QueryResult<()> {
    conn.count_of(restore_query(outer)).await.map(|_| ())
}

/// Returns the query that sets another context and returns the [`OuterContext`].
pub(super) fn replace_query(
    setting: &str,
) -> impl Query<SqlType = Untyped> + QueryFragment<Pg> + QueryId + Send + use<'_> {
    diesel::sql_query(format!(
        "SELECT pg_catalog.current_setting('threadline.context', true) AS context, \
                pg_catalog.current_setting('threadline.transaction', true) AS transaction, \
                pg_catalog.current_setting('threadline.transaction_context', true) AS transaction_context, \
                pg_catalog.set_config('threadline.context', pg_catalog.concat({STAMP}, $1), true)",
    ))
    .bind::<Text, _>(setting)
}

/// Returns the query that restores the outer context.
pub(super) fn restore_query(
    outer: &OuterContext,
) -> impl QueryFragment<Pg> + QueryId + Send + use<'_> {
    diesel::sql_query(
        "SELECT pg_catalog.set_config('threadline.context', coalesce($1, ''), true), \
                pg_catalog.set_config('threadline.transaction', coalesce($2, ''), true), \
                pg_catalog.set_config('threadline.transaction_context', coalesce($3, ''), true)",
    )
    .bind::<Nullable<Text>, _>(&outer.context)
    .bind::<Nullable<Text>, _>(&outer.transaction)
    .bind::<Nullable<Text>, _>(&outer.transaction_context)
}
