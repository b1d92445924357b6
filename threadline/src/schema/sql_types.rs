//! SQL types of the audit that Diesel does not define.

use diesel::deserialize::{self, FromSql};
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryId;
use diesel::sql_types::SqlType;

/// PostgreSQL's `xid8`, a full transaction id. Read it as a [`u64`].
#[derive(Debug, Clone, Copy, Default, QueryId, SqlType)]
#[diesel(postgres_type(name = "xid8", schema = "pg_catalog"))]
pub struct Xid8;

impl FromSql<Xid8, Pg> for u64 {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let bytes = value.as_bytes().try_into()?;
        Ok(u64::from_be_bytes(bytes))
    }
}
