//! Whole rows are read, joined and filtered, for every kind of change.

use diesel::prelude::*;
use diesel::sql_types::Text;
use serde_json::{Value, json};
use threadline::schema::{
    abbrev, actions, audit_changes, audit_transactions, audited_tables, changes, transactions,
};
use threadline::{
    Action, ActionStatus, ActorRef, ActorType, AuditContext, AuditExt, Audited, ContextOrigin,
    History, Operation, record_action,
};
use threadline_tests::{Database, assert_contains, rolled_back, run};

diesel::table! {
    people (id) { id -> BigInt, name -> Text, }
}

#[derive(Debug, Identifiable, Queryable, Selectable, Audited)]
#[diesel(table_name = people)]
struct Person {
    id: i64,
}

threadline::schema::allow_tables_to_appear_with_audit!(people);

fn create_and_change(conn: &mut PgConnection) {
    run(
        conn,
        "CREATE TABLE people (id bigint PRIMARY KEY, name text NOT NULL); SELECT threadline.audit('people')",
    );
    run(conn, "INSERT INTO people VALUES (1, 'Ada'), (2, 'Bob')");
    let context = AuditContext::builder(ActorRef::admin("grace").unwrap())
        .remote_ip("203.0.113.9".parse().unwrap())
        .metadata("tenant", "acme")
        .build()
        .unwrap();
    conn.audited_transaction(&context, |conn| {
        record_action(conn, Action::new("person.renamed").reason("asked"))?;
        diesel::update(people::table.find(1))
            .set(people::name.eq("Eve"))
            .execute(conn)?;
        Ok::<_, threadline::Error>(())
    })
    .unwrap();
    run(conn, "DELETE FROM people WHERE id = 2");
}

#[test]
fn every_column_of_every_table_is_read() {
    for posted in [false, true] {
        let (_, conn) = &mut Database::new().connected();
        create_and_change(conn);
        if posted {
            threadline::post(conn).unwrap();
        }
        // Each column separately, so that no join and no alias exposes one.
        macro_rules! read {
            ($table:ident: $($column:ident as $type:ty),+ $(,)?) => {{
                $(
                    let values: Vec<$type> = $table::table.select($table::$column).load(conn).unwrap();
                    assert!(!values.is_empty(), "{}", stringify!($table::$column));
                )+
            }};
        }
        type Time = chrono::DateTime<chrono::Utc>;
        type OText = Option<String>;
        read!(changes: id as i64, captured_at as Time, schema_name as OText, table_name as OText,
            op as Operation, key as Option<Value>, previous_key as Option<Value>, changed_from as Option<Value>,
            changed_to as Option<Value>, row_data as Option<Value>, actor_type as Option<ActorType>,
            actor_id as OText, actor_origin as Option<ContextOrigin>, request_id as OText,
            correlation_id as OText, job_id as OText, source as OText, meta as Option<Value>,
            session_user_name as OText, application_name as OText, context_error as OText,
            transaction_id as i64, xact_id as Option<u64>, occurred_at as Option<Time>, record_key as OText);
        read!(transactions: id as i64, xact_id as u64, occurred_at as Time, opened_at as Time,
            extended_until as Option<Time>, actor_type as Option<ActorType>, actor_id as OText,
            actor_origin as ContextOrigin, request_id as OText, correlation_id as OText, job_id as OText,
            source as OText, meta as Option<Value>, session_user_name as String, context_error as OText,
            application_name as OText, changes as i64);
        read!(audit_transactions: id as i64, xact_id as u64, occurred_at as Time, opened_at as Time,
            actor_type as OText, actor_origin as String, meta as Option<Value>);
        read!(actions: id as i64, occurred_at as Time, name as String, category as OText, verb as OText,
            actor_type as ActorType, actor_id as OText, status as ActionStatus, reason as OText,
            comment as OText, request_id as OText, correlation_id as OText, job_id as OText, source as OText,
            meta as Option<Value>, application_name as OText, transaction_id as Option<i64>);
        read!(audit_changes: id as i64, transaction_id as i64, captured_at as Time, table_id as i32,
            statement as Option<i32>, op as u8, record_key as OText, previous_key as OText,
            changed_from as Option<Value>, changed_to as Option<Value>, row_data as Option<Value>);
        read!(audited_tables: id as i32, schema_name as String, table_name as String,
            key_columns as Vec<String>, audited_since as Time, unaudited_at as Option<Time>);
        let addresses: Vec<Option<String>> = changes::table
            .filter(changes::actor_type.eq(ActorType::Admin))
            .select(abbrev(changes::remote_ip))
            .load(conn)
            .unwrap();
        assert_eq!(addresses, [Some("203.0.113.9".to_owned())]);
    }
}

