//! Reads values from the database, and loads data into it.

use diesel::connection::SimpleConnection;
use diesel::dsl::sql;
use diesel::sql_types::{BigInt, Text};
use diesel::{PgConnection, RunQueryDsl};

/// Returns the number that a query selects.
pub(crate) fn number(conn: &mut PgConnection, query: &str) -> i64 {
    let found = sql::<BigInt>(query).get_result(conn);
    found.unwrap_or_else(|error| panic!("{query}: {error}"))
}

/// Returns the text that a query selects.
pub(crate) fn text(conn: &mut PgConnection, query: &str) -> String {
    let found = sql::<Text>(query).get_result(conn);
    found.unwrap_or_else(|error| panic!("{query}: {error}"))
}

/// Returns whether there is a table of this name.
pub(crate) fn has_table(conn: &mut PgConnection, name: &str) -> bool {
    let query = format!("SELECT count(*) FROM pg_tables WHERE tablename = '{name}'");
    number(conn, &query) > 0
}

/// Runs files that load data, under a setting that they read.
pub(crate) fn load(conn: &mut PgConnection, setting: &str, files: &[&str]) {
    conn.batch_execute(&format!("SET bench.{setting}"))
        .expect("a setting");
    for file in files {
        conn.batch_execute(file).expect("the data loads");
    }
    conn.batch_execute("VACUUM ANALYZE").expect("a vacuum");
}
