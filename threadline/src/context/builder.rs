use diesel::result::{Error, QueryResult};

use super::transaction::{begin_under, finish};
use super::{AuditConnection, AuditContext, Origin};
use crate::telemetry;

/// Builds a transaction whose changes are recorded under a context; made by
/// [`AuditExt::build_audited_transaction`](crate::AuditExt::build_audited_transaction).
///
/// Does what Diesel's
/// [`TransactionBuilder`](diesel::pg::TransactionBuilder) does, at no further round
/// trip: the context goes with `BEGIN` in one message. In a transaction that is
/// `serializable` or `repeatable_read` the snapshot is taken then.
#[derive(Debug)]
#[must_use = "the transaction does nothing until you call `run`"]
pub struct AuditedTransactionBuilder<'a, C> {
    connection: &'a mut C,
    context: Option<AuditContext>,
    isolation_level: &'static str,
    read_mode: &'static str,
    deferrable: &'static str,
}

impl<'a, C> AuditedTransactionBuilder<'a, C> {
    /// Without a context it is the thread's current one.
    pub(super) fn new(connection: &'a mut C, context: Option<AuditContext>) -> Self {
        Self {
            connection,
            context,
            isolation_level: "",
            read_mode: "",
            deferrable: "",
        }
    }

    /// Makes the transaction `READ ONLY`.
    pub fn read_only(mut self) -> Self {
        self.read_mode = " READ ONLY";
        self
    }

    /// Makes the transaction `READ WRITE`: the default, unless the server's settings say
    /// otherwise.
    pub fn read_write(mut self) -> Self {
        self.read_mode = " READ WRITE";
        self
    }

    /// Makes the transaction `DEFERRABLE`: one that is serializable and read only waits
    /// until it can run without being cancelled.
    pub fn deferrable(mut self) -> Self {
        self.deferrable = " DEFERRABLE";
        self
    }

    /// Makes the transaction `NOT DEFERRABLE`: the default.
    pub fn not_deferrable(mut self) -> Self {
        self.deferrable = " NOT DEFERRABLE";
        self
    }

    /// Sets the isolation level `READ COMMITTED`: the default, unless the server's
    /// settings say otherwise.
    pub fn read_committed(mut self) -> Self {
        self.isolation_level = " ISOLATION LEVEL READ COMMITTED";
        self
    }

    /// Sets the isolation level `REPEATABLE READ`.
    pub fn repeatable_read(mut self) -> Self {
        self.isolation_level = " ISOLATION LEVEL REPEATABLE READ";
        self
    }

    /// Sets the isolation level `SERIALIZABLE`.
    pub fn serializable(mut self) -> Self {
        self.isolation_level = " ISOLATION LEVEL SERIALIZABLE";
        self
    }

    /// Runs `work` in the transaction, which is committed if it returns `Ok`, and rolled
    /// back if it returns `Err`.
    ///
    /// # Errors
    ///
    /// `AlreadyInTransaction` inside an open transaction, with nothing sent: an isolation
    /// level is chosen where a transaction begins, not for a savepoint.
    pub fn run<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        C: AuditConnection,
        F: FnOnce(&mut C) -> Result<T, E>,
        E: From<Error>,
    {
        let _guard = self
            .context
            .as_ref()
            .map(|context| context.enter_as(Origin::Explicit));
        let setting = match &self.context {
            Some(context) => Some(context.to_setting(Origin::Explicit)),
            None => AuditContext::current_setting(),
        };
        let watched = telemetry::Transaction::begin();
        let done = watched.run(|| {
            self.begin(setting.as_deref())?;
            finish(self.connection, work)
        });
        watched.ended(done)
    }

    fn begin(&mut self, setting: Option<&str>) -> QueryResult<()>
    where
        C: AuditConnection,
    {
        let Self {
            isolation_level,
            read_mode,
            deferrable,
            ..
        } = self;
        let begin = format!("BEGIN TRANSACTION{isolation_level}{read_mode}{deferrable}");
        match setting {
            Some(setting) => begin_under(self.connection, &begin, setting),
            None => self.connection.begin_transaction_sql(&begin),
        }
    }
}
