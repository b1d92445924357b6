//! Reads values from the database.

use diesel::sql_types::{BigInt, Text};
use diesel::{PgConnection, QueryableByName, RunQueryDsl};

/// Returns the number that a query selects as `n`.
pub(crate) fn number(conn: &mut PgConnection, sql: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = BigInt)]
        n: i64,
    }
    diesel::sql_query(sql)
        .get_result::<Row>(conn)
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
        .n
}

/// Returns the text that a query selects as `t`.
pub(crate) fn text(conn: &mut PgConnection, sql: &str) -> String {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        t: String,
    }
    diesel::sql_query(sql)
        .get_result::<Row>(conn)
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
        .t
}
