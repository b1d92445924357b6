use diesel::connection::{Connection, TransactionManager, TransactionManagerStatus};
use diesel::result::QueryResult;

use super::AuditedConnection;
use crate::connection::{BlockingConnection, ready};
use crate::context::AuditContext;
use crate::transactions::open::{begin_under, replace_context, restore_context};

/// The transactions of an [`AuditedConnection`]: those of the connection inside it, under
/// the current context.
#[derive(Debug)]
pub struct AuditedTransactionManager {
    _private: (),
}

/// Where on a connection something is about to happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In no transaction.
    Outside,
    /// In a transaction of a test, which stands for none.
    Test,
    /// In a transaction.
    Inside,
}

impl Place {
    pub(super) fn of<C: Connection>(conn: &mut C) -> Self {
        match C::TransactionManager::transaction_manager_status_mut(conn) {
            TransactionManagerStatus::Valid(status) => match &status.in_transaction {
                None => Self::Outside,
                Some(open) if open.test_transaction && open.transaction_depth.get() == 1 => {
                    Self::Test
                }
                Some(_) => Self::Inside,
            },
            // Nothing can be begun, which Diesel says.
            TransactionManagerStatus::InError => Self::Inside,
        }
    }
}

type Inner<C> = <C as Connection>::TransactionManager;

impl<C: BlockingConnection> TransactionManager<AuditedConnection<C>> for AuditedTransactionManager {
    type TransactionStateData = <Inner<C> as TransactionManager<C>>::TransactionStateData;

    fn begin_transaction(conn: &mut AuditedConnection<C>) -> QueryResult<()> {
        let inner = &mut conn.inner;
        let place = Place::of(inner);
        if place == Place::Inside {
            return Inner::<C>::begin_transaction(inner);
        }
        let Some(setting) = AuditContext::current_setting() else {
            return Inner::<C>::begin_transaction(inner);
        };
        if place == Place::Outside {
            return ready(begin_under(inner, "BEGIN", &setting));
        }
        Inner::<C>::begin_transaction(inner)?;
        match ready(replace_context(inner, &setting)) {
            Ok(outer) => {
                conn.outer = Some(outer);
                Ok(())
            }
            Err(error) => {
                let _ = Inner::<C>::rollback_transaction(inner);
                Err(error)
            }
        }
    }

    fn rollback_transaction(conn: &mut AuditedConnection<C>) -> QueryResult<()> {
        Inner::<C>::rollback_transaction(&mut conn.inner)?;
        if Place::of(&mut conn.inner) != Place::Inside {
            // The rollback to the savepoint took the context back.
            conn.outer = None;
        }
        Ok(())
    }

    fn commit_transaction(conn: &mut AuditedConnection<C>) -> QueryResult<()> {
        let committed = Inner::<C>::commit_transaction(&mut conn.inner);
        let outer = match Place::of(&mut conn.inner) {
            Place::Inside => None,
            Place::Outside | Place::Test => conn.outer.take(),
        };
        committed?;
        match outer {
            Some(outer) => ready(restore_context(&mut conn.inner, &outer)),
            None => Ok(()),
        }
    }

    fn transaction_manager_status_mut(
        conn: &mut AuditedConnection<C>,
    ) -> &mut TransactionManagerStatus {
        Inner::<C>::transaction_manager_status_mut(&mut conn.inner)
    }
}
