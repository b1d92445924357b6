use std::marker::PhantomData;

use diesel::result::Error;

use super::Open;
use crate::connection::{BlockingConnection, ready};
use crate::context::{AuditContext, Origin};

/// Builds a transaction whose changes are recorded under a context.
/// [`AuditExt::build_audited_transaction`](crate::AuditExt::build_audited_transaction)
/// returns it.
///
/// It has the options of Diesel's [`TransactionBuilder`](diesel::pg::TransactionBuilder)
/// and costs no further round trip, because the context is sent in the same message as
/// `BEGIN`. In a transaction that is `serializable` or `repeatable_read`, this message
/// takes the snapshot.
#[derive(Debug)]
#[must_use = "the transaction does nothing until you call `run`"]
pub struct AuditedTransactionBuilder<'a, C, Kind = ()> {
    pub(super) connection: &'a mut C,
    pub(super) context: Option<AuditContext>,
    isolation_level: &'static str,
    read_mode: &'static str,
    deferrable: &'static str,
    kind: PhantomData<Kind>,
}

/// Marks a transaction that is awaited, on a connection of diesel-async.
#[cfg(feature = "diesel-async")]
#[derive(Debug, Clone, Copy)]
pub struct Awaited;

impl<'a, C, Kind> AuditedTransactionBuilder<'a, C, Kind> {
    /// Uses the current context of the thread if `context` is `None`.
    pub(super) fn new(connection: &'a mut C, context: Option<AuditContext>) -> Self {
        Self {
            connection,
            context,
            isolation_level: "",
            read_mode: "",
            deferrable: "",
            kind: PhantomData,
        }
    }

    /// Makes the transaction `READ ONLY`.
    pub fn read_only(mut self) -> Self {
        self.read_mode = " READ ONLY";
        self
    }

    /// Makes the transaction `READ WRITE`. This is the default unless the settings of the
    /// server differ.
    pub fn read_write(mut self) -> Self {
        self.read_mode = " READ WRITE";
        self
    }

    /// Makes the transaction `DEFERRABLE`. A serializable, read-only transaction then waits
    /// until it can run without being cancelled.
    pub fn deferrable(mut self) -> Self {
        self.deferrable = " DEFERRABLE";
        self
    }

    /// Makes the transaction `NOT DEFERRABLE`. This is the default.
    pub fn not_deferrable(mut self) -> Self {
        self.deferrable = " NOT DEFERRABLE";
        self
    }

    /// Sets the isolation level `READ COMMITTED`. This is the default unless the settings
    /// of the server differ.
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

    /// Returns the setting of its context, or of the current one.
    pub(super) fn setting(&self) -> Option<String> {
        match &self.context {
            Some(context) => Some(context.to_setting(Origin::Explicit)),
            None => AuditContext::current_setting(),
        }
    }

    pub(super) fn sql(&self) -> String {
        let Self {
            isolation_level,
            read_mode,
            deferrable,
            ..
        } = self;
        format!("BEGIN TRANSACTION{isolation_level}{read_mode}{deferrable}")
    }
}

impl<C: BlockingConnection> AuditedTransactionBuilder<'_, C> {
    /// Runs `work` in the transaction. Commits if it returns `Ok` and rolls back if it
    /// returns `Err`.
    ///
    /// # Errors
    ///
    /// Returns `AlreadyInTransaction` inside an open transaction, before anything is sent:
    /// an isolation level applies to a whole transaction, not to a savepoint.
    pub fn run<T, E, F>(&mut self, work: F) -> Result<T, E>
    where
        F: FnOnce(&mut C) -> Result<T, E>,
        E: From<Error>,
    {
        let _guard = self
            .context
            .as_ref()
            .map(|context| context.enter_as(Origin::Explicit));
        let setting = self.setting();
        let begin = self.sql();
        let mut open = ready(Open::begin_as(self.connection, &begin, setting.as_deref()))?;
        let done = open.work(work);
        ready(open.end(done))
    }
}
