//! An invoicing service with one year of data: `year.rs` creates the year, `billing.rs`
//! has the operations of the service, `incident.rs` finds the cause of an incident. The
//! tables are audited at start-up, by `Models::install`.

pub mod billing;
pub mod incident;
pub mod models;
pub mod schema;
pub mod year;

use std::error::Error;

use diesel::{Connection, PgConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// Returns a connection to a database that is migrated first: the service's own tables,
/// then their audit.
pub fn open(database_url: &str) -> Result<PgConnection, Box<dyn Error>> {
    let mut conn = PgConnection::establish(database_url)?;
    conn.run_pending_migrations(MIGRATIONS)
        .map_err(|error| error.to_string())?;
    models::audited().install(&mut conn)?;
    Ok(conn)
}
