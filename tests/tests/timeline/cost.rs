//! The cost of a page: it reads an index, and only about as many rows as it returns.

use std::fmt::{Debug, Write};

use diesel::prelude::*;
use threadline::{
    ActionFilter, ActionStatus, ActorRef, ActorType, Cursor, Filter, Operation, TimelineEntry,
    actions, timeline,
};
use threadline_tests::{Database, run, value};

/// The maximum number of index entries that a page of fifty may read.
const FEW: i64 = 1000;

/// Writes a history of 6,000 transactions with 21,000 changes, one transaction an hour,
/// straight into the audit tables. Every tenth has the values called `hot`.
const HISTORY: &str = "
    CREATE TABLE ledger_0 (id int PRIMARY KEY, name text);
    CREATE TABLE ledger_1 (id int PRIMARY KEY, name text);
    CREATE TABLE ledger_2 (id int PRIMARY KEY, name text);
    CREATE TABLE ledger_3 (id int PRIMARY KEY, name text);
    CREATE TABLE bulk (id int PRIMARY KEY, name text);
    SELECT threadline.audit('ledger_0'), threadline.audit('ledger_1'), threadline.audit('ledger_2'),
           threadline.audit('ledger_3'), threadline.audit('bulk');

    INSERT INTO threadline.ledger_transactions (
        id, xact_id, occurred_at, opened_at, actor_type, actor_id, actor_origin, request_id, correlation_id, job_id,
        source, meta, session_user_name)
    SELECT i, (i + 1000)::text::xid8, at, at,
           CASE i % 10 WHEN 0 THEN 'admin' WHEN 1 THEN NULL WHEN 2 THEN 'anonymous' ELSE 'user' END,
           CASE WHEN i % 10 IN (1, 2) THEN NULL WHEN i % 10 = 5 THEN 'hot' ELSE (i % 40)::text END,
           'explicit',
           CASE WHEN i % 10 = 3 THEN 'hot' ELSE 'r' || i END,
           CASE WHEN i % 10 = 4 THEN 'hot' ELSE 'c' || i / 3 END,
           CASE WHEN i % 10 = 6 THEN 'hot' WHEN i % 10 = 7 THEN 'j' || i END,
           CASE WHEN i % 15 = 0 THEN 'console' WHEN i % 10 = 8 THEN 'cli' ELSE 'web' END,
           CASE WHEN i % 10 = 9 THEN jsonb_build_object('tenant', 'hot') ELSE jsonb_build_object('tenant', 't' || i % 7, 'agent', repeat('Mozilla/5.0 ', 20)) END,
           'app'
    FROM generate_series(1, 6000) AS i, LATERAL (SELECT timestamptz '2025-01-01Z' + i * interval '1 hour' AS at) AS of;

    INSERT INTO threadline.ledger_changes (id, position, transaction_id, captured_at, table_id, op, record_key, changed_from, changed_to, row_data)
    SELECT nextval('threadline.entry_ids'), row_number() OVER (ORDER BY x.id, n), x.id, x.opened_at + n * interval '1 ms',
           (SELECT id FROM threadline.audited_tables WHERE table_name = 'ledger_' || (x.id + n) % 4),
           op, key,
           CASE WHEN op = 'U' THEN jsonb_build_object('name', 'name ' || n % 3) END,
           CASE WHEN op = 'U' THEN jsonb_build_object('name', 'name ' || (n + 1) % 3) END,
           CASE WHEN op <> 'U' THEN jsonb_build_object('id', key::int, 'name', 'name ' || n % 3) END
    FROM threadline.audit_transactions AS x
    CROSS JOIN LATERAL generate_series(1, 1 + x.id * 7 % 6) AS n
    CROSS JOIN LATERAL (
        SELECT CASE WHEN (x.id + n * 3) % 11 = 0 THEN '1' ELSE ((x.id * 31 + n * 7) % 900)::text END AS key,
               substr('DTIIIIIIUUUUUUUUUUUUUUUUUUUUU', 1 + (x.id * 13 + n * 11)::int % 29, 1)::\"char\" AS op) AS of
    ORDER BY x.id, n;

    INSERT INTO threadline.audit_actions (
        transaction_id, occurred_at, name, category, verb, actor_type, actor_id, status, request_id, correlation_id, job_id,
        comment)
    SELECT x.id, x.opened_at, category || '.' || verb, category, verb, 'user', '1',
           CASE WHEN x.id % 8 = 0 THEN 'error' ELSE 'ok' END,
           CASE WHEN x.id % 20 = 0 THEN 'hot' END, CASE WHEN x.id % 20 = 8 THEN 'hot' END, CASE WHEN x.id % 20 = 10 THEN 'hot' END,
           repeat('a comment of some length ', 10)
    FROM threadline.audit_transactions AS x
    CROSS JOIN generate_series(1, 2)
    CROSS JOIN LATERAL (
        SELECT (ARRAY['order', 'stock'])[1 + x.id / 2 % 2] AS category,
               (ARRAY['opened', 'changed', 'closed'])[1 + x.id / 4 % 3] AS verb) AS of
    WHERE x.id % 2 = 0
    UNION ALL
    SELECT x.id, x.opened_at, 'page.seen', 'page', 'seen', 'user', '1', 'ok', NULL, NULL, NULL, repeat('a comment of some length ', 10)
    FROM threadline.audit_transactions AS x
    CROSS JOIN generate_series(1, 2)
    ORDER BY 1;

";

pub(super) fn history() -> (Database, PgConnection) {
    let (database, mut conn) = Database::with(HISTORY);
    vacuum(&mut conn);
    (database, conn)
}

/// Leaves the tables as autovacuum does, read by this session alone: it could not count
/// reads of parallel workers.
pub(super) fn vacuum(conn: &mut PgConnection) {
    let not_visible = "SELECT count(*) FROM pg_class
         WHERE relnamespace = 'threadline'::regnamespace AND relkind = 'r' AND relallvisible < relpages * 0.9";
    run(conn, "VACUUM ANALYZE");
    // A session that connects to another database blocks it for a moment.
    while value(conn, not_visible).as_deref() != Some("0") {
        run(conn, "VACUUM");
    }
    run(conn, "SET max_parallel_workers_per_gather = 0");
}

/// The reads of one page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Read {
    /// Entries of indexes on the audit tables.
    pub(super) entries: i64,
    /// Rows of the audit tables read without an index.
    pub(super) scanned: i64,
}

