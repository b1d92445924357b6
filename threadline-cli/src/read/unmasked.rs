use diesel::PgConnection;

use threadline::{ActorRef, AuditContext, Error, unmasked};

/// The argument that shows values that the policy hides now.
#[derive(Debug, clap::Args)]
pub(crate) struct Unmasked {
    /// Show values recorded before their column was masked or excluded; the reason is recorded
    #[arg(long, value_name = "REASON")]
    unmasked: Option<String>,
}

impl Unmasked {
    pub(super) fn read<T>(
        self,
        conn: &mut PgConnection,
        read: impl FnOnce(&mut PgConnection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match self.unmasked {
            Some(reason) => {
                let context = AuditContext::builder(ActorRef::anonymous())
                    .source("threadline")
                    .build()?;
                context.scope(|| unmasked(conn, reason, read))
            }
            None => read(conn),
        }
    }
}
