//! The pool, and the callers.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::AsyncDieselConnectionManager;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use threadline::{ActorRef, ActorType};

use crate::error::ApiError;
use crate::models::audited;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

#[derive(Clone)]
pub struct App {
    pool: Pool<AsyncPgConnection>,
    /// A real service verifies a signature, or queries its database.
    tokens: Arc<HashMap<String, ActorRef>>,
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

impl App {
    /// Migrates the database: its own tables, then their audit. Several processes may
    /// start at once.
    pub async fn open(
        database_url: String,
        tokens: HashMap<String, ActorRef>,
        connections: usize,
    ) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let manager = AsyncDieselConnectionManager::new(database_url);
        let pool = Pool::builder(manager).max_size(connections).build()?;
        let mut conn = pool.get().await?;
        threadline::run_pending_migrations(&mut conn, &MIGRATIONS).await?;
        audited().install(&mut conn).await?;
        drop(conn);
        let tokens = Arc::new(tokens);
        Ok(Self { pool, tokens })
    }

    pub async fn conn(&self) -> Result<Object<AsyncPgConnection>, ApiError> {
        Ok(self.pool.get().await?)
    }

    /// Returns the sender of a request; none without a known token.
    pub fn caller(&self, headers: &HeaderMap) -> Option<ActorRef> {
        let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
        self.tokens.get(header.strip_prefix("Bearer ")?).cloned()
    }

    /// Returns whether a caller may read the audit.
    pub fn is_admin(caller: &ActorRef) -> bool {
        *caller.actor_type() == ActorType::Admin
    }
}
