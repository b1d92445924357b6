//! State that stays in a session, which behind a transaction pooler another client gets
//! next.

use diesel::connection::CacheSize;
use diesel::prelude::*;
use threadline::{
    Action, ActionFilter, AuditExt, AuditedConnection, BlockingConnection, Filter, Models, actions,
    actor_history, record_action, timeline,
};
use threadline_tests::{Database, rows, run};

use super::user;

/// Calls every function of the library that runs statements, in transactions and outside.
fn use_the_library(conn: &mut impl BlockingConnection) {
    let context = user(1);
    conn.audited_transaction(&context, |conn| {
        diesel::sql_query("INSERT INTO items VALUES (1)").execute(conn)?;
        record_action(conn, Action::new("item.made"))?;
        Ok::<_, threadline::Error>(())
    })
    .unwrap();
    threadline::post(conn).unwrap();
    assert_eq!(timeline(Filter::new()).page(conn).unwrap().entries.len(), 1);
    assert_eq!(
        actions(ActionFilter::new())
            .page(conn)
            .unwrap()
            .entries
            .len(),
        1
    );
    actor_history(context.actor().unwrap()).page(conn).unwrap();
    Models::new(vec![]).health(conn).unwrap();
    Models::new(vec![]).verify().run(conn).unwrap();
    threadline::purge(conn).unwrap();
}

/// The state of a session that outlives its transactions.
const STATE: &str = "
    SELECT 'prepared ' || statement FROM pg_prepared_statements
    UNION ALL SELECT 'cursor ' || name FROM pg_cursors WHERE is_holdable
    UNION ALL SELECT 'channel ' || c FROM pg_listening_channels() AS c
    UNION ALL SELECT 'lock ' || objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()
    UNION ALL SELECT 'table ' || relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()
    UNION ALL SELECT 'setting ' || name || ' ' || setting FROM pg_settings WHERE source = 'session'
    UNION ALL SELECT 'setting ' || name FROM unnest(ARRAY['threadline.context', 'threadline.unmasked']) AS name
              WHERE current_setting(name, true) <> ''
    ORDER BY 1";

const ITEMS: &str = "CREATE TABLE items (id int PRIMARY KEY); SELECT threadline.audit('items')";

#[test]
fn without_a_cache_of_statements_nothing_stays_in_the_session() {
    let (_, conn) = &mut Database::new().connected();
    conn.set_prepared_statement_cache_size(CacheSize::Disabled);
    run(conn, ITEMS);
    let before = rows(conn, STATE);
    use_the_library(conn);
    assert_eq!(rows(conn, STATE), before);
}

#[test]
fn an_autocommit_connection_leaves_nothing_in_the_session() {
    let database = Database::new();
    let mut conn = AuditedConnection::new(database.connect());
    conn.set_prepared_statement_cache_size(CacheSize::Disabled);
    run(conn.without_context(), ITEMS);
    let before = rows(conn.without_context(), STATE);
    conn.autocommit_in_context(true);
    user(2).scope(|| use_the_library(&mut conn));
    assert_eq!(rows(conn.without_context(), STATE), before);
}

#[test]
fn with_the_cache_it_is_statements_alone_that_stay() {
    let (_, conn) = &mut Database::with(ITEMS);
    let before = rows(conn, STATE);
    use_the_library(conn);
    let mut left = rows(conn, STATE);
    left.retain(|state| !before.contains(state));
    assert!(!left.is_empty(), "else the other test shows nothing");
    assert!(
        left.iter().all(|state| state.starts_with("prepared ")),
        "{left:#?}"
    );
}
