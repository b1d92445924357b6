//! An invoicing service with a year behind it: `year.rs` makes the year,
//! `billing.rs` is what the service does, `incident.rs` finds out what went
//! wrong. The tables are audited at start-up, by `Models::install`.

pub mod billing;
pub mod incident;
pub mod models;
pub mod schema;
pub mod year;

use std::error::Error;

use diesel::{Connection, PgConnection};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// A connection to a database that is brought up to date first: the service's
/// own tables, then their audit.
pub fn open(database_url: &str) -> Result<PgConnection, Box<dyn Error>> {
    let mut conn = PgConnection::establish(database_url)?;
    conn.run_pending_migrations(MIGRATIONS)
        .map_err(|error| error.to_string())?;
    models::audited().install(&mut conn)?;
    Ok(conn)
}