/// Returns the counters of this session, valid while its transaction lasts.
pub(super) fn counters(conn: &mut PgConnection) -> Read {
    const TABLES: &str = "relname IN ('ledger_changes', 'ledger_transactions', 'audit_actions') AND relnamespace = 'threadline'::regnamespace";
    let mut sum = |sql: &str| value(conn, sql).unwrap().parse().unwrap();
    Read {
        entries: sum(&format!(
            "SELECT sum(pg_stat_get_xact_tuples_returned(indexrelid))
             FROM pg_index JOIN pg_class AS t ON t.oid = indrelid WHERE {TABLES}"
        )),
        scanned: sum(&format!(
            "SELECT sum(pg_stat_get_xact_tuples_returned(oid)) FROM pg_class WHERE {TABLES}"
        )),
    }
}

/// Asserts that two queries for each filter read at most so many entries each, and no row
/// without an index. `counted` returns the counters before, between and after them.
pub(super) fn assert_reads_at_most<F: Debug>(
    conn: &mut PgConnection,
    most: i64,
    filters: impl IntoIterator<Item = F>,
    counted: impl Fn(&mut PgConnection, &F) -> Result<[Read; 3], threadline::Error>,
) {
    let mut costly = String::new();
    for filter in filters {
        let [before, first, second] = conn.transaction(|conn| counted(conn, &filter)).unwrap();
        let read = Read {
            entries: (first.entries - before.entries).max(second.entries - first.entries),
            scanned: second.scanned - before.scanned,
        };
        if read.entries > most || read.scanned > 0 {
            writeln!(costly, "{read:?}: {filter:?}").unwrap();
        }
    }
    assert!(costly.is_empty(), "\n{costly}");
}

