use diesel::PgConnection;

use threadline::{Error, unmasked};

/// What the policy hides now, for a reason.
#[derive(Debug, clap::Args)]
pub(crate) struct Unmasked {
    /// Show values recorded before their column was masked or excluded; says why, and is recorded
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
            Some(reason) => unmasked(conn, reason, read),
            None => read(conn),
        }
    }
}
