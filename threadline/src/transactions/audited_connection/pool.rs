use diesel::QueryResult;
use diesel::r2d2::{CustomizeConnection, R2D2Connection};

use super::AuditedConnection;
use super::by_hand::ByHand;
use crate::connection::BlockingConnection;

impl<C> R2D2Connection for AuditedConnection<C>
where
    C: BlockingConnection + R2D2Connection,
{
    fn ping(&mut self) -> QueryResult<()> {
        self.inner.ping()
    }

    fn is_broken(&mut self) -> bool {
        self.by_hand != ByHand::Closed || self.inner.is_broken()
    }
}

/// Enables the context in autocommit on each connection of a pool. Pass it to
/// `Pool::builder().connection_customizer(…)`. See
/// [`AuditedConnection::autocommit_in_context`].
#[derive(Debug, Clone, Copy, Default)]
pub struct AutocommitInContext;

impl<C> CustomizeConnection<AuditedConnection<C>, diesel::r2d2::Error> for AutocommitInContext
where
    C: BlockingConnection + 'static,
{
    fn on_acquire(&self, conn: &mut AuditedConnection<C>) -> Result<(), diesel::r2d2::Error> {
        conn.autocommit_in_context(true);
        Ok(())
    }
}
