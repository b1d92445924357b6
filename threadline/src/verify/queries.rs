//! The queries of the checks.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::query_builder::{Query, QueryFragment, QueryId};
use diesel::result::QueryResult;
use diesel::sql_types::{
    Array, BigInt, Bool, Integer, Jsonb, Nullable, Text, Timestamptz, Untyped,
};
use diesel::{OptionalExtension, QueryableByName};

use super::finding::{BrokenRecord, Finding, FindingCode};
use crate::connection::AuditConnection;
use crate::record::AnyJson;
use crate::run;

#[derive(QueryableByName)]
struct FindingRow {
    #[diesel(sql_type = Text)]
    code: String,
    #[diesel(sql_type = Text)]
    relation: String,
    #[diesel(sql_type = Text)]
    message: String,
    #[diesel(sql_type = Nullable<Text>)]
    fix: Option<String>,
}

impl FindingRow {
    fn into_finding(self) -> Finding {
        Finding::new(
            FindingCode::recorded(self.code),
            Some(self.relation),
            self.message,
            self.fix,
        )
    }
}

/// Returns the findings of a query on the audit schema.
pub(crate) async fn findings<C, Q>(conn: &mut C, query: Q) -> QueryResult<Vec<Finding>>
where
    C: AuditConnection,
    Q: Query<SqlType = Untyped> + QueryFragment<Pg> + QueryId + Send,
{
    let rows: Vec<FindingRow> = run::load(conn, query).await?;
    Ok(rows.into_iter().map(FindingRow::into_finding).collect())
}

pub(super) async fn table_drift<C: AuditConnection>(
    conn: &mut C,
    only: Option<&str>,
) -> QueryResult<Vec<Finding>> {
    let query = diesel::sql_query("SELECT * FROM threadline.table_drift($1::regclass)")
        .bind::<Nullable<Text>, _>(only);
    findings(conn, query).await
}

pub(super) async fn unaudited_tables<C: AuditConnection>(
    conn: &mut C,
    allowed: &[String],
) -> QueryResult<Vec<Finding>> {
    let query = diesel::sql_query("SELECT * FROM threadline.unaudited_tables($1)")
        .bind::<Array<Text>, _>(allowed);
    findings(conn, query).await
}

/// Returns the qualified name of an existing table.
pub(super) async fn qualified<C: AuditConnection>(
    conn: &mut C,
    table: &str,
) -> QueryResult<Option<String>> {
    #[derive(QueryableByName)]
    struct Name {
        #[diesel(sql_type = Text)]
        name: String,
    }
    let query = diesel::sql_query(include_str!("qualified.sql")).bind::<Text, _>(table);
    let found: Option<Name> = run::one(conn, query).await.optional()?;
    Ok(found.map(|found| found.name))
}

/// A column that is recorded as it is, without an explicit policy.
#[derive(QueryableByName)]
pub(super) struct UnsaidColumn {
    /// The table of the column.
    #[diesel(sql_type = Text)]
    pub(super) name: String,
    #[diesel(sql_type = Text)]
    pub(super) column: String,
    #[diesel(sql_type = Bool)]
    pub(super) is_key: bool,
    /// False if it is recorded only after the capture is rebuilt.
    #[diesel(sql_type = Bool)]
    pub(super) is_recorded: bool,
    /// The call that excludes it.
    #[diesel(sql_type = Text)]
    pub(super) fix: String,
}

pub(super) async fn unsaid_columns<C: AuditConnection>(
    conn: &mut C,
    only: Option<&str>,
) -> QueryResult<Vec<UnsaidColumn>> {
    let query =
        diesel::sql_query(include_str!("unsaid_columns.sql")).bind::<Nullable<Text>, _>(only);
    run::load(conn, query).await
}

/// Suspensions recorded by `threadline.suspend()`.
#[derive(QueryableByName)]
pub(super) struct Suspended {
    #[diesel(sql_type = BigInt)]
    pub(super) transactions: i64,
    #[diesel(sql_type = BigInt)]
    pub(super) sessions: i64,
    /// The time at which the last suspension began.
    #[diesel(sql_type = Timestamptz)]
    pub(super) occurred_at: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    pub(super) actor: String,
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) reason: Option<String>,
}

pub(super) async fn suspended<C: AuditConnection>(
    conn: &mut C,
    since: Option<DateTime<Utc>>,
) -> QueryResult<Option<Suspended>> {
    let query =
        diesel::sql_query(include_str!("suspended.sql")).bind::<Nullable<Timestamptz>, _>(since);
    run::one(conn, query).await.optional()
}

/// The transactions without an actor among the newest ones.
#[derive(QueryableByName)]
pub(super) struct Unattributed {
    #[diesel(sql_type = BigInt)]
    pub(super) unattributed: i64,
    /// The number of checked transactions.
    #[diesel(sql_type = BigInt)]
    pub(super) transactions: i64,
    /// The time at which the oldest of them began.
    #[diesel(sql_type = Timestamptz)]
    pub(super) since: DateTime<Utc>,
    #[diesel(sql_type = Text)]
    pub(super) sources: String,
}