/// Returns a page and its reads.
fn page(
    conn: &mut PgConnection,
    filter: &Filter,
    after: Option<Cursor>,
    limit: usize,
) -> (Vec<TimelineEntry>, Option<Cursor>, Read) {
    conn.transaction::<_, threadline::Error, _>(|conn| {
        let before = counters(conn);
        let page = timeline(filter.clone())
            .limit(limit)
            .after(after)
            .page(conn)?;
        let after = counters(conn);
        let read = Read {
            entries: after.entries - before.entries,
            scanned: after.scanned - before.scanned,
        };
        Ok((page.entries, page.next, read))
    })
    .unwrap_or_else(|error| panic!("{error}\nin: {filter:?}"))
}

fn hot() -> ActorRef {
    ActorRef::user("hot").unwrap()
}

fn filters() -> Vec<Filter> {
    let filter = Filter::new;
    let table = || filter().table("ledger_1");
    let from = "2025-01-15T00:00:00Z".parse().unwrap();
    let to = "2025-08-01T00:00:00Z".parse().unwrap();
    vec![
        filter(),
        table(),
        table().record(1),
        filter().operation(Operation::Insert),
        filter().operation(Operation::Update),
        filter().operation(Operation::Delete),
        filter().operation(Operation::Truncate),
        filter().actor(&hot()),
        filter().actor(&ActorRef::anonymous()),
        filter().without_actor(),
        filter().actor_type(ActorType::User),
        filter().actor_type(ActorType::Admin),
        filter().from(from),
        filter().to(to),
        filter().from(from).to(to),
        filter().request_id("hot"),
        filter().correlation_id("hot"),
        filter().job_id("hot"),
        filter().action("order.closed"),
        filter().category("stock"),
        filter().status(ActionStatus::Ok),
        filter().status(ActionStatus::Error),
        filter().changed("name"),
        filter().changed_from("name", "name 1"),
        filter().changed_to("name", "name 1"),
        filter().source("web"),
        filter().source("cli"),
        filter().source("console"),
        filter().metadata("tenant", "hot"),
        table()
            .changed_from("name", "name 1")
            .changed_to("name", "name 2"),
        table().from(from).to(to),
        table().to(to),
        filter().actor(&hot()).from(from).to(to),
        filter().actor(&hot()).to(to),
        table().actor(&hot()),
        table().actor(&hot()).from(from).to(to),
        table().record(1).actor_type(ActorType::User),
        filter().value("name", "name 1"),
        table().value("name", "name 1"),
        filter().session_user("app"),
        table().operation(Operation::Delete),
        table().actor_type(ActorType::User),
        table().action("order.closed"),
        filter().correlation_id("hot").to(to),
        filter().action("order.closed").to(to),
        filter().actor(&hot()).source("web"),
        filter().action("order.closed").source("web"),
    ]
}

/// Returns the cursor after the newest `skipped` changes, which is one in every timeline.
fn place(conn: &mut PgConnection, skipped: usize) -> Option<Cursor> {
    page(conn, &Filter::new(), None, skipped).1
}

#[test]
fn a_page_reads_what_it_gives_wherever_it_is() {
    let (_, conn) = &mut history();
    let depth = place(conn, 16_000);
    let mut costly = String::new();
    for filter in filters() {
        let (entries, _, first) = page(conn, &filter, None, 50);
        assert_eq!(entries.len(), 50, "{filter:?}");
        let (entries, _, deep) = page(conn, &filter, depth, 50);
        assert!(entries.len() >= 25, "{filter:?}");
        if first.entries > FEW
            || deep.entries > 3 * first.entries
            || first.scanned + deep.scanned > 0
        {
            writeln!(costly, "first {first:?}, deep {deep:?}: {filter:?}").unwrap();
        }
    }
    assert!(costly.is_empty(), "\n{costly}");
}

