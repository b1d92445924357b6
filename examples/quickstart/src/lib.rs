//! A membership service of a small club. The audit is in `models.rs` (what is captured),
//! `club.rs` (who acts) and the generated folders in `migrations/`.

pub mod club;
pub mod models;
pub mod schema;

use diesel::PgConnection;
use diesel::r2d2::{ConnectionManager, Pool, PooledConnection};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};

pub type DbPool = Pool<ConnectionManager<PgConnection>>;
pub type DbConnection = PooledConnection<ConnectionManager<PgConnection>>;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// Returns a pool on a database that is migrated first.
pub fn open(database_url: &str) -> Result<DbPool, Box<dyn std::error::Error>> {
    let pool: DbPool = Pool::builder()
        .max_size(4)
        .build(ConnectionManager::new(database_url))?;
    // Diesel's own function fails when several processes start at once.
    threadline::run_pending_migrations(&mut pool.get()?, &MIGRATIONS)
        .map_err(|error| error.to_string())?;
    Ok(pool)
}
