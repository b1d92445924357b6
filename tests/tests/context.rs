//! Actors: contexts, futures, and transactions on connections of all kinds.

#[path = "context/connection/mod.rs"]
mod connection;
#[path = "context/futures.rs"]
mod futures;
#[path = "context/interleaving.rs"]
mod interleaving;
#[path = "context/pooler.rs"]
mod pooler;
#[path = "context/scopes.rs"]
mod scopes;
#[path = "context/setting.rs"]
mod setting;
#[path = "context/stress.rs"]
mod stress;
#[path = "context/transactions.rs"]
mod transactions;
#[path = "context/values.rs"]
mod values;

use diesel::prelude::*;
use threadline::{ActorRef, AuditContext};
use threadline_tests::rows;

const NOTES: &str = "
    CREATE TABLE notes (id int PRIMARY KEY, body text NOT NULL);
    SELECT threadline.audit('notes');
";

fn user(id: impl ToString) -> AuditContext {
    AuditContext::new(ActorRef::user(id).unwrap())
}

fn insert(
    conn: &mut impl diesel::connection::LoadConnection<Backend = diesel::pg::Pg>,
    id: i32,
) -> QueryResult<usize> {
    diesel::sql_query(format!("INSERT INTO notes VALUES ({id}, 'text')")).execute(conn)
}

/// Returns each recorded change as `key actor origin`, oldest first.
fn recorded(conn: &mut PgConnection) -> Vec<String> {
    rows(
        conn,
        "SELECT key ->> 'id', coalesce(actor_type || ':' || actor_id, actor_type, '-'), actor_origin
         FROM threadline.changes ORDER BY id",
    )
}

fn transactions(conn: &mut PgConnection) -> i64 {
    threadline_tests::value(conn, "SELECT count(*) FROM threadline.audit_transactions")
        .unwrap()
        .parse()
        .unwrap()
}
