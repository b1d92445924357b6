//! Reverts of transactions and records.

use chrono::{DateTime, Utc};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment};
use diesel::result::QueryResult;
use diesel::sql_types::{BigInt, Bool, Jsonb, Nullable, Text, Timestamptz};

use crate::action::Action;
use crate::connection::AuditConnection;
use crate::context::AuditContext;
use crate::error::{Error, ErrorKind};
use crate::model::KeyExpression;
use crate::record::{AnyJson, RevertConflict};
use crate::run;
use crate::statement::{self, Bind, Typed, query_of_columns};
use crate::transactions::{Open, record_in};

/// Reverts the changes of a transaction, newest first, as new changes that are audited like
/// any others: updates are set back, inserted rows are deleted, and deleted rows are
/// inserted again. Either all changes are reverted, or none.
///
/// The triggers of the application fire as for any write. Their effects on rows that are
/// reverted, such as a maintained count, do not stay. A column that a trigger always sets,
/// such as the time of the last change, has the value of the trigger. Initially deferred
/// constraints are checked at once.
///
/// Set the actor and the reason as for any write: call it inside
/// [`audited`](crate::AuditExt::audited) or
/// [`audited_transaction`](crate::AuditExt::audited_transaction), with a
/// [`record_action`](crate::record_action) next to it.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::{
///     ActorRef, AuditContext, AuditExt, Audited, ErrorKind, record_action, revert_transaction,
/// };
///
/// let mistake = User::history_of(conn, 42)?[0].transaction.id;
/// let context = AuditContext::new(ActorRef::admin("grace")?);
/// let undone = conn.audited_transaction::<_, threadline::Error, _>(&context, |conn| {
///     record_action(conn, "incident.reverted")?;
///     revert_transaction(conn, mistake)
/// });
/// match undone {
///     Ok(changes) => println!("{changes} changes undone"),
///     Err(error) => match error.kind() {
///         ErrorKind::RevertConflicts(conflicts) => println!("{conflicts:?}"),
///         _ => return Err(error),
///     },
/// }
/// # Ok::<(), threadline::Error>(())
/// ```
///
/// # Errors
///
/// Returns [`ErrorKind::RevertConflicts`] with every reason, in which case nothing is
/// changed: a value has changed since, a row was deleted or another row has its key, other
/// rows refer to a row that would be deleted, a value is not recorded because its column is
/// masked or excluded, or a constraint is violated. Returns
/// [`ErrorKind::NoSuchTransaction`] if there is no transaction with this id, and an error
/// if the query fails.
pub fn revert_transaction<C: AuditConnection>(
    conn: &mut C,
    transaction_id: i64,
) -> C::Answer<'_, Result<usize, Error>> {
    C::answer(undo(conn, transaction_id, vec![]))
}

/// Reverts a transaction but leaves the records of some changes unchanged, for
/// [`RevertConflict`]s that were reviewed. Otherwise the same as [`revert_transaction`]:
/// either all other changes are reverted, or none. The omitted changes are recorded, as the
/// action `revert.left_out`.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::{ActorRef, AuditContext, AuditExt, Audited, revert_transaction_but};
///
/// let change = User::history_of(conn, 42)?.remove(0);
/// let context = AuditContext::new(ActorRef::admin("grace")?);
/// let undone = conn.audited_transaction::<_, threadline::Error, _>(&context, |conn| {
///     revert_transaction_but(conn, change.transaction.id, &[change.id])
/// })?;
/// assert_eq!(undone, 0, "its only change was left out");
/// # Ok::<(), threadline::Error>(())
/// ```
///
/// # Errors
///
/// Same as [`revert_transaction`]. Also returns an error if a change does not belong to the
/// transaction, or if no actor is set.
pub fn revert_transaction_but<'c, C: AuditConnection>(
    conn: &'c mut C,
    transaction_id: i64,
    leave_out: &[i64],
) -> C::Answer<'c, Result<usize, Error>> {
    let leave_out = leave_out.to_vec();
    C::answer(async move {
        let mut open = Open::begin(conn, None).await?;
        let done = undo_but(open.conn(), transaction_id, leave_out).await;
        open.end(done).await
    })
}

