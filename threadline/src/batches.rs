//! Work that the schema does in batches, each call in its own transaction.

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable};

use crate::connection::AuditConnection;
use crate::error::Error;
use crate::{on_own_terms, run};

/// A query that does one batch and returns its size as `done`, or NULL if nothing was left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batches<'a>(pub(crate) &'a str);

#[derive(QueryableByName)]
struct Batch {
    #[diesel(sql_type = Nullable<BigInt>)]
    done: Option<i64>,
}

impl Batch {
    fn size(&self) -> Option<u64> {
        self.done.map(i64::unsigned_abs)
    }
}

impl Batches<'_> {
    /// Does one batch [on its own terms](on_own_terms).
    pub(crate) async fn one<C: AuditConnection>(self, conn: &mut C) -> Result<Option<u64>, Error> {
        let batch: Batch = on_own_terms::one(conn, diesel::sql_query(self.0)).await?;
        Ok(batch.size())
    }

    /// Does one batch within the caller's settings, unless that fails.
    pub(crate) async fn perhaps_one<C: AuditConnection>(self, conn: &mut C) -> Option<u64> {
        let batch: Batch = run::one(conn, diesel::sql_query(self.0)).await.ok()?;
        batch.size()
    }

    /// Does such batches until nothing is left, and returns the sum of their sizes.
    pub(crate) async fn all<C: AuditConnection>(self, conn: &mut C) -> Result<u64, Error> {
        let mut done = 0;
        while let Some(batch) = self.one(conn).await? {
            done += batch;
        }
        Ok(done)
    }
}