/// Half of the actions belong to no transaction, as where every login is recorded.
pub(super) const LOGINS: &str = "
    INSERT INTO threadline.audit_actions (occurred_at, name, category, verb, actor_type, actor_id, status, request_id)
    SELECT x.opened_at, 'session.opened', 'session', 'opened', 'user', (x.id % 50)::text,
           CASE WHEN x.id % 8 = 0 THEN 'error' ELSE 'ok' END, 's' || x.id
    FROM threadline.audit_transactions AS x, generate_series(1, 3)
    ORDER BY x.id;
";

#[test]
fn a_page_of_actions_reads_what_it_gives_wherever_it_is() {
    let (_, conn) = &mut history();
    run(conn, LOGINS);
    vacuum(conn);
    let filter = ActionFilter::new;
    let half = "2025-05-01T00:00:00Z".parse().unwrap();
    let filters = [
        filter(),
        filter().name("session.opened"),
        filter().name("order.closed"),
        filter().category("session"),
        filter().status(ActionStatus::Error),
        filter().actor(&ActorRef::user("7").unwrap()),
        filter().actor_type(ActorType::User),
        filter().request_id("s5"),
        filter().transaction(4000),
        filter().to(half),
        filter().from(half),
        filter().to(half).name("order.closed"),
    ];
    assert_reads_at_most(conn, FEW, filters, |conn, filter| {
        let before = counters(conn);
        let page = actions(filter.clone()).page(conn)?;
        assert!(!page.entries.is_empty(), "{filter:?}");
        let first = counters(conn);
        actions(filter.clone()).after(page.next).page(conn)?;
        Ok([before, first, counters(conn)])
    });
}

#[test]
fn actions_without_changes_beside_a_timeline_are_read_where_the_page_is() {
    let (_, conn) = &mut history();
    run(conn, LOGINS);
    vacuum(conn);
    let depth = place(conn, 16_000);
    let mut costly = String::new();
    for filter in [
        Filter::new(),
        Filter::new().actor(&hot()),
        Filter::new().actor_type(ActorType::User),
        Filter::new().action("order.closed"),
        Filter::new().status(ActionStatus::Error),
        Filter::new().source("web"),
        Filter::new().request_id("hot"),
    ] {
        let (_, _, first) = page(conn, &filter, None, 50);
        let (_, _, deep) = page(conn, &filter, depth, 50);
        if first.entries.max(deep.entries) > FEW || first.scanned + deep.scanned > 0 {
            writeln!(costly, "first {first:?}, deep {deep:?}: {filter:?}").unwrap();
        }
    }
    assert!(costly.is_empty(), "\n{costly}");
}

/// Gives the 4015th transaction, which is of `user:hot`, 30,000 changes that every filter
/// below finds.
pub(super) const LARGE: &str = r#"
    UPDATE threadline.ledger_transactions
    SET request_id = 'hot', correlation_id = 'hot', job_id = 'hot', source = 'cli', meta = '{"tenant": "hot"}'
    WHERE id = 4015;
    UPDATE threadline.audit_actions SET name = 'order.closed', status = 'error' WHERE transaction_id = 4015;
    INSERT INTO threadline.ledger_changes (id, position, transaction_id, captured_at, table_id, op, record_key, changed_from, changed_to)
    SELECT nextval('threadline.entry_ids'), -n, x.id, x.opened_at + n * interval '1 ms', t.id, 'U', CASE WHEN n % 2 = 0 THEN '1' ELSE n::text END,
           '{"name": "a"}', '{"name": "b"}'
    FROM threadline.audit_transactions AS x, threadline.audited_tables AS t, generate_series(1, 30000) AS n
    WHERE x.id = 4015 AND t.table_name = 'bulk';
"#;

