use super::privileged::call_with_reason;
use crate::action::{ActionError, AuditAction};
use crate::connection::AuditConnection;
use crate::error::{Error, ErrorKind};
use crate::run;

/// Suspends capture for the rest of the running transaction, and records this as the action
/// `audit.suspended` with the reason.
///
/// Use it for bulk changes that would flood the audit, such as the reload of a price table.
/// Suspension ends with the transaction. If a savepoint rolls back, suspension and action
/// are rolled back together. Records changed meanwhile have a gap in their history. Only an
/// authorized role may suspend capture: see
/// [`Protection::suspender`](crate::Protection::suspender), or run `GRANT EXECUTE ON
/// FUNCTION threadline.suspend, threadline.resume`.
///
/// The actor is that of the current context, else that of the transaction, else anonymous.
/// The metadata of the action has the role that was logged in. Capture can be suspended for
/// a whole session only in SQL, see [an owner and readers](crate::docs::owner_and_readers):
/// behind a pool, this would leave the writes of other clients unrecorded.
///
/// Writes while capture is suspended limit queries about the past of the tables that they
/// change: see [suspending capture](crate::docs::owner_and_readers#suspend-capture).
///
/// ```
/// # use threadline_test_server::doctest_schema;
/// # doctest_schema!();
/// # use threadline_test_server::doctest::*;
/// # let mut connection = connect(env!("CARGO_MANIFEST_DIR"));
/// # let conn = &mut *connection;
/// use threadline::{ActorRef, AuditContext, AuditExt, Audited, suspend};
///
/// let context = AuditContext::new(ActorRef::admin("grace")?);
/// let action = conn.audited_transaction(&context, |conn| {
///     let action = suspend(conn, "reload from the old system, ticket 4711")?;
///     diesel::update(users::table).set(users::name.eq("")).execute(conn)?;
///     Ok::<_, threadline::Error>(action)
/// })?;
/// assert_eq!(action.name, "audit.suspended");
/// assert_eq!(User::history_of(conn, 42)?.len(), 1, "nothing after the insertion");
/// # Ok::<(), threadline::Error>(())
/// ```
///
/// # Errors
///
/// Returns an error if the role lacks the privilege, if the reason is empty, or if no
/// transaction is open, because suspension would end at once.
pub fn suspend<'c, C: AuditConnection>(
    conn: &'c mut C,
    reason: impl Into<String>,
) -> C::Answer<'c, Result<AuditAction, Error>> {
    let reason = reason.into();
    C::answer(async move {
        if conn.status().transaction_depth()?.is_none() {
            return Err(Error::new(ErrorKind::Action(ActionError::NoTransaction)));
        }
        let suspend = call_with_reason(
            "SELECT {action columns} FROM threadline.suspend({0}, {1}, {2}) AS a",
            reason,
        );
        run::read_one(conn, suspend).await
    })
}
