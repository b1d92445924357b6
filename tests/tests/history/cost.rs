//! The cost of a page of a history: proportional to the page, independent of the table's
//! size.

use diesel::prelude::*;
use threadline::History;
use threadline_tests::{Database, rows, run, value};

use super::User;

/// Writes 20,000 changes of user 5, each in a transaction of its own, and 20,000 posts
/// with 40,000 changes, ten of which referred to user 42 when they were deleted and ten
/// of which do now.
const LARGE: &str = "
    CREATE TABLE users (id bigint PRIMARY KEY, name text NOT NULL);
    CREATE TABLE posts (id bigint PRIMARY KEY, user_id bigint REFERENCES users, title text NOT NULL);
    CREATE INDEX ON posts (user_id);
    SELECT threadline.audit('users'), threadline.audit('posts');
    INSERT INTO users SELECT n, 'new' FROM generate_series(1, 1000) AS n;
    INSERT INTO posts SELECT n, 1 + n % 1000, 'new' FROM generate_series(1, 20000) AS n;
    UPDATE posts SET title = 'newer' WHERE id <= 10000;
    DELETE FROM posts WHERE id > 10000;
    SELECT threadline.post_all();
    INSERT INTO threadline.ledger_transactions (id, xact_id, occurred_at, opened_at, actor_origin, session_user_name)
    SELECT 1000000 + n, (n + 1000000)::text::xid8, now(), now(), 'none', 'app' FROM generate_series(1, 20000) AS n;
    INSERT INTO threadline.ledger_changes (id, position, transaction_id, captured_at, table_id, op, record_key, changed_from, changed_to)
    SELECT 1000000 + n, 1000000 + n, 1000000 + n, now(), t.id, 'U', '5', jsonb_build_object('name', n::text), jsonb_build_object('name', (n + 1)::text)
    FROM generate_series(1, 20000) AS n, threadline.audited_tables AS t WHERE t.table_name = 'users';
";

fn large() -> (Database, PgConnection) {
    let (database, mut conn) = Database::with(LARGE);
    vacuum(&mut conn);
    (database, conn)
}

fn vacuum(conn: &mut PgConnection) {
    run(conn, "VACUUM ANALYZE");
    run(conn, "SET max_parallel_workers_per_gather = 0");
}

/// Returns what a query read of the audit tables: entries of indexes, and rows without
/// one.
fn read<T>(conn: &mut PgConnection, answer: impl FnOnce(&mut PgConnection) -> T) -> (T, i64, i64) {
    const TABLES: &str =
        "relname IN ('ledger_changes', 'ledger_transactions', 'audit_actions', 'posts')";
    let counters = |conn: &mut PgConnection| {
        let mut sum = |sql: &str| value(conn, sql).unwrap().parse::<i64>().unwrap();
        (
            sum(&format!(
                "SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid)) FROM pg_index JOIN pg_class AS t ON t.oid = indrelid WHERE {TABLES}"
            )),
            sum(&format!(
                "SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM pg_class WHERE {TABLES}"
            )),
        )
    };
    conn.transaction::<_, diesel::result::Error, _>(|conn| {
        let before = counters(conn);
        let answer = answer(conn);
        let after = counters(conn);
        Ok((answer, after.0 - before.0, after.1 - before.1))
    })
    .unwrap()
}

#[test]
fn the_last_changes_of_a_record_with_twenty_thousand_are_read_without_the_rest() {
    let (_, conn) = &mut large();
    let mut next = None;
    for _ in 0..3 {
        let (page, entries, scanned) = read(conn, |conn| {
            History::<User, _>::of_key(5)
                .limit(50)
                .after(next)
                .unwrap()
                .page(conn)
                .unwrap()
        });
        assert_eq!(page.entries.len(), 50);
        assert!(entries <= 250, "{entries} entries of indexes");
        assert_eq!(scanned, 0, "rows without an index");
        next = page.next;
    }
}

#[test]
fn rows_that_referred_to_a_record_are_found_by_an_index() {
    let (_, conn) = &mut large();
    let ask = |conn: &mut PgConnection| {
        History::<User, _>::of_key(42)
            .with(["posts".parse().unwrap()])
            .limit(50)
            .page(conn)
            .unwrap()
    };
    let (without, entries, scanned) = read(conn, ask);
    assert_eq!(without.entries.len(), 41);
    // All changes of the table, once, and then those of the rows.
    assert!(entries + scanned >= 40_000, "{entries} + {scanned}");
    assert!(entries + scanned <= 70_000, "{entries} + {scanned}");

    run(
        conn,
        "SELECT threadline.index_reference('posts', 'user_id')",
    );
    vacuum(conn);
    let (with, entries, scanned) = read(conn, ask);
    assert_eq!(with.entries, without.entries);
    assert!(entries <= 500, "{entries} entries of indexes");
    assert_eq!(scanned, 0, "rows without an index");

    // An index of the column's former name is rebuilt.
    run(
        conn,
        "ALTER TABLE posts RENAME user_id TO author; SELECT threadline.refresh('posts')",
    );
    run(conn, "SELECT threadline.index_reference('posts', 'author')");
    vacuum(conn);
    let (renamed, entries, scanned) = read(conn, ask);
    assert_eq!(renamed.entries.len(), 41);
    assert!(entries <= 500, "{entries} entries of indexes");
    assert_eq!(scanned, 0, "rows without an index");

    // It is no sign of tampering, unless it calls foreign code.
    let found = |conn: &mut PgConnection| {
        rows(
            conn,
            "SELECT message FROM threadline.audit_drift() WHERE message LIKE '%ledger_reference%'",
        )
    };
    assert_eq!(found(conn), Vec::<String>::new());
    run(
        conn,
        "CREATE FUNCTION peek(jsonb) RETURNS text IMMUTABLE LANGUAGE sql RETURN $1::text;
         CREATE INDEX ledger_reference_2_00000000_came ON threadline.ledger_changes (peek(changed_to)) WHERE table_id = 2",
    );
    assert_eq!(
        found(conn),
        ["index threadline.ledger_reference_2_00000000_came was not installed by Threadline"]
    );
}
