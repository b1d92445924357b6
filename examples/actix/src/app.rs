//! The pool, and how a handler uses it.

use actix_web::web;
use diesel::PgConnection;
use diesel::r2d2::{ConnectionManager, Pool};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use threadline::{AuditContext, AuditedConnection, AutocommitInContext};

use crate::error::ApiError;
use crate::models::audited;

/// A connection whose transactions and statements carry the current context, so that code on
/// it is plain Diesel.
pub type DbConnection = AuditedConnection<PgConnection>;
pub type DbPool = Pool<ConnectionManager<DbConnection>>;

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
            .connection_customizer(Box::new(AutocommitInContext))
            .build(ConnectionManager::new(database_url))?;
        let conn = &mut *pool.get()?;
        threadline::run_pending_migrations(conn, &MIGRATIONS).map_err(|error| error.to_string())?;
        audited().install(conn)?;
        Ok(Self { pool })
    }

    /// Runs blocking work with a connection, in the context of the request.
    pub async fn db<T, F>(&self, work: F) -> Result<T, ApiError>
    where
        T: Send + 'static,
        F: FnOnce(&mut DbConnection) -> Result<T, ApiError> + Send + 'static,
    {
        let pool = self.pool.clone();
        web::block(AuditContext::carry(move || work(&mut *pool.get()?))).await?
    }
}
