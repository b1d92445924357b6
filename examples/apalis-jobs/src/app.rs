//! The pool, and how a job uses it.

use apalis::prelude::BoxDynError;
use diesel::PgConnection;
use diesel::r2d2::{ConnectionManager, Pool, PooledConnection};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use threadline::AuditContext;
use tokio::task::spawn_blocking;

use crate::models::audited;

pub type DbPool = Pool<ConnectionManager<PgConnection>>;
pub type DbConnection = PooledConnection<ConnectionManager<PgConnection>>;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

#[derive(Debug, Clone)]
pub struct App {
    pool: DbPool,
}

impl App {
    /// Migrates the database: its own tables, then their audit.
    pub fn open(database_url: &str) -> Result<Self, BoxDynError> {
        let pool: DbPool = Pool::builder()
            .max_size(4)
            .build(ConnectionManager::new(database_url))?;
        let conn = &mut pool.get()?;
        threadline::run_pending_migrations(conn, &MIGRATIONS)?;
        audited().install(conn)?;
        Ok(Self { pool })
    }

    /// Runs blocking work with a connection, in the context of the job.
    pub async fn db<T, F>(&self, work: F) -> Result<T, BoxDynError>
    where
        T: Send + 'static,
        F: FnOnce(&mut DbConnection) -> Result<T, BoxDynError> + Send + 'static,
    {
        let pool = self.pool.clone();
        spawn_blocking(AuditContext::carry(move || work(&mut pool.get()?))).await?
    }
}
