//! The pool, and how a handler uses it.

use diesel::PgConnection;
use diesel::r2d2::{ConnectionManager, Pool, PooledConnection};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use threadline::AuditContext;
use tokio::task::spawn_blocking;

use crate::error::ApiError;
use crate::models::audited;

pub type DbPool = Pool<ConnectionManager<PgConnection>>;
pub type DbConnection = PooledConnection<ConnectionManager<PgConnection>>;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

#[derive(Debug, Clone)]
pub struct App {
    pool: DbPool,
}

impl App {
    /// Migrates the database: its own tables, then their audit. Several processes may
    /// start at once.
    pub fn open(database_url: &str, connections: u32) -> Result<Self, Box<dyn std::error::Error>> {
        let pool: DbPool = Pool::builder()
            .max_size(connections)
            .build(ConnectionManager::new(database_url))?;
        let conn = &mut pool.get()?;
        threadline::run_pending_migrations(conn, &MIGRATIONS).map_err(|error| error.to_string())?;
        audited().install(conn)?;
        Ok(Self { pool })
    }

    /// The pool, for what brings its own handlers.
    pub fn pool(&self) -> DbPool {
        self.pool.clone()
    }

    /// Runs blocking work with a connection, in the context of the request.
    pub async fn db<T, F>(&self, work: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&mut DbConnection) -> Result<T, ApiError> + Send + 'static,
    {
        let pool = self.pool.clone();
        spawn_blocking(AuditContext::carry(move || work(&mut pool.get()?))).await?
    }
}