async fn undo_but<C: AuditConnection>(
    conn: &mut C,
    transaction_id: i64,
    leave_out: Vec<i64>,
) -> Result<usize, Error> {
    let undone = undo(conn, transaction_id, leave_out.clone()).await?;
    let action = Action::new("revert.left_out")
        .metadata("transaction", transaction_id)
        .metadata("changes", leave_out);
    record_in(conn, action, AuditContext::current().as_ref()).await?;
    Ok(undone)
}

async fn undo<C: AuditConnection>(
    conn: &mut C,
    transaction_id: i64,
    leave_out: Vec<i64>,
) -> Result<usize, Error> {
    let arguments = || {
        [
            Bind::BigInt(transaction_id),
            Bind::BigInts(leave_out.clone()),
        ]
    };
    let query = Typed::<BigInt>::new(include_str!("changes_in_transaction.sql"), arguments());
    let changes: i64 = run::read_one(conn, query).await?;
    let query = Typed::<ConflictSql>::new(include_str!("revert_transaction.sql"), arguments());
    let conflicts: Vec<ConflictRow> = run::read(conn, query).await?;
    if conflicts.is_empty() {
        if changes == 0 {
            require_transaction(conn, transaction_id).await?;
        }
        return Ok(usize::try_from(changes).unwrap_or_default());
    }
    Err(Error::new(ErrorKind::RevertConflicts(
        conflicts.into_iter().map(RevertConflict::from).collect(),
    )))
}

/// Distinguishes a transaction without changes from one that does not exist.
async fn require_transaction<C: AuditConnection>(conn: &mut C, id: i64) -> Result<(), Error> {
    let sql = "SELECT EXISTS (SELECT FROM threadline.audit_transactions WHERE id = {0})";
    let query = Typed::<Bool>::new(sql, [Bind::BigInt(id)]);
    let exists: bool = run::read_one(conn, query).await?;
    if exists {
        return Ok(());
    }
    Err(Error::new(ErrorKind::NoSuchTransaction { id }))
}

type ConflictSql = (BigInt, Nullable<Text>, Nullable<Jsonb>, Text);
type ConflictRow = (i64, Option<String>, Option<AnyJson>, String);

impl From<ConflictRow> for RevertConflict {
    fn from((change_id, table, key, reason): ConflictRow) -> Self {
        Self {
            table,
            key: key.map(AnyJson::into_inner),
            change_id: Some(change_id),
            reason,
        }
    }
}

/// Reverts a record of a table to its state at an instant.
pub async fn revert_record<C, V>(
    conn: &mut C,
    table: String,
    key: KeyExpression<V>,
    instant: DateTime<Utc>,
) -> Result<(), Error>
where
    C: AuditConnection,
    V: QueryFragment<Pg> + Send,
{
    let query = RevertRecord {
        table: table.clone(),
        key,
        instant,
    };
    let answer: Option<RecordRow> = run::read(conn, query).await?.pop();
    match answer {
        None => Err(Error::new(ErrorKind::NotAudited { table })),
        Some((_, _, None)) => Ok(()),
        Some((table, key, Some(reason))) => Err(Error::new(ErrorKind::RevertConflicts(vec![
            RevertConflict {
                table: Some(table),
                key: key.map(AnyJson::into_inner),
                change_id: None,
                reason,
            },
        ]))),
    }
}

/// The table, the key of the record, and the reason.
type RecordSql = (Text, Nullable<Jsonb>, Nullable<Text>);
type RecordRow = (String, Option<AnyJson>, Option<String>);

#[derive(Debug)]
struct RevertRecord<V> {
    table: String,
    key: KeyExpression<V>,
    instant: DateTime<Utc>,
}

query_of_columns!(RevertRecord<V>: RecordSql);

impl<V: QueryFragment<Pg>> QueryFragment<Pg> for RevertRecord<V> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        statement::walk(&mut out, include_str!("revert_record.sql"), |name, out| {
            if name == "instant" {
                return out.push_bind_param::<Timestamptz, _>(&self.instant);
            }
            statement::fill_record(name, &self.table, &self.key, out)
        })
    }
}
