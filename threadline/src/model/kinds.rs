//! Whether the type of a column can contain a secret.

use diesel::expression::QueryMetadata;
use diesel::pg::{Pg, PgMetadataLookup, PgTypeMetadata};

/// The kind of value that a column can contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ColumnKind {
    /// A boolean or a time, which is not a secret.
    Fact,
    /// A number, which is rarely a secret.
    Number,
    /// A UUID, which can be an identifier or a secret.
    Uuid,
    /// Any value.
    Any,
}

impl ColumnKind {
    /// Returns the kinds of the columns of a row of type `ST`, in order.
    pub(crate) fn of_all<ST>() -> Vec<Self>
    where
        Pg: QueryMetadata<ST>,
    {
        let mut columns = vec![];
        <Pg as QueryMetadata<ST>>::row_metadata(&mut NoServer, &mut columns);
        let kind = |column: Option<PgTypeMetadata>| {
            let oid = column.and_then(|column| column.oid().ok());
            oid.map_or(Self::Any, Self::of)
        };
        columns.into_iter().map(kind).collect()
    }

    /// Returns the kind of a built-in type, by its OID in `pg_type.dat`.
    fn of(oid: u32) -> Self {
        match oid {
            // bool, date, time, timestamp, timestamptz, interval, timetz
            16 | 1082 | 1083 | 1114 | 1184 | 1186 | 1266 => Self::Fact,
            // int8, int2, int4, float4, float8, numeric
            20 | 21 | 23 | 700 | 701 | 1700 => Self::Number,
            2950 => Self::Uuid,
            _ => Self::Any,
        }
    }
}

/// Types of the application have no OID without a server.
struct NoServer;

impl PgMetadataLookup for NoServer {
    fn lookup_type(&mut self, _: &str, _: Option<&str>) -> PgTypeMetadata {
        PgTypeMetadata::new(0, 0)
    }
}
