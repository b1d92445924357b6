//! Work that the schema does in batches, each call in its own transaction.

use diesel::QueryableByName;
use diesel::sql_types::BigInt;

use crate::connection::AuditConnection;
use crate::error::Error;
use crate::run;

/// A query that does one batch and returns its size as `done`. A size of 0 means that
/// nothing is left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batches<'a>(pub(crate) &'a str);

#[derive(QueryableByName)]
struct Batch {
    #[diesel(sql_type = BigInt)]
    done: i64,
}

impl Batches<'_> {
    pub(crate) async fn one<C: AuditConnection>(self, conn: &mut C) -> Result<u64, Error> {
        let batch: Batch = run::read_one(conn, diesel::sql_query(self.0)).await?;
        Ok(batch.done.unsigned_abs())
    }

    /// Does one batch, unless that fails.
    pub(crate) async fn perhaps_one<C: AuditConnection>(self, conn: &mut C) -> Option<u64> {
        let batch: Batch = run::one(conn, diesel::sql_query(self.0)).await.ok()?;
        Some(batch.done.unsigned_abs())
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
