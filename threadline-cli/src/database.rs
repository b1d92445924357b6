use diesel::connection::CacheSize;
use diesel::{Connection, ConnectionResult, PgConnection};

use crate::error::Error;

/// The database to connect to.
#[derive(Debug, clap::Args)]
pub(crate) struct Database {
    /// The URL of the database, such as postgres://user@host/name
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    database_url: Option<String>,
}

impl Database {
    pub(crate) fn connect(&self) -> Result<PgConnection, Error> {
        Ok(establish(self.url()?)?)
    }

    pub(crate) fn url(&self) -> Result<&str, Error> {
        let url = self.database_url.as_deref().filter(|url| !url.is_empty());
        url.ok_or_else(|| {
            Error::Message(
                "no database is named: set DATABASE_URL, in the environment or in a `.env` file here or above, or pass --database-url postgres://user@host/name".to_owned(),
            )
        })
    }
}

pub(crate) fn establish(url: &str) -> ConnectionResult<PgConnection> {
    let mut conn = PgConnection::establish(url)?;
    // Behind a transaction pooler the next statement may reach another session, in which a
    // named statement does not exist, or its name is already in use.
    conn.set_prepared_statement_cache_size(CacheSize::Disabled);
    Ok(conn)
}
