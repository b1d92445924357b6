use serde::{Deserialize, Serialize};

use crate::action::{ActionSql, AuditAction};
use crate::connection::AuditConnection;
use crate::error::Error;
use crate::forms::FormatVersion;
use crate::posting::post_before_reading;
use crate::record::{AuditChange, AuditTransaction, ChangeSql, TransactionSql};
use crate::run;
use crate::statement::{Bind, Typed};

/// A complete transaction, for an incident report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TransactionReport {
    /// The version of the JSON form.
    #[serde(default)]
    pub format_version: FormatVersion,
    /// When it was made, and under which context.
    pub transaction: AuditTransaction,
    /// Its actions, in the order in which they were recorded.
    pub actions: Vec<AuditAction>,
    /// Its changes, in the order in which they were captured.
    pub changes: Vec<AuditChange>,
}

/// Returns a complete transaction by its id in the audit tables, or `None` if there is
/// none.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::Audited;
///
/// let change = &User::history_of(conn, 42)?[0];
/// let report = threadline::transaction(conn, change.transaction.id)?.unwrap();
/// assert_eq!(report.changes, [change.clone()]);
/// # Ok::<(), threadline::Error>(())
/// ```
///
/// # Errors
///
/// Returns an error if the audit schema is missing or too old, or if the query fails.
pub fn transaction<C: AuditConnection>(
    conn: &mut C,
    id: i64,
) -> C::Answer<'_, Result<Option<TransactionReport>, Error>> {
    C::answer(transaction_up_to(conn, id, None))
}

/// Same as [`transaction`], with at most a given number of changes, the first ones.
pub async fn transaction_up_to<C: AuditConnection>(
    conn: &mut C,
    id: i64,
    limit: Option<i64>,
) -> Result<Option<TransactionReport>, Error> {
    let sql = include_str!("transaction_by_id.sql");
    let found = reports(conn, Typed::new(sql, [Bind::BigInt(id)]), limit).await;
    Ok(found?.pop())
}

/// All transactions and actions with one correlation id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct Correlated {
    /// The version of the JSON form.
    #[serde(default)]
    pub format_version: FormatVersion,
    /// The transactions, newest first.
    pub transactions: Vec<TransactionReport>,
    /// Actions that belong to no transaction, newest first, for example a refused login.
    pub actions: Vec<AuditAction>,
}

/// Returns everything with one correlation id: transactions whose own context has it,
/// transactions with an action that has it, and actions that have it and belong to no
/// transaction. The id is compared exactly.
///
/// # Errors
///
/// Same as [`transaction`].
pub fn correlated<'c, C: AuditConnection>(
    conn: &'c mut C,
    correlation_id: &str,
) -> C::Answer<'c, Result<Correlated, Error>> {
    let correlation_id = correlation_id.to_owned();
    C::answer(async move {
        let bind = || [Bind::Text(correlation_id.clone())];
        let sql = include_str!("transactions_by_correlation.sql");
        let transactions = reports(conn, Typed::new(sql, bind()), None).await?;
        let sql = include_str!("actions_by_correlation.sql");
        let actions = run::read(conn, Typed::<ActionSql>::new(sql, bind())).await?;
        Ok(Correlated {
            format_version: FormatVersion::default(),
            transactions,
            actions,
        })
    })
}

async fn reports<C: AuditConnection>(
    conn: &mut C,
    transactions: Typed<TransactionSql>,
    limit: Option<i64>,
) -> Result<Vec<TransactionReport>, Error> {
    post_before_reading(conn).await;
    let transactions: Vec<AuditTransaction> = run::read(conn, transactions).await?;
    let ids: Vec<i64> = transactions
        .iter()
        .map(|transaction| transaction.id)
        .collect();
    let actions = actions_of(conn, ids.clone()).await?;
    let query = Typed::<ChangeSql>::new(
        include_str!("changes_of_transactions.sql"),
        [Bind::BigInts(ids), Bind::Limit(limit)],
    );
    let changes: Vec<AuditChange> = run::read(conn, query).await?;
    let mut reports: Vec<TransactionReport> = transactions
        .into_iter()
        .map(|transaction| TransactionReport {
            format_version: FormatVersion::default(),
            transaction,
            actions: vec![],
            changes: vec![],
        })
        .collect();
    for action in actions {
        let of = action.transaction_id;
        if let Some(report) = reports.iter_mut().find(|r| Some(r.transaction.id) == of) {
            report.actions.push(action);
        }
    }
    for change in changes {
        let of = change.transaction.id;
        if let Some(report) = reports.iter_mut().find(|r| r.transaction.id == of) {
            report.changes.push(change);
        }
    }
    Ok(reports)
}

pub(super) async fn actions_of<C: AuditConnection>(
    conn: &mut C,
    transactions: Vec<i64>,
) -> Result<Vec<AuditAction>, Error> {
    let sql = include_str!("actions_of_transactions.sql");
    let query = Typed::<ActionSql>::new(sql, [Bind::BigInts(transactions)]);
    run::read(conn, query).await
}

/// Returns one change by its ids.
pub(crate) async fn change_by_id<C: AuditConnection>(
    conn: &mut C,
    transaction: i64,
    id: i64,
) -> Result<Option<AuditChange>, Error> {
    let sql = include_str!("change_by_id.sql");
    let query = Typed::<ChangeSql>::new(sql, [Bind::BigInt(transaction), Bind::BigInt(id)]);
    Ok(run::read(conn, query).await?.pop())
}
