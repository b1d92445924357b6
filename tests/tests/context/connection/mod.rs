//! Plain Diesel code on a connection that carries the current context.

mod autocommit;
mod builder;
mod diesel_code;
mod pool;
mod proxy;
mod round_trips;

use diesel::prelude::*;
use threadline::AuditedConnection;
use threadline_tests::Database;
use threadline_tests::notes::notes;

use super::NOTES;

type Audited = AuditedConnection<PgConnection>;

/// Creates a database with the table, and a connection to it.
fn connect() -> (Database, Audited) {
    let (database, _) = Database::with(NOTES);
    let conn = Audited::establish(&database.url()).unwrap();
    (database, conn)
}

/// Foreign code, which only knows Diesel.
fn write<C>(conn: &mut C, id: i32) -> QueryResult<usize>
where
    C: diesel::connection::LoadConnection<Backend = diesel::pg::Pg>,
{
    diesel::insert_into(notes::table)
        .values((notes::id.eq(id), notes::body.eq("text")))
        .execute(conn)
}