#[test]
fn the_tables_of_the_audit_join_each_other() {
    let conn = &mut rolled_back();
    create_and_change(conn);
    let renamed: Vec<(Operation, Option<Value>, i64)> = changes::table
        .inner_join(transactions::table)
        .inner_join(
            actions::table.on(actions::transaction_id.eq(changes::transaction_id.nullable())),
        )
        .filter(actions::name.eq("person.renamed"))
        .filter(actions::status.eq(ActionStatus::Ok))
        .select((changes::op, changes::meta, transactions::changes))
        .load(conn)
        .unwrap();
    assert_eq!(
        renamed,
        [(Operation::Update, Some(json!({"tenant": "acme"})), 1)]
    );
    let tables: Vec<(String, Option<String>)> = audit_changes::table
        .inner_join(audited_tables::table)
        .inner_join(audit_transactions::table)
        .filter(audit_changes::op.eq(b'D'))
        .select((audited_tables::table_name, audit_transactions::actor_id))
        .load(conn)
        .unwrap();
    assert_eq!(tables, [("people".to_owned(), None)]);
}

#[test]
fn a_table_of_ones_own_joins_them_along_the_index_of_records() {
    let (_, conn) = &mut Database::new().connected();
    create_and_change(conn);
    // Enough rows that reading all of them would be more expensive.
    run(
        conn,
        "INSERT INTO people SELECT n, 'somebody' FROM generate_series(10, 20000) AS n",
    );
    threadline::post(conn).unwrap();
    run(conn, "ANALYZE");
    let query = people::table
        .inner_join(
            changes::table.on(changes::table_name
                .eq("people")
                .and(changes::record_key.eq(people::id.cast::<Text>().nullable()))),
        )
        .filter(people::id.eq(1))
        .order(changes::id)
        .select((people::name, changes::op));
    let changed: Vec<(String, Operation)> = query.load(conn).unwrap();
    assert_eq!(
        changed,
        [
            ("Eve".to_owned(), Operation::Insert),
            ("Eve".to_owned(), Operation::Update)
        ]
    );
    let sql = diesel::debug_query::<diesel::pg::Pg, _>(&query).to_string();
    let (sql, _) = sql.split_once(" -- binds").unwrap();
    let sql = sql.replace("$1", "'people'").replace("$2", "1");
    let plan = explain(conn, &sql);
    assert_contains(&plan, "ledger_changes_record");
    assert!(!plan.contains("Seq Scan on ledger_changes"), "{plan}");
}

fn explain(conn: &mut PgConnection, sql: &str) -> String {
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
        line: String,
    }
    let lines: Vec<Line> = diesel::sql_query(format!("EXPLAIN {sql}"))
        .load(conn)
        .unwrap();
    lines.into_iter().map(|line| line.line + "\n").collect()
}

#[test]
fn the_history_of_a_record_is_a_condition_that_follows_its_keys() {
    let conn = &mut rolled_back();
    create_and_change(conn);
    // 1 becomes 7, and another one becomes 1.
    run(conn, "UPDATE people SET id = 7 WHERE id = 1");
    run(conn, "INSERT INTO people VALUES (1, 'Ida')");
    let history = || History::<Person, _>::of_key(7);
    let expected: Vec<i64> = history()
        .load(conn)
        .unwrap()
        .iter()
        .map(|change| change.id)
        .collect();
    assert_eq!(expected.len(), 3);
    let ids: Vec<i64> = changes::table
        .filter(history().condition())
        .order(changes::id.desc())
        .select(changes::id)
        .load(conn)
        .unwrap();
    assert_eq!(ids, expected);

    // With Diesel's operators, on either side and in another query.
    let by_grace = changes::table
        .filter(changes::actor_id.eq("grace").and(history().condition()))
        .select(changes::transaction_id);
    let why: Vec<Option<String>> = actions::table
        .filter(actions::transaction_id.eq_any(by_grace.nullable()))
        .select(actions::reason)
        .load(conn)
        .unwrap();
    assert_eq!(why, [Some("asked".to_owned())]);
    let others: i64 = changes::table
        .filter(diesel::dsl::not(history().condition()))
        .count()
        .get_result(conn)
        .unwrap();
    assert_eq!(others, 3);
    // A limited query stays limited.
    let newest: Vec<i64> = changes::table
        .filter(history().limit(1).condition())
        .select(changes::id)
        .load(conn)
        .unwrap();
    assert_eq!(newest, expected[..1]);
}
