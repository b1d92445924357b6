//! Work that the schema does a batch a call, each call in a transaction of its own.

use diesel::sql_types::BigInt;
use diesel::{QueryableByName, RunQueryDsl};

use crate::context::AuditConnection;
use crate::error::Error;

/// A query that does one batch and gives its size as `done`: 0 when nothing is left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batches<'a>(pub(crate) &'a str);

impl Batches<'_> {
    pub(crate) fn one<C: AuditConnection>(self, conn: &mut C) -> Result<u64, Error> {
        #[derive(QueryableByName)]
        struct Batch {
            #[diesel(sql_type = BigInt)]
            done: i64,
        }

        diesel::sql_query(self.0)
            .get_result::<Batch>(conn)
            .map(|batch| batch.done.unsigned_abs())
            .map_err(|error| Error::reading(conn, error))
    }

    /// Until nothing is left.
    pub(crate) fn all<C: AuditConnection>(self, conn: &mut C) -> Result<u64, Error> {
        let mut done = 0;
        loop {
            let batch = self.one(conn)?;
            done += batch;
            if batch == 0 {
                return Ok(done);
            }
        }
    }
}
