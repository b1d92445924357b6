use diesel::connection::{Connection, TransactionManager, TransactionManagerStatus};
use diesel::result::QueryResult;

use super::AuditedConnection;
use super::by_hand::ByHand;
use crate::connection::{AuditConnection, BlockingConnection, ready};
use crate::context::AuditContext;
use crate::telemetry::Transaction;
use crate::transactions::open::{begin_under, replace_context, restore_context};

/// Manages the transactions of an [`AuditedConnection`]: those of the connection inside it,
/// under the current context.
#[derive(Debug)]
pub struct AuditedTransactionManager {
    _private: (),
}

/// The transaction state of a connection before a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In no transaction.
    Outside,
    /// In the transaction of a test, which counts as no transaction.
    Test,
    /// In a transaction.
    Inside,
    /// On a connection on which no transaction can begin, because one was abandoned.
    Broken,
}

impl Place {
    pub(super) fn of<C: AuditConnection>(conn: &mut C) -> Self {
        match conn.status() {
            TransactionManagerStatus::Valid(status) => match &status.in_transaction {
                None => Self::Outside,
                Some(open) if open.test_transaction && open.transaction_depth.get() == 1 => {
                    Self::Test
                }
                Some(_) => Self::Inside,
            },
            TransactionManagerStatus::InError => Self::Broken,
        }
    }
}

/// Cleans up if the future is dropped while a transaction begins.
struct Beginning<'c, C: AuditConnection>(Option<&'c mut C>);

impl<C: AuditConnection> Drop for Beginning<'_, C> {
    fn drop(&mut self) {
        if let Some(conn) = self.0.take() {
            conn.abandon(None);
        }
    }
}

impl<C: AuditConnection> AuditedConnection<C> {
    /// Begins a transaction under the current context, or a savepoint.
    pub(super) async fn begin_in_context(&mut self) -> QueryResult<()> {
        let place = Place::of(&mut self.inner);
        let context = match place {
            // Diesel reports that no transaction can begin.
            Place::Inside | Place::Broken => None,
            Place::Outside | Place::Test => AuditContext::current_setting(),
        };
        let Some(setting) = context else {
            return self.inner.begin().await;
        };
        if place == Place::Outside {
            let watched = Transaction::begin();
            let mut beginning = Beginning(Some(&mut self.inner));
            let begun = match &mut beginning.0 {
                Some(inner) => begin_under(*inner, "BEGIN", &setting).await,
                None => Ok(()),
            };
            beginning.0 = None;
            match &begun {
                Ok(()) => self.watched = Some(watched),
                Err(_) => watched.ended(&begun),
            }
            return begun;
        }
        self.inner.begin().await?;
        match replace_context(&mut self.inner, &setting).await {
            Ok(outer) => {
                self.outer = Some(outer);
                Ok(())
            }
            Err(error) => {
                let _ = self.inner.roll_back().await;
                Err(error)
            }
        }
    }

    pub(super) async fn roll_back_in_context(&mut self) -> QueryResult<()> {
        self.inner.roll_back().await?;
        if matches!(Place::of(&mut self.inner), Place::Outside | Place::Test) {
            self.by_hand = ByHand::Closed;
            // The rollback to the savepoint restored the context.
            self.outer = None;
            if let Some(watched) = self.watched.take() {
                watched.was_rolled_back();
            }
        }
        Ok(())
    }

    pub(super) async fn commit_in_context(&mut self) -> QueryResult<()> {
        let committed = self.inner.commit().await;
        let outer = match Place::of(&mut self.inner) {
            Place::Inside | Place::Broken => None,
            Place::Outside | Place::Test => {
                // This ended one that was begun by hand, too.
                self.by_hand = ByHand::Closed;
                if let Some(watched) = self.watched.take() {
                    watched.ended(&committed);
                }
                self.outer.take()
            }
        };
        committed?;
        match outer {
            Some(outer) => restore_context(&mut self.inner, &outer).await,
            None => Ok(()),
        }
    }
}

type Inner<C> = <C as Connection>::TransactionManager;

impl<C: BlockingConnection> TransactionManager<AuditedConnection<C>> for AuditedTransactionManager {
    type TransactionStateData = <Inner<C> as TransactionManager<C>>::TransactionStateData;

    fn begin_transaction(conn: &mut AuditedConnection<C>) -> QueryResult<()> {
        ready(conn.begin_in_context())
    }

    fn rollback_transaction(conn: &mut AuditedConnection<C>) -> QueryResult<()> {
        ready(conn.roll_back_in_context())
    }

    fn commit_transaction(conn: &mut AuditedConnection<C>) -> QueryResult<()> {
        ready(conn.commit_in_context())
    }

    fn transaction_manager_status_mut(
        conn: &mut AuditedConnection<C>,
    ) -> &mut TransactionManagerStatus {
        Inner::<C>::transaction_manager_status_mut(&mut conn.inner)
    }
}
