//! An audited table of notes, for tests of contexts and actions.

use diesel::connection::LoadConnection;
use diesel::pg::Pg;
use diesel::prelude::*;
use threadline::{ActorRef, AuditContext, Audited};

use crate::rows;

pub const NOTES: &str = "
    CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL);
    SELECT threadline.audit('notes');
";

diesel::table! {
    notes (id) { id -> Int4, body -> Text, }
}

#[derive(Debug, PartialEq, Queryable, Selectable, Identifiable, AsChangeset, Audited)]
#[diesel(table_name = notes)]
#[allow(missing_docs)]
pub struct Note {
    pub id: i32,
    pub body: String,
}

pub fn insert(conn: &mut impl LoadConnection<Backend = Pg>, id: i32) -> QueryResult<usize> {
    diesel::sql_query(format!("INSERT INTO notes VALUES ({id}, 'text')")).execute(conn)
}

pub fn user(id: impl ToString) -> AuditContext {
    AuditContext::new(ActorRef::user(id).unwrap())
}

/// Returns each recorded change as `key | actor | origin`, oldest first.
pub fn recorded(conn: &mut PgConnection) -> Vec<String> {
    rows(
        conn,
        "SELECT key ->> 'id', coalesce(actor_type || ':' || actor_id, actor_type, '-'), actor_origin
         FROM threadline.changes ORDER BY id",
    )
}

/// Asserts that these are the changes, as [`recorded`] returns them.
#[track_caller]
pub fn assert_recorded<const COUNT: usize>(conn: &mut PgConnection, expected: [&str; COUNT]) {
    assert_eq!(recorded(conn), expected);
}
