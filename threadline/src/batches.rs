//! Work that the schema does in batches, each call in its own transaction.

use diesel::QueryableByName;
use diesel::result::QueryResult;
use diesel::sql_types::BigInt;

use crate::connection::AuditConnection;
use crate::error::Error;
use crate::run;

/// A query that does one batch and returns its size as `done`. A size of 0 means that
/// nothing is left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batches<'a>(pub(crate) &'a str);

/// What a role or a database sets for the requests of the application would stop work that grows
/// while nobody does it. PostgreSQL has `transaction_timeout` since version 17.
const OWN_TERMS: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_catalog.set_config(name, '0', true) \
    FROM pg_catalog.unnest('{statement_timeout,transaction_timeout}'::text[]) AS name \
    WHERE pg_catalog.current_setting(name, true) IS NOT NULL";

#[derive(QueryableByName)]
struct Batch {
    #[diesel(sql_type = BigInt)]
    done: i64,
}

/// A transaction that is undone if its future is dropped.
struct Unfinished<'c, C: AuditConnection> {
    conn: &'c mut C,
    undo: bool,
}

impl<C: AuditConnection> Unfinished<'_, C> {
    async fn batch(&mut self, batches: Batches<'_>) -> QueryResult<Batch> {
        self.conn.begin_with(OWN_TERMS).await?;
        let done = run::one(self.conn, diesel::sql_query(batches.0)).await;
        match done {
            Ok(batch) => self.conn.commit().await.map(|()| batch),
            Err(error) => {
                // The error of the batch says more.
                let _ = self.conn.roll_back().await;
                Err(error)
            }
        }
    }
}

impl<C: AuditConnection> Drop for Unfinished<'_, C> {
    fn drop(&mut self) {
        if self.undo {
            self.conn.abandon("ROLLBACK");
        }
    }
}

impl Batches<'_> {
    pub(crate) async fn one<C: AuditConnection>(self, conn: &mut C) -> Result<u64, Error> {
        let batch: Batch = run::read_one(conn, diesel::sql_query(self.0)).await?;
        Ok(batch.done.unsigned_abs())
    }

    /// Does one batch, which neither a timeout nor the isolation level of the role or the database
    /// prevents.
    pub(crate) async fn one_on_own_terms<C: AuditConnection>(
        self,
        conn: &mut C,
    ) -> Result<u64, Error> {
        if !matches!(conn.status().transaction_depth(), Ok(None)) {
            return self.one(conn).await;
        }
        let mut open = Unfinished { conn, undo: true };
        let done = open.batch(self).await;
        open.undo = false;
        let batch = run::understood(open.conn, done).await?;
        Ok(batch.done.unsigned_abs())
    }

    /// Does one batch, unless that fails.
    pub(crate) async fn perhaps_one<C: AuditConnection>(self, conn: &mut C) -> Option<u64> {
        let batch: Batch = run::one(conn, diesel::sql_query(self.0)).await.ok()?;
        Some(batch.done.unsigned_abs())
    }

    /// Does such batches until nothing is left.
    pub(crate) async fn all_on_own_terms<C: AuditConnection>(
        self,
        conn: &mut C,
    ) -> Result<u64, Error> {
        let mut done = 0;
        loop {
            let batch = self.one_on_own_terms(conn).await?;
            done += batch;
            if batch == 0 {
                return Ok(done);
            }
        }
    }

    /// Does batches until nothing is left.
    pub(crate) async fn all<C: AuditConnection>(self, conn: &mut C) -> Result<u64, Error> {
        let mut done = 0;
        loop {
            let batch = self.one(conn).await?;
            done += batch;
            if batch == 0 {
                return Ok(done);
            }
        }
    }
}
