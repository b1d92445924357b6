use diesel::connection::CacheSize;
use diesel::{Connection, ConnectionResult, PgConnection};

use crate::error::Error;

/// Which database.
#[derive(Debug, clap::Args)]
pub(super) struct Database {
    /// Where the database is, as in postgres://user@host/name
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: String,
}

impl Database {
    pub(super) fn connect(&self) -> Result<PgConnection, Error> {
        Ok(self.establish()?)
    }

    pub(super) fn establish(&self) -> ConnectionResult<PgConnection> {
        let mut conn = PgConnection::establish(&self.database_url)?;
        // Behind a transaction pooler the next statement may reach another session, which
        // does not know a named one, or knows the name already.
        conn.set_prepared_statement_cache_size(CacheSize::Disabled);
        Ok(conn)
    }
}