#[test]
fn a_transaction_with_thirty_thousand_changes_costs_no_more_than_others() {
    let (_, conn) = &mut history();
    run(conn, LARGE);
    vacuum(conn);
    // Half an hour after the large one, half an hour before the next.
    let later = Filter::new().from("2025-06-17T07:30:00Z".parse().unwrap());
    let newer = timeline(later).count(conn).unwrap();
    let newer = usize::try_from(newer).unwrap();
    let away = place(conn, newer / 2);
    let inside = [(10, 40), (15_000, 50), (29_990, 10)]
        .map(|(done, expected)| (place(conn, newer + done), expected));
    let filter = Filter::new;
    for filter in [
        filter(),
        filter().actor(&hot()),
        filter().actor(&hot()).operation(Operation::Update),
        filter().actor_type(ActorType::User),
        filter().request_id("hot"),
        filter().correlation_id("hot").source("cli"),
        filter().job_id("hot"),
        filter().action("order.closed"),
        filter().status(ActionStatus::Error),
        filter().source("cli"),
        filter().metadata("tenant", "hot"),
        filter().changed("name"),
    ] {
        let mut read = |after| {
            let (entries, _, read) = page(conn, &filter, after, 50);
            assert_eq!(entries.len(), 50);
            assert_eq!(read.scanned, 0, "{filter:?}");
            let of_it = entries
                .iter()
                .filter(|entry| entry.change.transaction.id == 4015)
                .count();
            (of_it, read.entries)
        };
        let (of_it, elsewhere) = read(away);
        assert_eq!(of_it, 0, "{filter:?}");
        for (after, expected) in inside {
            let (of_it, entries) = read(after);
            assert!(of_it >= expected, "{of_it} of it: {filter:?}");
            assert!(
                entries <= elsewhere + 50,
                "{entries}, elsewhere {elsewhere}: {filter:?}"
            );
        }
    }
}

#[test]
fn a_transaction_with_thirty_thousand_changes_of_another_table_is_passed_by() {
    let (_, conn) = &mut history();
    run(conn, LARGE);
    vacuum(conn);
    let around = |filter: Filter| {
        filter
            .from("2025-06-10T00:00:00Z".parse().unwrap())
            .to("2025-06-25T00:00:00Z".parse().unwrap())
    };
    let table = || Filter::new().table("ledger_1");
    for filter in [
        table(),
        table().actor(&hot()),
        table().actor_type(ActorType::User),
        table().request_id("hot"),
        table().action("order.closed"),
        table().source("cli"),
        table().operation(Operation::Update),
        Filter::new().operation(Operation::Delete),
        Filter::new().actor(&hot()).operation(Operation::Delete),
    ] {
        let (entries, _, read) = page(conn, &around(filter.clone()), None, 50);
        assert!(!entries.is_empty(), "{filter:?}");
        assert!(read.entries <= FEW, "{read:?}: {filter:?}");
        assert_eq!(read.scanned, 0, "{filter:?}");
    }
}

/// From a cost of 100,000 on, PostgreSQL compiles a plan to machine code before it runs it,
/// which took a page of five million changes 70 ms of 75.
#[test]
fn the_planner_expects_no_more_rows_than_a_page_has() {
    let database = Database::durable();
    let mut conn = database.connect();
    run(&mut conn, HISTORY);
    vacuum(&mut conn);
    timeline(Filter::new()).limit(50).page(&mut conn).unwrap();
    let name = value(
        &mut conn,
        "SELECT name FROM pg_prepared_statements
         WHERE statement LIKE '%FROM threadline.audit_changes AS c%LIMIT $1%' AND parameter_types = '{bigint}'",
    )
    .expect("the statement of a page");
    run(
        &mut conn,
        &format!(
            "CREATE FUNCTION pg_temp.plan_of_a_page() RETURNS jsonb LANGUAGE plpgsql AS $$
             DECLARE plan json;
             BEGIN EXECUTE 'EXPLAIN (FORMAT JSON) EXECUTE {name}(51)' INTO plan; RETURN plan -> 0 -> 'Plan'; END $$"
        ),
    );
    let rows = value(&mut conn, "pg_temp.plan_of_a_page() ->> 'Plan Rows'");
    assert_eq!(rows.as_deref(), Some("51"));
}
