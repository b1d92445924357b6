use diesel::sql_types::Text;

use super::Open;
use super::privileged::call_with_reason;
use crate::action::{ActionError, AuditAction};
use crate::connection::{AuditConnection, BlockingConnection, ready};
use crate::context::AuditContext;
use crate::error::{Error, ErrorKind};
use crate::posting::post_before_reading;
use crate::run;

/// Reads changes including values recorded before their column was masked or excluded, and
/// records this access as the action `audit.unmasked` with the reason.
///
/// By default, readers do not see values that a policy hides now, whenever they were
/// recorded. Inside `read`, these values are visible in histories, timelines, transactions,
/// blame, exports, [`versions`](crate::Audited::versions) and
/// [`as_of`](crate::Audited::as_of). Values that were redacted when they were recorded are
/// stored nowhere.
///
/// For a record at an instant, columns that are excluded now have no value: later changes
/// were not recorded, so the last recorded value could be outdated. In a model, masked
/// columns that are not text stay redacted, because a placeholder could be mistaken for a
/// value. The image has their values.
///
/// The action is committed before anything is read. It has the actor, ids, source, address and
/// metadata of the current context; without a context, its actor is anonymous. Its metadata
/// also has the role that was logged in. A reader of a [protected](crate::Protection) audit
/// may call it, any other role after `GRANT EXECUTE ON FUNCTION threadline.unmask`.
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::{Audited, unmasked};
///
/// let changes = unmasked(conn, "which address did we write to, ticket 4711", |conn| {
///     User::history_of(conn, 42)
/// })?;
/// # assert_eq!(changes.len(), 1);
/// # Ok::<(), threadline::Error>(())
/// ```
///
/// # Errors
///
/// Returns an error if the role lacks the privilege, the reason is empty, a transaction is
/// open, or reading fails.
pub fn unmasked<C, T>(
    conn: &mut C,
    reason: impl Into<String>,
    read: impl FnOnce(&mut C) -> Result<T, Error>,
) -> Result<T, Error>
where
    C: BlockingConnection,
{
    let mut open = ready(begin_unmasked(conn, reason.into()))?;
    let answer = read(open.conn());
    ready(open.end(answer))
}

/// Records the access, and begins the transaction in which the values are visible.
pub(crate) async fn begin_unmasked<C: AuditConnection>(
    conn: &mut C,
    reason: String,
) -> Result<Open<'_, C>, Error> {
    if conn.status().transaction_depth()?.is_some() {
        return Err(Error::new(ErrorKind::Action(ActionError::InTransaction)));
    }
    post_before_reading(conn).await;
    let unmask = call_with_reason(
        "SELECT {action columns} FROM threadline.unmask({0}, {1}, {2}) AS a",
        reason,
    );
    // With the current context, so that the action has its ids, source and address.
    let mut open = Open::begin(conn, AuditContext::current_setting().as_deref()).await?;
    let recorded = run::read_one(open.conn(), unmask).await;
    let action: AuditAction = open.end(recorded).await?;
    let mut open = Open::begin(conn, None).await?;
    let setting = diesel::sql_query("SELECT set_config('threadline.unmasked', $1, true)")
        .bind::<Text, _>(action.id.to_string());
    let set = open.conn().count_of(setting).await;
    match set {
        Ok(_) => Ok(open),
        Err(error) => open.end(Err(error.into())).await,
    }
}