pub(super) async fn unattributed<C: AuditConnection>(
    conn: &mut C,
    since: Option<DateTime<Utc>>,
) -> QueryResult<Option<Unattributed>> {
    let query =
        diesel::sql_query(include_str!("unattributed.sql")).bind::<Nullable<Timestamptz>, _>(since);
    run::one(conn, query).await.optional()
}

/// Returns the findings since an instant, of one table or of all, in the order of the queries.
pub(super) async fn gaps<C: AuditConnection>(
    conn: &mut C,
    since: Option<DateTime<Utc>>,
    only: Option<&str>,
) -> QueryResult<Vec<Finding>> {
    let mut gaps = vec![];
    for sql in [
        include_str!("interrupted.sql"),
        include_str!("triggers_changed.sql"),
        include_str!("truncated.sql"),
    ] {
        let query = diesel::sql_query(sql)
            .bind::<Nullable<Timestamptz>, _>(since)
            .bind::<Nullable<Text>, _>(only);
        gaps.extend(findings(conn, query).await?);
    }
    Ok(gaps)
}

/// A table whose history can be checked.
#[derive(QueryableByName)]
pub(super) struct Audited {
    #[diesel(sql_type = Text)]
    pub(super) name: String,
    /// Why its history cannot be compared with its rows.
    #[diesel(sql_type = Nullable<Text>)]
    pub(super) obstacle: Option<String>,
    #[diesel(sql_type = Text)]
    pub(super) audit_call: String,
}

pub(super) async fn audited<C: AuditConnection>(
    conn: &mut C,
    only: Option<&str>,
) -> QueryResult<Vec<Audited>> {
    let query = diesel::sql_query(include_str!("audited.sql")).bind::<Nullable<Text>, _>(only);
    run::load(conn, query).await
}

/// Returns the key that ends a range of about the given number of changes.
pub(super) async fn next_key<C: AuditConnection>(
    conn: &mut C,
    table: &str,
    after: Option<&str>,
    changes: u32,
) -> QueryResult<Option<String>> {
    #[derive(QueryableByName)]
    struct Key {
        #[diesel(sql_type = Nullable<Text>)]
        key: Option<String>,
    }
    let changes = i32::try_from(changes).unwrap_or(i32::MAX);
    let query = diesel::sql_query("SELECT threadline.next_key($1::regclass, $2, $3) AS key")
        .bind::<Text, _>(table)
        .bind::<Nullable<Text>, _>(after)
        .bind::<Integer, _>(changes);
    let found: Key = run::one(conn, query).await?;
    Ok(found.key)
}

/// An inconsistent record, and the number of such records of its table.
pub(super) struct Found {
    pub(super) code: FindingCode,
    pub(super) records: i64,
    pub(super) record: BrokenRecord,
}

pub(super) async fn chain_drift<C: AuditConnection>(
    conn: &mut C,
    table: &str,
    since: Option<DateTime<Utc>>,
    examples: usize,
    (after, up_to): (Option<&str>, Option<&str>),
) -> QueryResult<Vec<Found>> {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        code: String,
        #[diesel(sql_type = BigInt)]
        records: i64,
        #[diesel(sql_type = Nullable<Jsonb>)]
        key: Option<AnyJson>,
        #[diesel(sql_type = BigInt)]
        transaction_id: i64,
        #[diesel(sql_type = BigInt)]
        change_id: i64,
        #[diesel(sql_type = Nullable<Jsonb>)]
        expected: Option<AnyJson>,
        #[diesel(sql_type = Nullable<Jsonb>)]
        found: Option<AnyJson>,
    }
    // Without examples, the query would find nothing.
    let examples = i32::try_from(examples.max(1)).unwrap_or(i32::MAX);
    let query =
        diesel::sql_query("SELECT * FROM threadline.chain_drift($1::regclass, $2, $3, $4, $5)")
            .bind::<Text, _>(table)
            .bind::<Nullable<Timestamptz>, _>(since)
            .bind::<Integer, _>(examples)
            .bind::<Nullable<Text>, _>(after)
            .bind::<Nullable<Text>, _>(up_to);
    let rows: Vec<Row> = run::load(conn, query).await?;
    Ok(rows
        .into_iter()
        .map(|row| Found {
            code: FindingCode::recorded(row.code),
            records: row.records,
            record: BrokenRecord {
                key: row.key.map(AnyJson::into_inner),
                change_id: row.change_id,
                transaction_id: row.transaction_id,
                expected: row.expected.map(AnyJson::into_inner),
                found: row.found.map(AnyJson::into_inner),
            },
        })
        .collect())
}
